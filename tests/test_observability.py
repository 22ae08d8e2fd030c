import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from commands.logs import configure
from commands.settings import Settings
from domain.ids import API_KEY, ORGANIZATION, uid
from tests.clients import PRODUCTS, Key, create, serving

pytestmark = pytest.mark.anyio


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


async def test_a_request_is_one_line_that_says_who_what_and_how_long(
    plain_settings: Settings, key: Key, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = replace(plain_settings, log_format="json", log_level="info")
    async with serving(settings, key.text) as client:
        product = await create(client, title="Secret title")
        await client.get(f"{PRODUCTS}{product['uid']}/?search=hidden", headers={"X-Request-Id": "r-1"})
        await client.get("/healthz")
    found = [line for line in lines(capfd.readouterr().err) if line["event"] == "request"]
    assert [line["status"] for line in found] == [201, 200]
    read = found[1]
    assert read["request_id"] == "r-1"
    assert read["route"] == "/api/v1/products/{uid}"
    assert read["uid"] == product["uid"]
    assert read["key"] == uid(API_KEY, key.id)
    assert read["organization"] == uid(ORGANIZATION, key.organization)
    assert read["duration_ms"] > 0
    assert read["size_bytes"] > 500


async def test_no_log_holds_a_key_an_address_or_what_a_client_wrote(
    plain_settings: Settings, key: Key, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = "dw_" + "w" * 43
    settings = replace(plain_settings, log_format="json", log_level="debug")
    async with serving(settings, key.text) as client:
        made = (await client.post("/api/v1/api-keys/", json={"name": "hidden name"})).json()
        await client.get(PRODUCTS, headers={"Authorization": f"Bearer {wrong}"})
        await client.get(f"/{key.text}")
        await client.get(f"{PRODUCTS}?search=buyer@example.com&key={key.text}")
        await client.post(PRODUCTS, json={"title": "hidden title"}, headers={"Idempotency-Key": "hidden-twin"})
        await client.post(f"/api/v1/api-keys/{made['uid']}/rotate/")
        client._transport.app.state.services = None  # type: ignore[attr-defined]
        await client.get(PRODUCTS)
    text = capfd.readouterr().err
    assert text.count('"event"') >= 7
    for secret in (key.text, wrong, made["key"], "buyer@example.com", "hidden", "127.0.0.1", "testserver"):
        assert secret not in text, secret


async def test_errors_of_libraries_are_logged_in_the_same_form(capfd: pytest.CaptureFixture[str]) -> None:
    import logging

    configure("json", "info")
    error = ValueError("first line\nKey (email)=(buyer@example.com) already exists.")
    logging.getLogger("library").error("failed", exc_info=error)
    [line] = lines(capfd.readouterr().err)
    assert (line["event"], line["level"], line["reason"]) == ("failed", "error", "first line")
    assert "buyer" not in json.dumps(line)


async def test_metrics_count_by_route_not_by_path(api: httpx.AsyncClient) -> None:
    product = await create(api)
    for _ in range(3):
        await api.get(f"{PRODUCTS}{product['uid']}/")
    await api.get("/nowhere/at/all")
    response = await api.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    text = response.text
    assert product["uid"] not in text
    assert "/nowhere" not in text
    found = re.search(
        r'deadwax_http_requests_total\{method="GET",route="/api/v1/products/\{uid\}",status="200"\} (\S+)', text
    )
    assert found
    assert float(found[1]) >= 3
    assert 'deadwax_http_request_seconds_bucket{le="0.005",method="GET",route="/api/v1/products/{uid}"}' in text


def test_processes_of_one_server_count_together(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    script = (
        "import sys; from api.metrics import metrics, share_metrics; share_metrics(int(sys.argv[1]));"
        "metrics().observe('GET', '/x', 200, 0.01); print(metrics().exposition().decode())"
    )
    run = [sys.executable, "-c", script, str(os.getpid())]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    (tmp_path / "deadwax-metrics-99999999").mkdir()
    outputs = [
        subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout for _ in range(3)
    ]
    assert 'deadwax_http_requests_total{method="GET",route="/x",status="200"} 3.0' in outputs[-1]
    assert [folder.name for folder in tmp_path.iterdir()] == [f"deadwax-metrics-{os.getpid()}"]


async def test_the_process_and_what_it_needs_are_asked_for_without_a_key(api: httpx.AsyncClient) -> None:
    del api.headers["Authorization"]
    assert (await api.get("/healthz")).json() == {"status": "ok"}
    ready = await api.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "checks": {"database": "ok", "rate_limits": "off", "streams": "ok"}}
