"""The purchase object that the API answers with. Who bought, and the token of its link, are holes in what is stored."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from re import Match
from re import compile as pattern
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from domain import ids
from domain.purchase.events import SoldAsset
from domain.purchase.purchase import Purchase
from projections.documents import BASE_URL

EMAIL, NAME, TOKEN = "\x0e", "\x0f", "\x10"
"""Holes: the buyer's address and name as JSON, which the database fills, and a token, whose purchase's uid follows."""
DOWNLOAD_PATH = "/api/v1/digital/download"

_encode = msgspec.json.Encoder().encode
_TOKEN = pattern(rb"\x10(pur_[0-9a-v]{26})")


class Buyer(NamedTuple):
    """Who bought; both are None once erased."""

    email: str | None
    name: str | None


class SoldProduct(Struct, frozen=True):
    uid: str
    title: str | None
    type: str


class Email(Struct, frozen=True):
    status: str
    attempts: int
    last_error: str | None
    sent_at: datetime | None


class SoldFile(Struct, frozen=True):
    uid: str
    filename: str
    display_name: str | None
    content_type: str
    size: int


class PurchaseDocument(Struct, frozen=True, kw_only=True):
    uid: str
    product: SoldProduct
    buyer_email: Raw
    buyer_name: Raw
    external_order_id: str | None
    status: str
    email: Email
    download_url: Raw
    download_count: int
    max_downloads: int | None
    expires_at: datetime | None
    assets: Sequence[SoldFile]
    created: datetime
    updated: datetime


def purchase_document(purchase: Purchase) -> str:
    """Return the purchase object as JSON text with its holes."""
    uid = ids.uid(ids.PURCHASE, purchase.id)
    return _encode(
        PurchaseDocument(
            uid=uid,
            product=SoldProduct(ids.uid(ids.PRODUCT, purchase.product), purchase.title, purchase.type),
            buyer_email=Raw(EMAIL.encode()),
            buyer_name=Raw(NAME.encode()),
            external_order_id=purchase.external_order_id,
            status=purchase.status,
            email=Email(purchase.email_status, purchase.email_attempts, purchase.email_error, purchase.email_sent_at),
            download_url=Raw(f'"{BASE_URL}{DOWNLOAD_PATH}/{TOKEN}{uid}/"'.encode()),
            download_count=purchase.download_count,
            max_downloads=purchase.max_downloads,
            expires_at=purchase.expires_at,
            assets=sold_files(purchase.assets),
            created=purchase.created,
            updated=purchase.updated,
        )
    ).decode()


def sold_files(assets: Sequence[SoldAsset]) -> Sequence[SoldFile]:
    return [
        SoldFile(ids.uid(ids.ASSET, sold.id), sold.filename, sold.display_name, sold.content_type, sold.size_bytes)
        for sold in assets
    ]


def uid_of(document: str) -> str:
    """Return the uid of a stored document, which comes first in it."""
    return document.removeprefix('{"uid":"')[: len(ids.PURCHASE) + ids.BODY_CHARACTERS]


def with_buyer(document: str, buyer: Buyer) -> str:
    """Return one document with who bought, as the database does it for stored ones."""
    return document.replace(EMAIL, _json(buyer.email)).replace(NAME, _json(buyer.name))


def _json(text: str | None) -> str:
    return _encode(text).decode()


def fill_tokens(body: bytes, token_of: Callable[[UUID], str]) -> bytes:
    """Put the tokens into the links of one document, or of many in a row."""
    return _TOKEN.sub(partial(_token, token_of), body)


def _token(token_of: Callable[[UUID], str], found: Match[bytes]) -> bytes:
    id = ids.parse(ids.PURCHASE, found[1].decode())
    return token_of(id).encode() if id is not None else b""
