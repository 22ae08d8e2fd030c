import json
import os
import subprocess
import sys

import httpx
import pytest

from commands.settings import Settings, declared
from tests.clients import PRODUCTS, serving

Done = subprocess.CompletedProcess[str]


def deadwax(settings: Settings, *arguments: str) -> Done:
    environment = dict(os.environ)
    for name, (_, setting) in declared().items():
        value = getattr(settings, name)
        environment[setting.variable] = ",".join(value) if isinstance(value, tuple) else str(value)
    command = [sys.executable, "-m", "api.cli", "key", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


async def opens(settings: Settings, key: str, method: str = "GET") -> int:
    async with serving(settings, key) as client:
        response: httpx.Response = await client.request(
            method, PRODUCTS, json={"title": "x"} if method == "POST" else None
        )
        return response.status_code


@pytest.mark.anyio
async def test_a_key_is_alone_on_standard_output_and_opens_the_api_until_it_is_revoked(
    plain_settings: Settings,
) -> None:
    made = deadwax(plain_settings, "create", "--organization", "Rare Grooves")
    assert made.returncode == 0, made.stderr
    key = made.stdout.removesuffix("\n")
    assert len(key) == 46
    assert "Rare Grooves is new: org_" in made.stderr
    assert await opens(plain_settings, key) == 200
    [row] = json.loads(deadwax(plain_settings, "list", "--json").stdout)
    assert (row["organization"], row["scopes"]) == ("Rare Grooves", ["read", "write", "admin"])
    assert key not in deadwax(plain_settings, "list").stdout
    revoked = deadwax(plain_settings, "revoke", row["uid"])
    assert (revoked.returncode, revoked.stdout) == (0, "")
    assert await opens(plain_settings, key) == 401
    again = deadwax(plain_settings, "revoke", row["uid"])
    assert again.returncode == 1
    assert again.stderr == f"deadwax: {row['uid']}: there is no live key with this uid.\n"


@pytest.mark.anyio
async def test_a_known_organization_is_found_by_its_name_and_scopes_hold(plain_settings: Settings) -> None:
    deadwax(plain_settings, "create", "--organization", "Rare Grooves")
    made = deadwax(plain_settings, "create", "--organization", "rare  GROOVES", "--scope", "read", "--name", "Till")
    assert made.stderr == ""
    assert await opens(plain_settings, made.stdout.strip(), "POST") == 403
    rows = json.loads(deadwax(plain_settings, "list", "--json", "--organization", "RARE GROOVES").stdout)
    assert [(row["organization"], row["name"]) for row in rows] == [
        ("Rare Grooves", "command line"),
        ("Rare Grooves", "Till"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "--organization", " "], "This field may not be blank."),
        (["create", "--organization", "x" * 256], "no more than 255 characters"),
        (["create", "--organization", "Shop", "--scope", "root"], "expected read, write, admin"),
        (["revoke", "key_x"], "there is no live key with this uid."),
    ],
)
def test_what_is_wrong_is_said_in_a_line_and_nothing_is_made(
    plain_settings: Settings, arguments: list[str], said: str
) -> None:
    done = deadwax(plain_settings, *arguments)
    assert done.returncode != 0
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(deadwax(plain_settings, "list", "--json").stdout) == []
