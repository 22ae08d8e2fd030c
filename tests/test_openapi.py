from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from msgspec.structs import fields as fields_of
from schemathesis.specs.openapi.definitions import OPENAPI_31

from api.app import create_app
from api.openapi.bodies import FORMS
from api.openapi.document import document
from api.openapi.operation import Operation
from api.openapi.shapes import ref
from commands.settings import Settings
from domain.inventory import form as inventory
from domain.presence import form as presence
from domain.product import form as product
from projections.item_document import ItemDocument
from projections.presence_document import PresenceDocument
from projections.product_document import ProductDocument


@pytest.fixture(scope="module")
def app() -> Litestar:
    return create_app(Settings(log_level="error"))


@pytest.fixture(scope="module")
def spec(app: Litestar) -> dict[str, Any]:
    return document(app.routes)


def contents(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            bodies = {"body": operation["requestBody"]} if "requestBody" in operation else {}
            for name, holder in {**bodies, **operation["responses"]}.items():
                for media_type, content in holder.get("content", {}).items():
                    yield f"{method} {path} {name} {media_type}", content


def test_the_document_is_openapi_3_1(spec: dict[str, Any]) -> None:
    errors = list(jsonschema_rs.Draft202012Validator(OPENAPI_31).iter_errors(spec))
    assert not errors, errors[0]


def test_every_example_matches_its_schema(spec: dict[str, Any]) -> None:
    checked = 0
    for where, content in contents(spec):
        if "examples" not in content:
            continue
        schema = {**content["schema"], "components": spec["components"]}
        validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        errors = [error.message for error in validator.iter_errors(content["examples"]["example"]["value"])]
        assert not errors, (where, errors)
        checked += 1
    assert checked > 50


def test_every_example_of_a_parameter_matches_its_schema(spec: dict[str, Any]) -> None:
    for methods in spec["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if "example" in parameter:
                    assert jsonschema_rs.is_valid(parameter["schema"], parameter["example"]), parameter["name"]


@pytest.mark.parametrize("name", FORMS)
def test_the_examples_of_request_bodies_are_taken(spec: dict[str, Any], name: str) -> None:
    form = FORMS[name]
    assert not form.parse({name: field.example for name, field in form.fields.items()}, strict=True).errors
    bodies = [content for _, content in contents(spec) if content["schema"] == ref(name)]
    assert bodies
    for content in bodies:
        assert not form.parse(content["examples"]["example"]["value"], strict=True).errors


def test_every_handler_of_the_api_is_in_the_document(app: Litestar) -> None:
    missing = [
        f"{handler.http_methods} {route.path}"
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if "OPTIONS" not in handler.http_methods and not isinstance(handler.opt.get("operation"), Operation)
    ]
    assert missing == ["{'GET'} /", "{'GET'} /schema/openapi.json", "{'GET'} /schema"]


def test_every_refusal_is_declared(spec: dict[str, Any]) -> None:
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            declared = set(operation["responses"])
            assert "500" in declared, (method, path)
            if operation["security"]:
                assert {"400", "401", "403", "429", "503"} <= declared, (method, path)
            if "requestBody" in operation:
                assert {"408", "413", "415"} <= declared, (method, path)


def test_pages_and_orders_are_free_strings_and_unknown_properties_are_allowed(spec: dict[str, Any]) -> None:
    parameters = {p["name"]: p["schema"] for p in spec["paths"]["/api/v1/products/"]["get"]["parameters"]}
    for name in ("page", "page_size", "ordering"):
        assert parameters[name] == {"type": "string"}
    for schema in spec["components"]["schemas"].values():
        assert schema.get("additionalProperties") is not False


@pytest.mark.parametrize(
    ("document", "form", "fixed"),
    [(ProductDocument, product, "type"), (ItemDocument, inventory, "product_uid"), (PresenceDocument, presence, "")],
)
def test_every_field_is_either_written_or_read_only(document: Any, form: Any, fixed: str) -> None:
    shown = {field.name for field in fields_of(document)}
    assert shown - form.CREATE.fields.keys() == form.READ_ONLY
    assert form.REVISE.fields.keys() == form.CREATE.fields.keys() - {fixed}


def test_every_link_leads_to_an_operation_and_gives_its_path(spec: dict[str, Any]) -> None:
    operations = {o["operationId"]: o for methods in spec["paths"].values() for o in methods.values()}
    links = [
        link
        for operation in operations.values()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert len(links) > 10
    for link in links:
        parameters = operations[link["operationId"]]["parameters"]
        assert link["parameters"].keys() == {p["name"] for p in parameters if p["in"] == "path"}, link


@pytest.mark.anyio
async def test_document_and_reference_need_no_key_and_nothing_from_elsewhere(api: httpx.AsyncClient) -> None:
    del api.headers["Authorization"]
    found = await api.get("/schema/openapi.json")
    assert found.json()["openapi"] == "3.1.0"
    same = await api.get("/schema/openapi.json", headers={"If-None-Match": found.headers["etag"]})
    assert same.status_code == 304
    page = await api.get("/schema")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in page.text
    assert "<link" not in page.text
    assert "url(" not in page.text
    for methods in found.json()["paths"].values():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page.text
    assert (await api.get("/")).json()["documentation"] == "/schema"
