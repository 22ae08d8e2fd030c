"""What a client may say of a connection: the forms of create and revise, and what opens an account of each platform."""

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import Struct

from domain.fields import NO_NUL_NOT_BLANK, REQUIRED, Boolean, Field, FieldError, Schema, Text, json_type
from domain.form import Form
from domain.number_fields import Whole
from domain.platforms import PLATFORM
from domain.reference_fields import KnownReference

READ_ONLY = frozenset(
    {"uid", "platform", "status", "reason", "has_credentials", "capabilities", "tested_at", "created", "updated"}
)
NO_CONNECTION = "has no API connection: its listings are kept by hand."
NO_CONNECTOR = "cannot be connected yet."
_SECRET = Text(max_length=8000, blank=False)


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a platform's API lets us do. A manual platform's lets us do nothing."""

    read_listings: bool = False
    write_prices: bool = False
    end_listings: bool = False
    read_orders: bool = False
    authorize: bool = False


MANUAL = Capabilities()
CAPABILITIES: Mapping[str, Capabilities] = {
    "plat_ebay": Capabilities(
        read_listings=True, write_prices=True, end_listings=True, read_orders=True, authorize=True
    ),
    "plat_discogs": Capabilities(
        read_listings=True, write_prices=True, end_listings=True, read_orders=True, authorize=True
    ),
}
"""Those that there is a connector of. `authorize`: the seller consents on the platform's own page."""
SECRETS: Mapping[str, str] = {"plat_ebay": "refresh_token", "plat_discogs": "token"}
"""What opens an account, by platform."""


class Credentials(Field, frozen=True, kw_only=True):
    """What opens an account: an object with the one text that its platform wants."""

    KIND: ClassVar[str] = "object"

    def convert(self, raw: Any) -> dict[str, str]:
        if not isinstance(raw, dict):
            raise FieldError(f'Expected a dictionary of items but got type "{json_type(raw)}".')
        given: dict[str, str] = {}
        errors: dict[str, Any] = {}
        for name in SECRETS.values():
            if name in raw:
                try:
                    given[name] = _SECRET.parse(raw[name])
                except FieldError as error:
                    errors[name] = error.messages
        if errors:
            raise FieldError(items=errors)
        return given

    def keywords(self) -> Schema:
        secret = {"type": "string", "maxLength": _SECRET.max_length, "pattern": NO_NUL_NOT_BLANK}
        return {"properties": dict.fromkeys(SECRETS.values(), secret), "writeOnly": True}


def credential_errors(platform_uid: str, credentials: Mapping[str, str]) -> dict[str, Any]:
    """Return what is wrong with credentials for this platform, by field."""
    wanted = SECRETS.get(platform_uid)
    if wanted is None or wanted in credentials:
        return {}
    return {"credentials": {wanted: [REQUIRED]}}


def platform_errors(platform_uid: str) -> dict[str, Any]:
    """Return why a platform cannot be connected, by field."""
    platform = PLATFORM[platform_uid]
    if platform_uid in CAPABILITIES:
        return {}
    return {"platform_uid": [f"{platform.name} {NO_CONNECTOR if platform.supports_api_connection else NO_CONNECTION}"]}


_SETTINGS: dict[str, Field] = {
    "name": Text(nullable=True, max_length=255, description="What tells it apart for people.", example="Main shop"),
    "credentials": Credentials(
        description="What opens the account where the seller does not consent at `authorize`: `token` of Discogs (a"
        " personal one), `refresh_token` of eBay. Kept sealed and never shown.",
        example={"token": "abcdefghijklmnop"},
    ),
    "interval_minutes": Whole(
        minimum=5, maximum=10_080, description="How often each listing is looked at.", example=60
    ),
    "push_prices": Boolean(description="Prices that are set here go there.", example=True),
    "auto_delist": Boolean(description="What is sold elsewhere, or marked as sold here, ends there.", example=True),
    "markup_percent": Whole(
        minimum=0, maximum=500, description="What is added to a price on its way there, in percent.", example=10
    ),
}
_PLATFORM = KnownReference(
    required=True, known=PLATFORM, description="Write-only. The platform.", example="plat_discogs"
)
CREATE = Form(
    fields={"platform_uid": _PLATFORM, **_SETTINGS},
    read_only=READ_ONLY,
    defaults={"interval_minutes": 60, "push_prices": False, "auto_delist": False, "markup_percent": 0},
)
REVISE = Form(fields=_SETTINGS, read_only=READ_ONLY | {"platform_uid"}, partial=True)
