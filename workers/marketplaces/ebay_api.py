"""How eBay's APIs are asked: with whose token, out of which day's budget, and what their errors say."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from commands.settings import Settings
from commands.web import Reply
from projections.budget import Spend
from workers.marketplaces.base import MarketplaceError, Permanent, Reconnect, Transient
from workers.marketplaces.gate import Gate

A_DAY = {"inventory": 2_000_000, "fulfillment": 100_000, "browse": 5_000, "analytics": 5_000}
"""Calls that an application has, of all its sellers together."""
KEPT_BACK = 50
"""For each day one fiftieth is left to whoever else uses the application."""
BASES = {
    "inventory": "/sell/inventory/v1",
    "fulfillment": "/sell/fulfillment/v1",
    "browse": "/buy/browse/v1",
    "analytics": "/developer/analytics/v1_beta",
}
NOT_JUST_NOW = frozenset({25001, 25025, 2003, 3004, 3005})
"""A fault of eBay's own, or somebody else is at it."""
NO_OFFER = 25713
Query = Mapping[str, str | int]


class Tokens(Protocol):
    def access(self, but: str | None = None) -> str:
        """Return a token that is good, and not `but`, which was refused. Raises MarketplaceError, Unavailable."""
        ...


class Error(Struct, rename="camel"):
    error_id: int


class Errors(Struct):
    errors: Sequence[Error] = ()


class _Rate(Struct):
    remaining: int
    reset: datetime


class _Resource(Struct):
    rates: Sequence[_Rate] = ()


class _Limit(Struct, rename="camel"):
    api_name: str
    resources: Sequence[_Resource] = ()


class _Limits(Struct, rename="camel"):
    rate_limits: Sequence[_Limit] = ()


class EbayApi:
    """Asks as the seller, whose `tokens` they are, or as this deployment's `application` for what everybody may see."""

    def __init__(self, gate: Gate, settings: Settings, tokens: Tokens, application: Tokens) -> None:
        self.gate = gate
        self._url = settings.ebay_api_url
        self._client = settings.ebay_client_id
        self._tokens = tokens
        self._application = application

    def asked(
        self,
        method: str,
        api: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        spends: Sequence[Spend] = (),
        is_trial: bool = False,
    ) -> Reply:
        """Ask as the seller; return 2xx, or a refusal of what was asked. Raises Transient, Reconnect, Unavailable."""
        content = None if body is None else msgspec.json.encode(body)
        url = self._address(api, path, query)
        more = {} if content is None else {"Content-Type": "application/json"}
        spent = [self._spend(api), *spends]
        reply = self._sent(self._tokens, None, method, url, spent, more, content, is_trial=is_trial)
        if reply.status == 401:
            # A token may end before its time; one that is new and refused too will not get better.
            refused = self._tokens.access()
            reply = self._sent(self._tokens, refused, method, url, spent, more, content, is_trial=is_trial)
        if reply.status in {401, 403}:
            raise Reconnect(f"The marketplace refused the credentials (status {reply.status}).")
        return reply

    def asked_publicly(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """Ask Browse, as the application; return 2xx, or a refusal. Raises Transient, Permanent, Unavailable."""
        url, spent = self._address("browse", path, query), [self._spend("browse")]
        reply = self._sent(self._application, None, "GET", url, spent, headers, None)
        if reply.status == 401:
            refused = self._application.access()
            reply = self._sent(self._application, refused, "GET", url, spent, headers, None)
        if reply.status in {401, 403}:
            raise Permanent(f"eBay does not let this application browse (status {reply.status}).")
        return reply

    def _sent(
        self,
        tokens: Tokens,
        refused: str | None,
        method: str,
        url: str,
        spends: Sequence[Spend],
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        is_trial: bool = False,
    ) -> Reply:
        def signed() -> Mapping[str, str]:
            return {"Authorization": f"Bearer {tokens.access(but=refused)}", "Accept": "application/json", **headers}

        return self.gate.send(
            method,
            url,
            spends,
            headers=signed,
            body=body,
            is_trial=is_trial,
            reset_seconds=lambda: self._reset_seconds(spends[0].key),
        )

    def _reset_seconds(self, key: str) -> float | None:
        """Return how long a day's calls that are spent stay so, as eBay has it; None where it does not say."""

        def signed() -> Mapping[str, str]:
            return {"Authorization": f"Bearer {self._application.access()}", "Accept": "application/json"}

        url = self._address("analytics", "/rate_limit/", None)
        try:
            reply = self.gate.send("GET", url, [self._spend("analytics")], headers=signed)
            if reply.status != 200:
                return None
            limits = self.gate.read(reply, _Limits).rate_limits
        except MarketplaceError:
            return None
        rates = [
            rate
            for limit in limits
            if limit.api_name.lower() == key.rpartition(":")[2]
            for resource in limit.resources
            for rate in resource.rates
            if rate.remaining <= 0
        ]
        now = self.gate.now()
        return max(((rate.reset - now).total_seconds() for rate in rates if rate.reset > now), default=None)

    def _address(self, api: str, path: str, query: Query | None) -> str:
        return f"{self._url}{BASES[api]}{path}" + (f"?{urlencode(query)}" if query else "")

    def _spend(self, api: str) -> Spend:
        return Spend(f"ebay:{self._client}:{api}", a_day=A_DAY[api] - A_DAY[api] // KEPT_BACK)


def error_ids(reply: Reply) -> Collection[int]:
    """Return what a refusal says is wrong; nothing where it does not say."""
    try:
        return {error.error_id for error in msgspec.json.decode(reply.body, type=Errors).errors}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return set()


def refusal(what: str, status: int, ids: Collection[int]) -> Transient | Permanent:
    """Return what to raise where eBay would not do `what`, for instance "change the price"."""
    numbers = ", ".join(map(str, sorted(ids))) or f"status {status}"
    if status >= 500 or NOT_JUST_NOW & {*ids}:
        return Transient(f"eBay could not {what} just now ({numbers}).")
    return Permanent(f"eBay does not {what} ({numbers}).")
