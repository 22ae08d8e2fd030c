"""The places where products are sold: reference data, the same in every deployment."""

from collections.abc import Mapping

from msgspec import Struct


class Platform(Struct, frozen=True):
    """`connection_type` says how an account is connected; None where the platform offers no API to do it."""

    uid: str
    name: str
    slug: str
    display_name: str
    platform_type: str
    supports_digital: bool
    supports_api_connection: bool
    connection_type: str | None


def _platform(name: str, kind: str, digital: bool, connection: str | None) -> Platform:
    slug = name.lower()
    return Platform(f"plat_{slug}", name, slug, name, kind, digital, connection is not None, connection)


PLATFORMS = (
    _platform("eBay", "marketplace", False, "oauth"),
    _platform("Discogs", "marketplace", False, "oauth"),
    _platform("Etsy", "marketplace", True, "oauth"),
    _platform("Shopify", "storefront", True, "oauth"),
    _platform("Reverb", "marketplace", False, "api_key"),
    _platform("Bandcamp", "marketplace", True, "oauth"),
    _platform("Redbubble", "print_on_demand", True, None),
    _platform("TeePublic", "print_on_demand", True, None),
    _platform("Society6", "print_on_demand", True, None),
)

PLATFORM: Mapping[str, Platform] = {platform.uid: platform for platform in PLATFORMS}
