"""What /api/v1/exchange-rates/ promises."""

from api.openapi.operation import IF_NONE_MATCH, NOT_MODIFIED, Answered, Operation, Schema
from api.openapi.shapes import array_of, object_of

_RATE: Schema = object_of(
    {
        "currency": {"type": "string", "description": "Currency code (ISO 4217)."},
        "per_base": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "description": "Units for one of the base."},
        "date": {"type": "string", "format": "date", "description": "The rate's day."},
        "is_stale": {"type": "boolean", "description": "It is too old for a price to be told by it."},
    }
)
_RATES: Schema = object_of(
    {
        "base": {"type": "string"},
        "date": {"type": ["string", "null"], "format": "date", "description": "The newest day; null without rates."},
        "is_stale": {"type": "boolean", "description": "No price is told in USD by rates this old, or there are none."},
        "max_age_days": {"type": "integer", "minimum": 1},
        "source": {"type": ["string", "null"], "description": "Where the newest were fetched: `ecb`, `frankfurter`."},
        "fetched_at": {"type": ["string", "null"], "format": "date-time"},
        "error": {"type": ["string", "null"], "description": "Why the last attempt failed; null where it did not."},
        "rates": array_of("ExchangeRate"),
    }
)
SCHEMAS = {"ExchangeRate": _RATE, "ExchangeRates": _RATES}
_EXAMPLE = {
    "base": "EUR",
    "date": "2025-01-15",
    "is_stale": False,
    "max_age_days": 7,
    "source": "ecb",
    "fetched_at": "2025-01-15T16:05:00Z",
    "error": None,
    "rates": [{"currency": "USD", "per_base": "1.0300", "date": "2025-01-15", "is_stale": False}],
}

LIST = Operation(
    id="listExchangeRates",
    summary="Reference rates",
    tag="Reference",
    description="What prices in other currencies are told in USD by, fetched daily.",
    parameters=(IF_NONE_MATCH,),
    answers={
        200: Answered(
            description="The newest of each currency.", schema="ExchangeRates", example=_EXAMPLE, headers=("ETag",)
        ),
        304: NOT_MODIFIED,
    },
)
