"""Reference data: platforms and the choices of fields."""

from typing import Any

from litestar import get

from api.answers import Answer, encode
from api.auth import admit
from api.conditional import tagged
from api.openapi import reference as declared
from api.requests import ApiRequest
from domain.choices import CHOICES
from domain.platforms import PLATFORMS

_PLATFORMS = encode(PLATFORMS)
_CHOICES = encode(
    {name: [{"value": value, "label": label} for value, label in choices.items()] for name, choices in CHOICES.items()}
)


@get("/api/v1/platforms", before_request=admit, scope="read", operation=declared.LIST_PLATFORMS)
async def list_platforms(request: ApiRequest) -> Answer:
    return tagged(request.scope, _PLATFORMS)


@get("/api/v1/choices", before_request=admit, scope="read", operation=declared.LIST_CHOICES)
async def list_choices(request: ApiRequest) -> Answer:
    return tagged(request.scope, _CHOICES)


HANDLERS: list[Any] = [list_platforms, list_choices]
