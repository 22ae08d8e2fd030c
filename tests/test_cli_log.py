import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.bus import Bus
from commands.settings import Settings, declared
from commands.store import Store
from domain.ids import PRODUCT, uid
from projections.inline import inline_projections
from tests.clients import Key, make_key
from tests.shop import Shop

Done = subprocess.CompletedProcess[str]


def environment(settings: Settings) -> dict[str, str]:
    found = dict(os.environ)
    for name, (_, setting) in declared().items():
        value = getattr(settings, name)
        found[setting.variable] = ",".join(value) if isinstance(value, tuple) else str(value)
    return found


def deadwax(settings: Settings, *arguments: str) -> Done:
    command = [sys.executable, "-m", "api.cli", "log", *arguments]
    return subprocess.run(command, env=environment(settings), capture_output=True, text=True, check=False)


def lines(done: Done) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def shop(database_url: str, key: Key) -> Iterator[Shop]:
    store = Store(database_url, inline_projections(), pool_size=1)
    yield Shop(Bus(store), key.organization)
    store.close()


def test_show_tells_what_happened_to_one_or_to_all(
    plain_settings: Settings, shop: Shop, key: Key, database_url: str
) -> None:
    id = shop.product(title="Abbey Road", type="physical")
    shop.revise(id, title="Help!")
    make_key(database_url, name="Other")
    everything = lines(deadwax(plain_settings, "show", "--json"))
    assert [event["event"] for event in everything] == [
        "organization.created",
        "api-key.created",
        "product.created",
        "product.revised",
        "organization.created",
        "api-key.created",
    ]
    assert "digest" not in str(everything)
    own = lines(deadwax(plain_settings, "show", "--json", "--organization", "abbey"))
    assert own == everything[:4]
    of_product = deadwax(plain_settings, "show", "--object", uid(PRODUCT, id))
    first, second = of_product.stdout.splitlines()
    assert "product.created" in first
    assert second.endswith('{"title":"Help!"}')
    newest = lines(deadwax(plain_settings, "show", "--json", "-n", "2"))
    assert newest == everything[-2:]
    start = everything[2]
    for since in (str(start["position"]), start["time"]):
        assert lines(deadwax(plain_settings, "show", "--json", "--from", since))[0] == start
        assert lines(deadwax(plain_settings, "show", "--json", "--to", since))[-1] == start
    wrong = deadwax(plain_settings, "show", "--from", "yesterday")
    assert (wrong.returncode, "yesterday" in wrong.stderr) == (2, True)
    assert deadwax(plain_settings, "show", "--object", "x").returncode == 2


def test_tail_goes_on_with_what_comes(plain_settings: Settings, shop: Shop) -> None:
    shop.product(title="Before", type="physical")
    assert len(lines(deadwax(plain_settings, "tail", "--json", "-n", "1"))) == 1
    command = [sys.executable, "-m", "api.cli", "log", "tail", "-f", "--json", "-n", "1"]
    process = subprocess.Popen(command, env=environment(plain_settings), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["data"]["title"] == "Before"
        for title in ("One", "Two", "Three"):
            shop.product(title=title, type="physical")
            assert json.loads(process.stdout.readline())["data"]["title"] == title
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 130


def test_an_export_goes_on_where_it_was_broken_off(plain_settings: Settings, shop: Shop, tmp_path: Path) -> None:
    for number in range(3):
        shop.product(title=str(number), type="physical")
    file = tmp_path / "log.ndjson"
    first = deadwax(plain_settings, "export", str(file), "--json")
    facts = json.loads(first.stdout)
    assert (facts["events"], facts["position"]) == (5, 5)
    whole = file.read_bytes()
    assert deadwax(plain_settings, "export", "-").stdout.encode() == whole
    assert lines(deadwax(plain_settings, "show", "--json")) == [json.loads(line) for line in whole.splitlines()]
    for size in (0, 10, len(whole) - 3, len(whole) - len(whole.splitlines()[-1]) - 1):
        file.write_bytes(whole[:size])
        assert deadwax(plain_settings, "export", str(file)).returncode == 0
        assert file.read_bytes() == whole
    shop.product(title="later", type="physical")
    again = deadwax(plain_settings, "export", str(file))
    assert (again.stdout, again.stderr) == ("", "1 event written, up to position 6\n")
    after = lines(deadwax(plain_settings, "export", "-", "--after", "5"))
    assert [event["data"]["title"] for event in after] == ["later"]
    other = tmp_path / "other.txt"
    other.write_text("no log\n")
    refused = deadwax(plain_settings, "export", str(other))
    assert (refused.returncode, refused.stderr) == (1, f"deadwax: {other}: This file is no export of a log.\n")
    assert other.read_text() == "no log\n"
