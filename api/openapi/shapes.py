"""Schemas that others are made of."""

from api.openapi.operation import Schema

REF = "#/components/schemas/{name}"


def ref(name: str) -> Schema:
    return {"$ref": REF.format(name=name)}


def object_of(properties: dict[str, Schema]) -> Schema:
    """Return the schema of an object that always has all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def array_of(name: str) -> Schema:
    return {"type": "array", "items": ref(name)}


MONEY: Schema = {"type": ["string", "null"], "pattern": r"^[0-9]+\.[0-9]{2}$"}
URL: Schema = {"type": ["string", "null"], "format": "uri"}


def page_of(name: str) -> Schema:
    return object_of(
        {
            "count": {"type": "integer", "minimum": 0, "description": "How many there are on all pages."},
            "next": {**URL, "description": "Where the next page is."},
            "previous": {**URL, "description": "Where the page before is."},
            "results": array_of(name),
        }
    )
