"""How eBay is spoken to: what a request says, and how it is refused."""

import json
from typing import Any

from sandbox.wire import Refusal, Request, answered


def error(id: int, message: str, domain: str = "ACCESS", category: str = "REQUEST") -> dict[str, Any]:
    return {"errorId": id, "domain": domain, "category": category, "message": message, "longMessage": message}


def refused(status: int, id: int, message: str, violation: str | None = None, domain: str = "ACCESS") -> Refusal:
    return Refusal(answered({"errors": [error(id, message, domain)]}, status), violation)


def said(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise refused(415, 25709, "Invalid value for header Content-Type.", "content_type", "API_INVENTORY")
    try:
        said = json.loads(request.body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise refused(400, 25709, "The body is no JSON object.", "body", "API_INVENTORY")
    return said


def number(request: Request, name: str, default: int) -> int:
    text = request.parameter(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise refused(400, 25709, f"Invalid value for {name}.", "parameter", "API_INVENTORY")
    return int(text)
