"""Examples made by the code that answers, so that they are what is answered."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from api.answers import encode
from api.openapi.noun import BASE_URL
from domain.event import Stamp
from domain.organization.organization import ApiKey
from domain.product import product as products
from domain.product.events import Credit
from domain.product.form import CREATE, REVISE
from projections.documents import fill, product_document
from projections.organizations import key_document

_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
_ARTIST = UUID("5d1f8a3e-2c55-5f0e-8f4b-1f6a2f4b9a01")
_LABEL = UUID("0b2f8a3e-2c55-5f0e-8f4b-1f6a2f4b9a02")
_TIME = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)

PRODUCT_CREATE = {
    "title": "Abbey Road",
    "type": "physical",
    "artist_name": "The Beatles",
    "music_label_name": "Apple Records",
    "catalog_number": "PCS 7088",
    "formats": ["Vinyl"],
    "year": "1969",
    "marketplace_description": "Original 1969 UK pressing.",
    "tags": ["classic-rock", "uk-pressing"],
    "price_override_usd": "29.99",
}
PRODUCT_REVISE = {
    "title": "Abbey Road (Remastered)",
    "tags": ["classic-rock", "remastered"],
    "price_override_usd": "34.99",
}
API_KEY_CREATE = {"name": "Warehouse scanner", "scopes": ["read", "write"]}


def _product(*sent: tuple[Any, dict[str, Any]]) -> Any:
    values: dict[str, Any] = {}
    for form, body in sent:
        values |= form.parse(body).values
    for name, field, id in (("artist_name", "artist", _ARTIST), ("music_label_name", "music_label", _LABEL)):
        if name in values:
            values[field] = Credit(id, values.pop(name))
    event = products.create(_ID, values, Stamp(_TIME, _ID, "key_example", "example"))
    product = products.evolve(None, event)
    assert product is not None
    return msgspec.json.decode(fill(product_document(product), BASE_URL))


PRODUCT = _product((CREATE, PRODUCT_CREATE))
REVISED_PRODUCT = _product((CREATE, PRODUCT_CREATE), (REVISE, PRODUCT_REVISE))
NEW_API_KEY = msgspec.json.decode(
    encode(
        msgspec.structs.replace(
            key_document(
                ApiKey(
                    id=_ID,
                    organization=_ID,
                    version=1,
                    name="Warehouse scanner",
                    scopes=("read", "write"),
                    digest="",
                    prefix="dw_3vQx1",
                    created=_TIME,
                )
            ),
            key="dw_3vQx1…",
        )
    )
)
API_KEY = {name: value for name, value in NEW_API_KEY.items() if name != "key"}
IMPORT = {
    "uid": "imp_064g4neckjrkmf6epc10j6k0bc",
    "status": "done",
    "filename": "collection.csv",
    "size": 48213,
    "type": "physical",
    "map": {},
    "dry_run": False,
    "format": "discogs-collection",
    "encoding": "utf-8",
    "rows_total": 401,
    "rows_done": 401,
    "rows_created": 400,
    "rows_unchanged": 0,
    "rows_duplicate": 0,
    "rows_rejected": 1,
    "errors": [{"line": 17, "reason": "title: This field is required."}],
    "repeats": [],
    "rejects_url": f"{BASE_URL}/api/v1/imports/imp_064g4neckjrkmf6epc10j6k0bc/rejects/",
    "error": None,
    "created": "2025-01-15T10:30:00Z",
    "started": "2025-01-15T10:30:01Z",
    "finished": "2025-01-15T10:30:02Z",
}
