"""The components of the OpenAPI document, put together."""

from api.openapi import connections, history, notifications, product_batch, rates
from api.openapi.bodies import bodies
from api.openapi.objects import objects
from api.openapi.operation import Schema
from api.openapi.shapes import array_of, object_of, ref
from domain.choices import CHOICES


def components() -> dict[str, Schema]:
    """Return every schema by name."""
    return {
        **objects(),
        **bodies(),
        **product_batch.schemas(),
        **history.schemas(),
        **rates.SCHEMAS,
        **connections.SCHEMAS,
        **notifications.SCHEMAS,
        **_REFERENCE,
        **_REFUSALS,
        **_DEPLOYMENT,
    }


_REFERENCE: dict[str, Schema] = {
    "Choice": object_of({"value": {"type": "string"}, "label": {"type": "string"}}),
    "Choices": object_of({name: array_of("Choice") for name in CHOICES}),
}
_REFUSALS: dict[str, Schema] = {
    "Problem": object_of({"detail": {"type": "string"}}),
    "Messages": {
        "anyOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": ref("Messages")},
        ],
        "description": "What is wrong with a field, or with a list's items by index.",
    },
    "Problems": {
        "anyOf": [ref("Problem"), {"type": "object", "additionalProperties": ref("Messages")}],
        "description": "What is wrong by field; `non_field_errors` is about no one field, `detail` about none.",
    },
}
_DEPLOYMENT: dict[str, Schema] = {
    "Health": object_of({"status": {"type": "string"}}),
    "Readiness": object_of(
        {"status": {"type": "string"}, "checks": {"type": "object", "additionalProperties": {"type": "string"}}}
    ),
}
