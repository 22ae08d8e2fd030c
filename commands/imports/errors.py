from collections.abc import Mapping
from typing import Any

from domain.errors import DeadwaxError


class UnreadableFile(DeadwaxError):
    """The file cannot be imported. The message is one line for the person who gave it."""


class Refusal(Exception):
    """Why one row cannot be imported, for the person who repairs it."""


def explain(errors: Mapping[str, Any], field: str = "") -> str:
    """Write nested field errors as one line: "title: This field is required.; tags 1: …"."""
    lines = []
    for name, what in errors.items():
        path = f"{field} {name}".strip() if name != "non_field_errors" else field
        if isinstance(what, Mapping):
            lines.append(explain(what, path))
        else:
            lines.append(f"{path}: {' '.join(map(str, what))}" if path else " ".join(map(str, what)))
    return "; ".join(lines)
