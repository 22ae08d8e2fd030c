"""The OpenAPI document against a running server: requests made from it, answers held to it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from commands.settings import Settings
from domain import ids
from tests.clients import INVENTORY, PRODUCTS, Key, end_uploads, make_key
from tests.selling import bus_of, sold
from tests.server import running

# What a schema cannot say of any request: an Idempotency-Key is for one, an If-Match is for what is there now.
TAKEN = ["2xx", "3xx", "401", "403", "404", "409", "412", "422", "429"]
# How a marketplace's own requests are refused: a body that is not signed is not read.
REFUSED = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422", "428", "429", "5xx"]
# What it cannot say of these: a file has a byte at least and a column is named once; a picture is one; a product that
# is referred to has to be there; what has been shipped does not become a draft; one listing is there once; an asset
# that is primary stays it; a name is more than a path; an upload is complete when its parts are there; what is sold has
# files, an address has a domain that there can be; a revoked purchase is not mailed; a moment has come; a marketplace
# sends back those alone who were sent there.
MAY_REFUSE = {
    "POST /api/v1/imports/",
    "POST /api/v1/products/{uid}/image/",
    "POST /api/v1/inventory/{uid}/assets/",
    "POST /api/v1/products/{uid}/digital-assets/",
    "POST /api/v1/products/{uid}/digital-assets/uploads/",
    "POST /api/v1/products/{uid}/digital-assets/uploads/{upload_uid}/complete/",
    "PATCH /api/v1/digital/assets/{uid}/",
    "POST /api/v1/inventory/",
    "PATCH /api/v1/inventory/{uid}/",
    "POST /api/v1/products/{uid}/marketplace-presences/",
    "PATCH /api/v1/products/{uid}/marketplace-presences/{id}/",
    "POST /api/v1/digital/fulfill/",
    "POST /api/v1/marketplace-connections/",
    "GET /api/v1/marketplace-connections/callback/",
    "POST /api/v1/digital/purchases/{uid}/resend-email/",
    "GET /api/v1/products/",
    "GET /api/v1/products/{uid}/",
    "GET /api/v1/inventory/{uid}/",
    "GET /api/v1/products/{uid}/marketplace-presences/{id}/",
}
EVERYTHING_BUT_KEYS = "--exclude-path-regex=/api-keys/"
# The stream has no end, and is tested by itself.
OF_ADMINISTRATORS = "--include-path-regex=/(api-keys|audit/events|audit/events/export)/$"


@pytest.fixture
def port(plain_settings: Settings, tmp_path: Path) -> Iterator[int]:
    log = tmp_path / "api.log"
    with running(plain_settings, log) as port:
        yield port
    end_uploads(plain_settings)
    assert "unexpected error" not in log.read_text()


def there(port: int, key: str, purchase: str) -> dict[str, dict[str, str]]:
    """Make one object of each kind; return the parameters of the operations that find it. What deletes finds none."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        product = client.post(PRODUCTS, json={"title": "Abbey Road"}).json()["uid"]
        item = client.post(INVENTORY, json={"product_uid": product}).json()["uid"]
        presences = f"{PRODUCTS}{product}/marketplace-presences/"
        assets = f"{PRODUCTS}{product}/digital-assets/"
        asset = client.post(assets, files={"file": ("a.zip", b"PK")}).json()["uid"]
        upload = client.post(f"{assets}uploads/", json={"filename": "a.zip", "size": 5}).json()["uid"]
        number = str(client.post(presences, json={"platform_uid": "plat_ebay"}).json()["id"])
    found = {
        "/api/v1/products/{uid}/": ("GET PATCH", {"path.uid": product}),
        "/api/v1/products/{uid}/image/": ("POST", {"path.uid": product}),
        "/api/v1/products/{uid}/digital-assets/": ("GET POST", {"path.uid": product}),
        "/api/v1/products/{uid}/digital-assets/uploads/": ("POST", {"path.uid": product}),
        "/api/v1/products/{uid}/digital-assets/uploads/{upload_uid}/": (
            "GET",
            {"path.uid": product, "path.upload_uid": upload},
        ),
        "/api/v1/products/{uid}/digital-assets/uploads/{upload_uid}/complete/": (
            "POST",
            {"path.uid": product, "path.upload_uid": upload},
        ),
        "/api/v1/digital/assets/{uid}/": ("GET PATCH", {"path.uid": asset}),
        "/api/v1/inventory/{uid}/": ("GET PATCH", {"path.uid": item}),
        "/api/v1/inventory/{uid}/assets/": ("GET POST", {"path.uid": item}),
        "/api/v1/products/{uid}/marketplace-presences/": ("GET POST", {"path.uid": product}),
        "/api/v1/digital/purchases/{uid}/": ("GET", {"path.uid": purchase}),
        "/api/v1/digital/purchases/{uid}/resend-email/": ("POST", {"path.uid": purchase}),
        "/api/v1/digital/purchases/{uid}/revoke/": ("POST", {"path.uid": purchase}),
        "/api/v1/digital/purchases/{uid}/restore/": ("POST", {"path.uid": purchase}),
        "/api/v1/products/{uid}/marketplace-presences/{id}/": ("GET PATCH", {"path.uid": product, "path.id": number}),
        "/api/v1/products/{uid}/history/": ("GET", {"path.uid": product}),
        "/api/v1/inventory/{uid}/history/": ("GET", {"path.uid": item}),
        "/api/v1/products/{uid}/marketplace-presences/{id}/history/": (
            "GET",
            {"path.uid": product, "path.id": number},
        ),
    }
    return {f"{method} {path}": at for path, (methods, at) in found.items() for method in methods.split()}


