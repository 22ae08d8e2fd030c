"""Where this deployment is reached, and where a request came from, past the proxies that are trusted."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network

from litestar.types import Scope

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)


class Addresses:
    """`public_url` (no slash at its end) wins over what requests say; `trusted_proxies` are IPs or CIDRs."""

    def __init__(self, public_url: str, trusted_proxies: Sequence[str]) -> None:
        self._public_url = public_url
        self._trusted = tuple(ip_network(text) for text in trusted_proxies)
        self._is_trusted = lru_cache(1024)(self._look_up)

    def base_url(self, scope: Scope) -> str:
        """Return scheme and host of absolute links, without a slash at the end."""
        if self._public_url:
            return self._public_url
        host, scheme = "", scope["scheme"]
        forwarded_host = forwarded_scheme = ""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1")
            elif name == b"x-forwarded-host":
                forwarded_host = value.decode("latin-1").split(",")[-1].strip()
            elif name == b"x-forwarded-proto":
                forwarded_scheme = value.decode("latin-1").split(",")[-1].strip().lower()
        if (forwarded_host or forwarded_scheme) and self._peer_is_trusted(scope):
            host = forwarded_host if _HOST.fullmatch(forwarded_host) else host
            scheme = forwarded_scheme if forwarded_scheme in {"http", "https"} else scheme
        if not host:
            address, port = scope.get("server") or ("localhost", None)
            host = f"{address}:{port}" if port else address
        return f"{scheme}://{host}"

    def client(self, scope: Scope) -> str | None:
        """Return the address of whoever sent the request: the last one that no trusted proxy vouches past."""
        peer = scope.get("client")
        if peer is None:
            return None
        address = peer[0]
        header = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        hops = [hop.strip() for hop in header.decode("latin-1").split(",") if hop.strip()]
        while hops and self._is_trusted(address):
            if (hop := _address(hops.pop())) is None:
                # Whoever wrote that vouches for nobody.
                break
            address = hop
        return _address(address) or address

    def _peer_is_trusted(self, scope: Scope) -> bool:
        peer = scope.get("client")
        return peer is not None and self._is_trusted(peer[0])

    def _look_up(self, address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._trusted)


def _address(text: str) -> str | None:
    """Return the address of an IPv4 or IPv6 peer in its one spelling, without its port; None where it is none."""
    bare = text.partition("]")[0][1:] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        ip = ip_address(bare)
    except ValueError:
        return None
    mapped = getattr(ip, "ipv4_mapped", None)
    return str(mapped or ip)
