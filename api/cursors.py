"""?cursor: a place in one list with its filters and orders, spelled so that nobody builds on what is in it."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from api.errors import InvalidCursor
from api.requests import Query
from projections.inventory_page import InventoryQuery
from projections.keyset import Place
from projections.pages import Order
from projections.product_page import ProductQuery
from projections.purchase_page import PurchaseQuery

CURSOR = "cursor"
VERSION = 1
"""Raised when the same order sorts by something else."""

_LIST_BYTES = 6
_ALPHABET = b"-_"

Asked = TypeVar("Asked", ProductQuery, InventoryQuery, PurchaseQuery)


def walk_asked(query: Query, asked: Asked, orders: Mapping[str, Order]) -> Asked | None:
    """Return what is asked from the place on that the query's cursor names, an empty one the start; None where it has
    no cursor. Raises InvalidCursor for what is none, or one of another list."""
    if all(name != CURSOR for name, _, _ in query.parts):
        return None
    text = query.last(CURSOR)
    after = None if text is None else _place(text, asked, orders)
    return replace(asked, is_walk=True, after=after)


def spelled(asked: Asked, place: Place) -> str:
    """Return the cursor of a place in the list."""
    raw = _list(asked) + msgspec.msgpack.encode((*place.values, place.id))
    return b64encode(raw, _ALPHABET).rstrip(b"=").decode()


def _list(asked: Asked) -> bytes:
    """Return what tells the list apart, with its filters and orders, from every other one."""
    same = replace(asked, page=1, page_size=1, is_walk=False, after=None)
    told = msgspec.json.encode([VERSION, type(asked).__name__, same])
    return blake2b(told, digest_size=_LIST_BYTES).digest()


def _place(text: str, asked: Asked, orders: Mapping[str, Order]) -> Place:
    kinds: Any = (*(orders[name].kind | None for name in asked.ordering), UUID)
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), _ALPHABET, validate=True)
        *values, id = msgspec.msgpack.decode(raw[_LIST_BYTES:], type=tuple[kinds])
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidCursor from error
    place = Place(tuple(values), id)
    # One spelling each: it is also how a place of another list is told.
    if spelled(asked, place) != text:
        raise InvalidCursor
    return place