def notified(port: int, key: str) -> dict[str, dict[str, str]]:
    """Make a connection, which takes an administrator; return the parameters of what marketplaces themselves call."""
    url = f"http://127.0.0.1:{port}/api/v1/marketplace-connections/"
    made = httpx.post(url, json={"platform_uid": "plat_ebay"}, headers={"Authorization": f"Bearer {key}"}).json()
    path = "/api/v1/marketplace-connections/{uid}/notifications/"
    return {f"{method} {path}": {"path.uid": made["uid"]} for method in ("GET", "POST")}


def configuration(parameters: dict[str, dict[str, str]]) -> str:
    lines = ["[checks.positive_data_acceptance]", f"expected-statuses = {TAKEN}"]
    for operation in sorted(parameters.keys() | MAY_REFUSE):
        lines += ["[[operations]]", f"include-name = {json.dumps(operation)}"]
        if operation in parameters:
            values = ", ".join(f"{json.dumps(name)} = {json.dumps(at)}" for name, at in parameters[operation].items())
            lines.append(f"parameters = {{ {values} }}")
        if operation.endswith("/notifications/"):
            lines += ["[operations.checks.negative_data_rejection]", f"expected-statuses = {REFUSED}"]
        if operation in MAY_REFUSE:
            lines += ["[operations.checks.positive_data_acceptance]", f"expected-statuses = {[*TAKEN, '400']}"]
    return "\n".join(lines)


def schemathesis(folder: Path, port: int, key: str, seconds: int, *arguments: str) -> int:
    """Run it for so long at most; return how many requests it made. Every check is on."""
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "--config-file=schemathesis.toml",
        "run",
        f"http://127.0.0.1:{port}/schema/openapi.json",
        f"--header=Authorization: Bearer {key}",
        "--checks=all",
        "--seed=1",
        "--no-color",
        "--no-shrink",
        "--continue-on-failure",
        "--generation-database=none",
        f"--max-time={seconds}",
        *arguments,
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCHEMATHESIS")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    return sum(map(int, re.findall(r"(\d+) generated", done.stdout)))


def test_answers_are_what_the_document_says(port: int, key: Key, database_url: str, tmp_path: Path) -> None:
    # Without admin: with it, a run finds its own key in the list and ends it.
    with bus_of(database_url) as bus:
        purchase = ids.uid(ids.PURCHASE, sold(bus, key.organization))
    careful = make_key(database_url, scopes=("read", "write"), of=key.organization).text
    parameters = {**there(port, careful, purchase), **notified(port, key.text)}
    (tmp_path / "schemathesis.toml").write_text(configuration(parameters))
    phases = "--phases=examples,coverage,fuzzing"
    made = schemathesis(tmp_path, port, careful, 18, phases, EVERYTHING_BUT_KEYS, "--max-examples=5")
    made += schemathesis(tmp_path, port, careful, 4, "--phases=stateful", EVERYTHING_BUT_KEYS, "--max-examples=5")
    made += schemathesis(tmp_path, port, key.text, 4, "--phases=examples", OF_ADMINISTRATORS)
    assert made > 100
