"""eBay: tokens, and the account that they open."""

import base64
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from msgspec import Struct

from commands import ebay_application
from commands.ebay_application import EARLY_SECONDS, NOT_SET_UP, WRONG, NoToken
from commands.settings import Settings
from commands.vault import Vault
from commands.web import Unreachable, Unreadable, Web
from domain.presence.listing import Listing, Sale, Seen, Unseen
from projections.credential import Credentials, Held
from workers.marketplaces.base import Permanent, Reconnect, Transient, retry_after
from workers.marketplaces.ebay_api import EbayApi, error_ids, refusal
from workers.marketplaces.ebay_browse import EbayBrowse
from workers.marketplaces.ebay_offers import ID, EbayOffers, seen
from workers.marketplaces.ebay_orders import EbayOrders

NO_ID = "This is no id of an eBay listing: it has digits only."
_OVER: Mapping[str | None, str] = {"ended": "ended", "removed": "ended", "sold": "sold"}
"""What has been ended already, and how."""


class EbayTokens:
    """Access tokens of one connection. Whoever needs a new one first gets it; the others wait and use it."""

    def __init__(
        self,
        web: Web,
        settings: Settings,
        vault: Vault,
        credentials: Credentials,
        connection: UUID,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._web = web
        self._settings = settings
        self._vault = vault
        self._credentials = credentials
        self._connection = connection
        self._clock = clock
        self._token, self._until = "", 0.0

    def access(self, but: str | None = None) -> str:
        """Return a token that is good, and not `but`, which was refused. Raises MarketplaceError, Unavailable."""
        if self._token in {"", but} or self._until - EARLY_SECONDS <= self._clock():
            self._token, self._until = self._shared(but)
        return self._token

    def _shared(self, but: str | None) -> tuple[str, float]:
        """Return what all processes use, and until when."""
        with self._credentials.held(self._connection) as held:
            if held.sealed is None:
                raise Reconnect("There are no credentials.")
            known = self._vault.open(self._connection, held.sealed)
            token = known.get("access_token")
            if token is not None and token != but and float(known["until"]) - EARLY_SECONDS > self._clock():
                return token, float(known["until"])
            return self._renewed(held, known)

    def _renewed(self, held: Held, known: Mapping[str, str]) -> tuple[str, float]:
        if "code" in known:
            form = {"grant_type": "authorization_code", "code": known["code"]}
            found = self._minted({**form, "redirect_uri": self._settings.ebay_ru_name})
        else:
            found = self._minted({"grant_type": "refresh_token", "refresh_token": known["refresh_token"]})
        # Only an answer to a code has one: what is kept is not to be lost to a refresh.
        refresh = found.refresh_token or known.get("refresh_token")
        if refresh is None:
            raise Transient("The answer has no token.")
        fresh = {"refresh_token": refresh, "access_token": found.token, "until": f"{found.until:.0f}"}
        held.replace(self._vault.seal(self._connection, fresh))
        return found.token, found.until

    def _minted(self, form: Mapping[str, str]) -> "Minted":
        return minted(self._web, self._settings, form, self._clock())


class EbayApplication:
    """Access tokens for what everybody may see, as connectors want them."""

    def __init__(self, application: ebay_application.EbayApplication) -> None:
        self._application = application

    def access(self, but: str | None = None) -> str:
        """Return a token that is good, and not `but`, which was refused. Raises MarketplaceError."""
        try:
            return self._application.access(but)
        except NoToken as error:
            raise (Transient if error.is_passing else Permanent)(str(error)) from error


class Minted(NamedTuple):
    """`until` is in seconds since 1970. Only an answer to a code has a refresh token."""

    token: str
    until: float
    refresh_token: str | None


def minted(web: Web, settings: Settings, form: Mapping[str, str], now: float) -> Minted:
    """Ask for a token. Raises MarketplaceError: Permanent where the application is wrong."""
    id, secret = settings.ebay_client_id, settings.ebay_client_secret
    if not (id and secret):
        raise Permanent(NOT_SET_UP)
    basic = base64.b64encode(f"{id}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    url = f"{settings.ebay_api_url}/identity/v1/oauth2/token"
    try:
        reply = web.send("POST", url, headers=headers, body=urlencode(form).encode())
        if reply.status == 429 or reply.status >= 500:
            raise Transient(f"eBay gave no token (status {reply.status}).", retry_after(reply.headers))
        answer = reply.json()
    except (Unreachable, Unreadable) as error:
        raise Transient(str(error)) from error
    if reply.status == 200:
        try:
            found = msgspec.convert(answer, _Answer)
        except msgspec.ValidationError as error:
            raise Transient("The answer has no token.") from error
        return Minted(found.access_token, now + found.expires_in, found.refresh_token)
    name = answer.get("error") if isinstance(answer, dict) else None
    if name == "invalid_client":
        raise Permanent(WRONG)
    raise Reconnect("eBay took the consent back, or the code is used up: connect again.")


class _Answer(Struct):
    access_token: str
    expires_in: float
    refresh_token: str | None = None


class EbayAccount:
    """One seller's. A listing is an offer of the Inventory API, or what Browse shows of it."""

    at_once = 100

    def __init__(self, api: EbayApi) -> None:
        self._api = api
        self._offers = EbayOffers(api)
        self._browse = EbayBrowse(api)
        self._orders = EbayOrders(api)

    def verify(self) -> None:
        reply = self._api.asked("GET", "fulfillment", "/order", query={"limit": 1}, is_trial=True)
        if reply.status != 200:
            raise refusal("show the orders", reply.status, error_ids(reply))
        self._api.gate.read(reply, dict)

    def read(self, listings: Sequence[Listing]) -> Iterator[Seen | Unseen]:
        for listing in listings:
            yield self._read(listing)

    def set_price(self, listing: Listing, price: Decimal) -> Mapping[str, str]:
        self._check_id(listing)
        reference = self._offers.to_change(listing)
        if self._offers.set_price(listing, reference["offer_id"], price):
            return reference
        # The offer is gone; maybe another one is the listing now.
        reference = self._offers.to_change(listing._replace(reference=None))
        if self._offers.set_price(listing, reference["offer_id"], price):
            return reference
        raise Permanent("eBay has no offer of this listing any more.")

    def end(self, listing: Listing) -> str:
        self._check_id(listing)
        offer = self._offers.found(listing) or self._offers.by_sku(listing)
        status = offer.status_of(listing.external_id) if offer is not None else self._status_elsewhere(listing)
        if status in _OVER:
            return _OVER[status]
        offer_id = self._offers.migrated(listing)["offer_id"] if offer is None else offer.offer_id
        if self._offers.withdraw(offer_id):
            return "ended"
        # Somebody was faster: a buyer, the seller, or the attempt before this one, whose answer never came.
        offer = self._offers.get(offer_id)
        status = "removed" if offer is None else offer.status_of(listing.external_id)
        if status not in _OVER:
            raise Transient("eBay says that it is not up, and shows it.")
        return _OVER[status]

    def orders(self, since: datetime) -> Iterator[Sale]:
        return self._orders.since(since)

    def _read(self, listing: Listing) -> Seen | Unseen:
        if not ID.match(listing.external_id):
            return Unseen(listing.presence, NO_ID)
        offer = self._offers.found(listing)
        return self._browse.read(listing) if offer is None else seen(listing, offer)

    def _status_elsewhere(self, listing: Listing) -> str | None:
        found = self._browse.read(listing)
        return found.status if isinstance(found, Seen) else None

    def _check_id(self, listing: Listing) -> None:
        if not ID.match(listing.external_id):
            raise Permanent(NO_ID)
