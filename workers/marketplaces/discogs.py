"""Discogs."""

from collections.abc import Callable

from commands.web import Web
from workers.marketplaces.base import asked

_ACCEPT = "application/vnd.discogs.v2.discogs+json"


class DiscogsAccount:
    """`user_agent` has to be one that is ours alone: without it nothing is answered. `sign` gives the Authorization
    header of one request.
    """

    def __init__(self, web: Web, api_url: str, user_agent: str, sign: Callable[[], str]) -> None:
        self._web = web
        self._api_url = api_url
        self._user_agent = user_agent
        self._sign = sign

    def verify(self) -> None:
        headers = {"Authorization": self._sign(), "User-Agent": self._user_agent, "Accept": _ACCEPT}
        asked(self._web, "GET", f"{self._api_url}/oauth/identity", headers=headers)
