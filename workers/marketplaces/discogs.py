"""One Discogs seller's account."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from urllib.parse import quote

from commands.web import Reply
from domain.presence.listing import Listing, Sale, Seen, Unseen
from workers.marketplaces.base import Permanent, Reconnect, Transient
from workers.marketplaces.discogs_api import DiscogsApi, Query
from workers.marketplaces.discogs_listings import (
    EDITABLE,
    ID,
    NO_PRICE,
    Identity,
    Inventory,
    Shown,
    currency_of,
    is_news,
    of_inventory,
    seen,
)
from workers.marketplaces.discogs_orders import DiscogsOrders
from workers.marketplaces.money import Implausible, to_send

PAGE = 100
NO_ID = "This is no id of a Discogs listing: it has digits only."
GONE = "Discogs has no such listing any more."
OTHERS = "The listing is another seller's."
UNSURE = "Discogs does not show the same currency twice."
_OVER = {"Sold": "sold", "Draft": "paused", "Expired": "ended", "Deleted": "ended"}


class DiscogsAccount:
    """Listings are read by pages of what is for sale where that takes fewer requests, else one by one."""

    at_once = 5000

    def __init__(self, api: DiscogsApi) -> None:
        self._api = api
        self._orders = DiscogsOrders(api)
        self._username: str | None = None
        self._pages = 1

    def verify(self) -> None:
        self._identify(is_trial=True)

    def read(self, listings: Sequence[Listing]) -> Iterator[Seen | Unseen]:
        wanted: dict[str, list[Listing]] = {}
        for listing in listings:
            if ID.match(listing.external_id):
                wanted.setdefault(str(int(listing.external_id)), []).append(listing)
            else:
                yield Unseen(listing.presence, NO_ID)
        yield from self._read_pages(wanted)
        for id, of_id in wanted.items():
            yield from self._read_one(id, of_id)

    def set_price(self, listing: Listing, price: Decimal) -> None:
        value = to_send(price, listing.currency)
        shown = self._own(listing)
        if shown.status not in EDITABLE or shown.status == "Expired":
            # One that is over would be for sale again with its new price.
            raise Permanent(f"The listing is not for sale: Discogs shows it as {shown.status!r}.")
        current, currency = self._listed_price(shown)
        if currency != listing.currency:
            raise Permanent(f"Discogs shows the listing in {currency}: no price in {listing.currency} can be set.")
        if current != value:
            self._post(listing, shown.to_post(value, shown.status))

    def end(self, listing: Listing) -> str:
        try:
            shown = self._own(listing)
        except Gone:
            return "ended"
        if shown.status == "For Sale":
            price, _ = self._listed_price(shown)
            try:
                self._post(listing, shown.to_post(price, "Draft"))
            except NotEditable:
                # A buyer, or the seller, was faster.
                return self._ended(self._own(listing))
            except Gone:
                return "ended"
            return "paused"
        return self._ended(shown)

    def orders(self, since: datetime) -> Iterator[Sale]:
        return self._orders.since(since)

    def _read_pages(self, wanted: dict[str, list[Listing]]) -> Iterator[Seen | Unseen]:
        """Read pages for as long as there are fewer of them than listings; take from `wanted` what was on them."""
        number = 1
        while self._pages - number + 1 < len(wanted):
            query: Query = {
                "status": "For Sale",
                "sort": "listed",
                "sort_order": "asc",
                "per_page": PAGE,
                "page": number,
            }
            reply = self._api.asked("GET", f"/users/{quote(self._seller(), safe='')}/inventory", query=query)
            if reply.status == 404 and number > 1:
                break
            if reply.status != 200:
                raise _refused("show the inventory", reply)
            page = self._api.gate.read(reply, Inventory)
            self._pages = max(1, page.pagination.pages)
            for shown in page.listings:
                for listing in wanted.pop(str(shown.id), ()):
                    yield seen(listing, of_inventory(shown))
            if number >= self._pages:
                break
            number += 1

    def _read_one(self, id: str, listings: Sequence[Listing]) -> Iterator[Seen | Unseen]:
        reply = self._api.asked("GET", f"/marketplace/listings/{id}")
        shown = self._api.gate.read(reply, Shown) if reply.status == 200 else None
        if shown is not None and any(is_news(listing, shown) for listing in listings):
            # A seller has one currency: another one is believed once it is told again.
            again = self._api.asked("GET", f"/marketplace/listings/{id}")
            confirmed = self._api.gate.read(again, Shown) if again.status == 200 else None
            if confirmed is None or currency_of(confirmed) != currency_of(shown):
                yield from (Unseen(listing.presence, UNSURE) for listing in listings)
                return
        is_others = shown is not None and not self._is_own(shown)
        for listing in listings:
            if reply.status == 404:
                yield Seen(listing.presence, "removed")
            elif shown is None:
                yield Unseen(listing.presence, f"Discogs does not show the listing (status {reply.status}).")
            elif is_others:
                yield Unseen(listing.presence, OTHERS)
            else:
                yield seen(listing, shown)

    def _own(self, listing: Listing) -> Shown:
        """Return a listing as it is now. Raises Gone, MarketplaceError."""
        if not ID.match(listing.external_id):
            raise Permanent(NO_ID)
        reply = self._api.asked("GET", f"/marketplace/listings/{listing.external_id}")
        if reply.status == 404:
            raise Gone(GONE)
        if reply.status != 200:
            raise _refused("show the listing", reply)
        shown = self._api.gate.read(reply, Shown)
        if not self._is_own(shown):
            raise Permanent(OTHERS)
        return shown

    def _is_own(self, shown: Shown) -> bool:
        return shown.is_shown_to_owner or shown.seller is None or shown.seller.username == self._seller()

    def _listed_price(self, shown: Shown) -> tuple[Decimal, str]:
        try:
            return shown.listed_price()
        except Implausible as error:
            raise Permanent(NO_PRICE) from error

    def _ended(self, shown: Shown) -> str:
        # What Discogs holds back for a fault of its own finding is not for sale either.
        if shown.status == "For Sale":
            raise Transient("Discogs says that the listing cannot be changed, and has it for sale.")
        return _OVER.get(shown.status, "ended")

    def _post(self, listing: Listing, said: object) -> None:
        """Raises Gone, NotEditable, MarketplaceError."""
        reply = self._api.asked("POST", f"/marketplace/listings/{listing.external_id}", body=said)
        if reply.status == 404:
            raise Gone(GONE)
        if reply.status == 403:
            raise NotEditable("Discogs does not let the listing be changed.")
        if reply.status >= 300:
            raise _refused("change the listing", reply)

    def _seller(self) -> str:
        if self._username is None:
            self._username = self._identify()
        return self._username

    def _identify(self, *, is_trial: bool = False) -> str:
        reply = self._api.asked("GET", "/oauth/identity", is_trial=is_trial)
        if reply.status == 403:
            raise Reconnect("The marketplace refused the credentials (status 403).")
        if reply.status != 200:
            raise _refused("say whose account it is", reply)
        return self._api.gate.read(reply, Identity).username


class Gone(Permanent):
    """There is no such listing."""


class NotEditable(Permanent):
    """It is sold, or held back."""


def _refused(what: str, reply: Reply) -> Permanent:
    return Permanent(f"Discogs does not {what} (status {reply.status}).")
