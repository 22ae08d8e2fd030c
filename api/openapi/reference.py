"""What platforms and choices promise."""

from typing import Any

import msgspec

from api.answers import encode
from api.openapi.operation import IF_NONE_MATCH, NOT_MODIFIED, Answered, Operation
from domain.platforms import PLATFORMS


def _all(id: str, what: str, description: str, schema: str, example: Any = None) -> Operation:
    found = Answered(description=description, schema=schema, example=example, headers=("ETag",))
    return Operation(
        id=id,
        summary=f"List {what}",
        tag="Reference",
        parameters=(IF_NONE_MATCH,),
        answers={200: found, 304: NOT_MODIFIED},
    )


_EXAMPLE = msgspec.json.decode(encode(PLATFORMS[:1]))

LIST_PLATFORMS = _all("listPlatforms", "platforms", "All platforms.", "PlatformList", _EXAMPLE)
LIST_CHOICES = _all("listChoices", "the choices of fields", "Every choice with its label, by field.", "Choices")
