"""A digital product with files, and what it takes to sell it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
from uuid_utils.compat import uuid7

from api.cli_database import opened_store
from commands.asset import CreateAsset
from commands.bus import Bus
from commands.product import CreateProduct
from commands.purchase import Fulfill
from commands.tokens import digest_of, download_token
from commands.work import Context
from domain import ids
from tests.conftest import SECRET

FULFILL, PURCHASES = "/api/v1/digital/fulfill/", "/api/v1/digital/purchases/"
BUYER = "buyer@example.com"


@contextmanager
def bus_of(database_url: str) -> Iterator[Bus]:
    with opened_store(database_url, pool_size=2) as store:
        yield Bus(store)


def digital_product(
    bus: Bus, organization: UUID, *filenames: str, title: str = "Drum Kit", type: str = "digital"
) -> str:
    """Make a product with a file of each name; return its uid."""
    context, id = Context(organization, "key_1", "request-1"), uuid7()
    bus.execute(CreateProduct(id=id, values={"title": title, "type": type}), context)
    for filename in filenames:
        add_asset(bus, context, id, filename)
    return ids.uid(ids.PRODUCT, id)


def add_asset(bus: Bus, context: Context, product: UUID, filename: str, **values: Any) -> UUID:
    id: UUID = uuid7()
    facts = {
        "filename": filename,
        "content_type": "application/zip",
        "size_bytes": 12,
        "sha256": "0" * 64,
        "blob": f"{context.organization}/assets/{id.hex}/file",
        **values,
    }
    bus.execute(CreateAsset(id=id, product=product, values=facts), context)
    return id


def sold(bus: Bus, organization: UUID, product: str | None = None, **fields: Any) -> UUID:
    """Sell a product, one of its own without; return the purchase's id."""
    id: UUID = uuid7()
    what = ids.parse(ids.PRODUCT, product or digital_product(bus, organization, "Kit.zip"))
    command = Fulfill(
        id=id,
        product=what,
        **{"email": BUYER, "token_digest": digest_of(download_token(SECRET, id)), **fields},
    )
    bus.execute(command, Context(organization, "key_1", "request-1"))
    return id


async def fulfill(api: httpx.AsyncClient, product: str, **fields: Any) -> dict[str, Any]:
    """Sell the product; return the purchase as answered."""
    response = await api.post(FULFILL, json={"product_uid": product, "buyer_email": BUYER, **fields})
    assert response.status_code in {200, 201}, response.text
    made: dict[str, Any] = response.json()
    return made
