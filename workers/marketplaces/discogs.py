"""Discogs, by a personal token."""

from collections.abc import Mapping

from workers.marketplaces.base import asked
from workers.web import Web

_ACCEPT = "application/vnd.discogs.v2.discogs+json"


class DiscogsAccount:
    """`user_agent` has to be one that is ours alone: without it nothing is answered."""

    def __init__(self, web: Web, api_url: str, user_agent: str, token: str) -> None:
        self._web = web
        self._api_url = api_url
        self._headers: Mapping[str, str] = {
            "Authorization": f"Discogs token={token}",
            "User-Agent": user_agent,
            "Accept": _ACCEPT,
        }

    def verify(self) -> None:
        asked(self._web, "GET", f"{self._api_url}/oauth/identity", headers=self._headers)
