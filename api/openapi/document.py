"""The OpenAPI 3.1 document: what the handlers declare, put together."""

from collections.abc import Iterable
from typing import Any

from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.routes.base import BaseRoute

from api.openapi import operation as declared
from api.openapi.operation import Answered, Body, Operation, Parameter, Schema
from api.openapi.schemas import components
from api.openapi.shapes import ref

VERSION = "0.1.0"
PATH = "/schema/openapi.json"
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
_HEADERS: dict[str, Schema] = {
    "X-Request-Id": {
        "description": "The request's id: yours where you sent one. It is the correlation id of its events.",
        "schema": {"type": "string"},
    },
    "ETag": {"description": "The object's entity tag, for If-None-Match and If-Match.", "schema": {"type": "string"}},
    "Cache-Control": {"description": "How long it may be kept.", "schema": {"type": "string"}},
    "Location": {"description": "Where the new object is.", "schema": {"type": "string"}},
    "Content-Range": {"description": "Which bytes these are, of how many.", "schema": {"type": "string"}},
    "Accept-Ranges": {"description": "`bytes`: parts of it can be asked for.", "schema": {"type": "string"}},
    "Content-Disposition": {"description": "The name to keep it under.", "schema": {"type": "string"}},
    "Last-Modified": {"description": "When it was sold.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true` where this is the first answer once more.",
        "schema": {"type": "string"},
    },
}
_HTML: Schema = {"text/html": {"schema": {"type": "string"}}}
_PROBLEM_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_DESCRIPTION = """The catalogue of record sellers and digital creators.

Send your key as `Authorization: Bearer KEY` (or `X-API-Key: KEY`). Everything is JSON in UTF-8; amounts are
strings with two places, times are UTC. Paths work with and without the slash at their end. `X-Request-Id` is echoed,
or made."""
TAGS = {
    "Products": "Catalogue entries: an album, a sample pack.",
    "Inventory": "The copies of products, one by one.",
    "Marketplace presences": "Where products are represented.",
    "Digital assets": "The files that buyers of digital products download.",
    "Digital fulfillment": "What was sold of products' files, and the mails that lead buyers to them.",
    "Public download": "What a buyer reaches with the link from the mail. No key is needed: the link is the secret.",
    "Marketplace connections": "Accounts on marketplaces, which workers read and write.",
    "Media": "Pictures, where answers say they are.",
    "Imports": "Whole files of products, read by a worker.",
    "Reference": "Values that fields choose from.",
    "API keys": "Who may do what. These need the scope `admin`.",
    "Audit": "Who did what, and what was before. The feed needs the scope `admin`.",
    "Operations": "For whoever runs this deployment.",
}


def operations(routes: Iterable[BaseRoute]) -> dict[str, dict[str, Operation]]:
    """Return what is declared, by path (as documented) and lower-case method."""
    found: dict[str, dict[str, Operation]] = {}
    for route in routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            operation = handler.opt.get("operation")
            if isinstance(operation, Operation):
                found.setdefault(_documented(route.path_format), {})[_method(handler)] = operation
    return found


def document(routes: Iterable[BaseRoute], server_url: str = "/") -> dict[str, Any]:
    """Return the whole document as plain values."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Deadwax",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server_url}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": {
            path: {method: _operation(operation) for method, operation in methods.items()}
            for path, methods in operations(routes).items()
        },
        "components": {
            "schemas": components(),
            "headers": _HEADERS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, `dw_…`."},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _documented(path: str) -> str:
    return f"{path}/" if path.startswith("/api/") else path


def _method(handler: HTTPRouteHandler) -> str:
    [method] = handler.http_methods
    return method.lower()


def _operation(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "security": [] if operation.is_public else _SECURITY,
    }
    if operation.description:
        made["description"] = operation.description
    if operation.parameters:
        made["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body is not None:
        made["requestBody"] = _body(operation.body)
    statuses = set(operation.problems)
    statuses.update(declared.PUBLIC_PROBLEMS if operation.is_public else declared.COMMON_PROBLEMS)
    if operation.body is not None:
        statuses.update(declared.BODY_PROBLEMS)
    made["responses"] = {
        **{str(status): _answer(answer) for status, answer in operation.answers.items()},
        **{str(status): _page(status, text) for status, text in operation.pages.items()},
        **{
            str(status): _problem(status)
            for status in sorted(statuses - operation.answers.keys() - operation.pages.keys())
        },
    }
    return made


def _body(body: Body) -> dict[str, Any]:
    content = {"schema": ref(body.schema), "examples": {"example": {"value": body.example}}}
    if body.files:
        content["encoding"] = {name: {"contentType": media_type} for name, media_type in body.files.items()}
    return {"required": body.required, "content": {body.media_type: content}}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    made = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.description,
        "schema": parameter.schema,
    }
    if parameter.example is not None:
        made["example"] = parameter.example
    return made


def _headers(names: Iterable[str]) -> dict[str, Schema]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


def _answer(answer: Answered) -> dict[str, Any]:
    made: dict[str, Any] = {"description": answer.description, "headers": _headers(answer.headers)}
    if answer.schema is not None or answer.media_type != "application/json":
        content: dict[str, Any] = {"schema": ref(answer.schema) if answer.schema else {"type": "string"}}
        if answer.example is not None:
            content["examples"] = {"example": {"value": answer.example}}
        made["content"] = dict.fromkeys((answer.media_type, *answer.other_media_types), content)
    if answer.is_page:
        made["content"] = {**_HTML, **made.get("content", {})}
    if answer.links:
        made["links"] = {id: {"operationId": id, "parameters": {**at}} for id, at in answer.links.items()}
    return made


def _page(status: int, description: str) -> dict[str, Any]:
    """Return a refusal that is a page where a browser asks, and as short as any other for programs."""
    headers = {416: ("Content-Range",)}.get(status, _PROBLEM_HEADERS.get(status, ()))
    content = {**_HTML, "application/json": {"schema": ref("Problem")}}
    return {"description": description, "headers": _headers(headers), "content": content}


def _problem(status: int) -> dict[str, Any]:
    description, example = declared.PROBLEMS[status]
    content = {
        "schema": ref("Problems" if status == 400 else "Problem"),
        "examples": {"example": {"value": example}},
    }
    return {
        "description": description,
        "headers": _headers(_PROBLEM_HEADERS.get(status, ())),
        "content": {"application/json": content},
    }
