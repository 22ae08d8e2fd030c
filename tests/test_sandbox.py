import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from sandbox.clock import Clock
from sandbox.ebay import Ebay
from tests.marketplaces import START, Marketplace, discogs, ebay

BOTH = pytest.mark.parametrize("market", [ebay, discogs])
Market = Callable[[], AbstractContextManager[Marketplace]]


def read(market: Marketplace) -> httpx.Response:
    """Ask for something that costs a call and changes nothing."""
    if isinstance(market.vendor, Ebay):
        return market.client.get("/sell/fulfillment/v1/order")
    return market.client.get("/oauth/identity")


@BOTH
def test_every_answer_says_that_it_is_a_double(market: Market) -> None:
    with market() as there:
        assert read(there).headers["x-sandbox"] == there.vendor.name
        assert read(there).status_code == 200
        assert there.violations == {}


@BOTH
def test_a_status_on_demand_does_nothing_and_is_over_after_so_many_times(market: Market) -> None:
    with market() as there:
        there.admin("faults", kind="status", status=429, retry_after=7, times=2)
        first, second, third = read(there), read(there), read(there)
        assert [first.status_code, second.status_code, third.status_code] == [429, 429, 200]
        assert first.headers["retry-after"] == "7"
        # What was asked for on purpose is nobody's violation.
        assert there.violations == {}
        there.admin("faults", kind="status", status=503)
        assert there.client.delete("/_sandbox/faults").json()["faults"] == []
        assert read(there).status_code == 200


@BOTH
def test_a_page_on_demand_is_html(market: Market) -> None:
    with market() as there:
        there.admin("faults", kind="html")
        found = read(there)
        assert found.status_code == 403
        assert found.headers["content-type"].startswith("text/html")


@BOTH
def test_half_an_answer_on_demand_is_no_json(market: Market) -> None:
    with market() as there:
        there.admin("faults", kind="garbled")
        found = read(there)
        assert found.status_code == 200
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            found.json()


@BOTH
def test_a_fault_can_be_for_one_method_and_path(market: Market) -> None:
    with market() as there:
        there.admin("faults", kind="status", method="DELETE", path="/elsewhere")
        assert read(there).status_code == 200


@BOTH
def test_a_slow_answer_outlasts_whoever_is_in_a_hurry(market: Market) -> None:
    with market() as there:
        there.admin("faults", kind="slow", seconds=1.0)
        there.client.timeout = httpx.Timeout(0.2)
        with pytest.raises(httpx.ReadTimeout):
            read(there)


@BOTH
def test_an_unknown_deed_or_fault_is_refused_and_says_what_there_is(market: Market) -> None:
    with market() as there:
        assert there.client.post("/_sandbox/dance").status_code == 404
        refused = there.client.post("/_sandbox/faults", json={"kind": "earthquake"})
        assert refused.status_code == 400
        assert "lost" in refused.json()["error"]


@BOTH
def test_the_clock_stands_until_it_is_moved(market: Market) -> None:
    with market() as there:
        before = there.client.get("/_sandbox/").json()["now"]
        assert there.admin("clock", seconds=90)["now"] == "2026-01-02T10:01:30.000Z"
        assert before == "2026-01-02T10:00:00.000Z"


def test_a_clock_without_a_start_goes() -> None:
    clock = Clock()
    first = clock.now()
    time.sleep(0.01)
    assert clock.now() > first > START


def test_the_command_starts_both_and_says_how_to_connect(tmp_path: Path) -> None:
    for port in (8181, 8182):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"port {port} is taken")
    output = tmp_path / "output"
    command = [sys.executable, "-I", "-m", "api.cli", "sandbox"]
    with output.open("w") as to:
        process = subprocess.Popen(command, stdout=to, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 20
        while "_sandbox/state" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        said = output.read_text()
        for url, name in (("http://127.0.0.1:8181", "ebay"), ("http://127.0.0.1:8182", "discogs")):
            assert url in said
            assert httpx.get(f"{url}/_sandbox/").json()["sandbox"] == name
        assert "discogs-token" in said
        process.terminate()
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()
