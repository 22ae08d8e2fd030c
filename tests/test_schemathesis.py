"""The OpenAPI document against a running server: requests made from it, answers held to it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.settings import Settings
from tests.clients import Key, make_key
from tests.server import running

# What a schema cannot say: an Idempotency-Key is for one request, an If-Match is for what is there now; and of the
# import form alone: a file has a byte at least, a column is named once.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "412", "422", "429"]

[[operations]]
include-name = "POST /api/v1/imports/"

[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "412", "422", "429"]
"""
EVERYTHING_BUT_KEYS = "--exclude-path-regex=/api-keys/"


@pytest.fixture
def port(plain_settings: Settings, tmp_path: Path) -> Iterator[int]:
    log = tmp_path / "api.log"
    with running(plain_settings, log) as port:
        yield port
    assert "unexpected error" not in log.read_text()


def schemathesis(folder: Path, port: int, key: str, seconds: int, *arguments: str) -> int:
    """Run it for so long at most; return how many requests it made. Every check is on."""
    (folder / "schemathesis.toml").write_text(CONFIG)
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
    [generated] = re.findall(r"(\d+) generated", done.stdout)
    return int(generated)


def test_answers_are_what_the_document_says(port: int, key: Key, database_url: str, tmp_path: Path) -> None:
    # Without admin: with it, a run finds its own key in the list and ends it.
    careful = make_key(database_url, scopes=("read", "write"), of=key.organization).text
    phases = "--phases=examples,coverage,fuzzing"
    made = schemathesis(tmp_path, port, careful, 12, phases, EVERYTHING_BUT_KEYS, "--max-examples=5")
    made += schemathesis(tmp_path, port, careful, 5, "--phases=stateful", EVERYTHING_BUT_KEYS, "--max-examples=5")
    made += schemathesis(tmp_path, port, key.text, 4, "--phases=examples", "--include-path-regex=/api-keys/$")
    assert made > 100
