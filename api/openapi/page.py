"""The API reference as one HTML page, written from the document: no script, nothing from elsewhere."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any

Schema = Mapping[str, Any]
_CODE = re.compile(r"`([^`]+)`")
_FILES = {"text/csv": "collection.csv", "image/jpeg": "album-cover.jpg", "application/zip": "album.zip"}
_METHODS = ("get", "post", "put", "patch", "delete")


def reference_page(document: Mapping[str, Any], base_url: str) -> bytes:
    """Return the page; `base_url` leads the example commands."""
    style = files("api.openapi").joinpath("page.css").read_text()
    by_tag: dict[str, list[tuple[str, str, Schema]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                by_tag[methods[method]["tags"][0]].append((method, path, methods[method]))
    info = document["info"]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(info['title'])} API</title><style>{style}</style></head><body>",
        f'<nav aria-label="Operations"><a class="brand" href="#top"><span class="disc"></span>{escape(info["title"])}',
        f"<small>{escape(info['version'])}</small></a>",
    ]
    for tag, found in by_tag.items():
        parts.append(f"<h2>{escape(tag)}</h2><ul>")
        parts += [
            f'<li><a href="#{operation["operationId"]}">{_badge(method)}{escape(operation["summary"])}</a></li>'
            for method, _, operation in found
        ]
        parts.append("</ul>")
    parts.append('</nav><main id="top">')
    parts.append(f"<header><h1>{escape(info['title'])} API</h1>{_paragraphs(info['description'])}")
    parts.append('<p><a href="/schema/openapi.json">OpenAPI document</a></p></header>')
    for tag in document["tags"]:
        parts.append(f"<section><h2>{escape(tag['name'])}</h2><p>{_inline(tag['description'])}</p>")
        for method, path, operation in by_tag[tag["name"]]:
            parts += _operation(document, method, path, operation, base_url)
        parts.append("</section>")
    parts.append("</main></body></html>")
    return "".join(parts).encode()


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Schema, base_url: str) -> Iterator[str]:
    yield f'<article id="{operation["operationId"]}"><div class="text">'
    yield f'<h3><a href="#{operation["operationId"]}">{escape(operation["summary"])}</a></h3>'
    yield f"<p class=path>{_badge(method)}<code>{escape(path)}</code></p>"
    if "description" in operation:
        yield _paragraphs(operation["description"])
    if parameters := operation.get("parameters"):
        yield _table(
            "Parameters",
            [
                (p["name"], f"{_type(document, p['schema'])} · {p['in']}", p["required"], p.get("description", ""))
                for p in parameters
            ],
        )
    body = operation.get("requestBody")
    if body is not None:
        [(media_type, media)] = body["content"].items()
        schema = _resolve(document, media["schema"])
        yield _table(f"Body · {media_type}", _fields(document, schema))
    yield "<h4>Answers</h4><ul class=answers>"
    for status, answer in operation["responses"].items():
        yield f'<li><b class="s{status[0]}">{status}</b><span>{_inline(answer["description"])}</span></li>'
    yield "</ul>"
    for status, answer in operation["responses"].items():
        made: Schema = answer.get("content", {}).get("application/json", {})
        shown = _resolve(document, made.get("schema", {}))
        if status < "300" and "properties" in shown:
            fields = _fields(document, {"properties": shown["properties"]})
            yield f"<details><summary>Fields of the answer</summary>{_table('', fields)}</details>"
    yield "</div><div class=samples>"
    yield f"<pre tabindex=0><code>{escape(_command(method, path, operation, base_url))}</code></pre>"
    for status, answer in operation["responses"].items():
        content: Schema = next(iter(answer.get("content", {}).values()), {})
        if status < "300" and "examples" in content:
            value = json.dumps(content["examples"]["example"]["value"], indent=2, ensure_ascii=False)
            yield f"<p class=status>{status}</p><pre tabindex=0><code>{escape(value)}</code></pre>"
    yield "</div></article>"


def _command(method: str, path: str, operation: Schema, base_url: str) -> str:
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    lines = [f"curl {base_url}{path}"]
    if method != "get":
        lines[0] = lines[0].replace("curl ", f"curl -X {method.upper()} ")
    if operation["security"]:
        lines.append('-H "Authorization: Bearer $KEY"')
    body = operation.get("requestBody")
    if body is not None:
        [(media_type, content)] = body["content"].items()
        value = content["examples"]["example"]["value"]
        if media_type == "application/json":
            lines.append("-H 'Content-Type: application/json'")
            lines.append(f"-d '{json.dumps(value, indent=2, ensure_ascii=False)}'")
        else:
            lines += [
                f"-F {name}=@{_FILES[file['contentType'].partition(',')[0]]}"
                for name, file in content["encoding"].items()
            ]
    return " \\\n  ".join(lines)


def _fields(document: Mapping[str, Any], schema: Schema) -> list[tuple[str, str, bool, str]]:
    return [
        (name, _type(document, field), name in schema.get("required", ()), field.get("description", ""))
        for name, field in schema["properties"].items()
    ]


def _table(heading: str, rows: list[tuple[str, str, bool, str]]) -> str:
    body = "".join(
        f"<tr><td><code>{escape(name)}</code>{'<em>required</em>' if required else ''}</td>"
        f"<td><span class=type>{escape(kind)}</span> {_inline(text)}</td></tr>"
        for name, kind, required, text in rows
    )
    return f"{f'<h4>{escape(heading)}</h4>' if heading else ''}<table>{body}</table>"


def _resolve(document: Mapping[str, Any], schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _type(document: Mapping[str, Any], schema: Schema) -> str:
    """Return a schema in a few words."""
    schema = _resolve(document, schema)
    if "anyOf" in schema:
        kinds = dict.fromkeys(_type(document, kind) for kind in schema["anyOf"])
        return " or ".join(kinds)
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return " | ".join("null" if value is None else str(value) or '""' for value in schema["enum"])
    kind = schema.get("type", "any")
    text = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if "items" in schema:
        text = text.replace("array", f"array of {_type(document, schema['items'])}")
    if "maxLength" in schema:
        text = f"{text} ≤ {schema['maxLength']}"
    return text


def _badge(method: str) -> str:
    return f'<span class="method {method}">{method.upper()}</span>'


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n"))
