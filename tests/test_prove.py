"""A proof convinces whoever has the public key and a script, and nobody of anything else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from msgspec.structs import replace

from commands.seals.key import FILE, SealKey, make_seal_key, new_key, seal_key
from commands.seals.log import SealedLog
from commands.seals.prove import Unproven, prove
from commands.settings import Settings, SettingsError, declared
from tests.sealing import SealedShop, small_seals
from tests.test_seals import fill

SCRIPT = Path(__file__).parents[1] / "docs" / "verify_proof.py"


@pytest.fixture
def shop(s3: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch) -> SealedShop:
    small_seals(monkeypatch, 7)
    fill(database_url, 12)
    sealed = SealedShop(replace(s3, database_url=database_url))
    sealed.seal()
    return sealed


def proof_of(shop: SealedShop, position: int) -> dict[str, Any]:
    with SealedLog(shop.settings.database_url, shop.key.name) as log:
        proof: dict[str, Any] = json.loads(msgspec.json.encode(prove(log, position, shop.key.public)))
    return proof


def checked(proof: dict[str, Any], *arguments: str, isolated: str = "-I") -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, isolated, str(SCRIPT), "-", *arguments],
        input=json.dumps(proof),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_every_event_of_a_sealed_log_can_be_proven(shop: SealedShop) -> None:
    from docs.verify_proof import problem_of

    there = shop.positions()
    assert len(there) > 20
    assert [problem_of(proof_of(shop, position), shop.key.public.hex()) for position in there] == [None] * len(there)


def test_the_script_alone_checks_a_proof(shop: SealedShop) -> None:
    position = shop.rows("SELECT max(notification_id) FROM events WHERE originator_version = 2")[0][0]
    proof = proof_of(shop, position)
    code, said = checked(proof, "--key", shop.key.public.hex())
    assert code == 0, said
    assert f"Proven: position {position} is product.revised" in said
    assert "NOT checked" not in said
    assert "Compare that key" in checked(proof)[1]


def test_without_the_package_the_signature_is_said_to_be_unchecked(shop: SealedShop) -> None:
    proof = proof_of(shop, shop.positions()[3])
    # -S leaves installed packages out.
    code, said = checked(proof, isolated="-IS")
    assert (code, "signature is NOT checked" in said) == (0, True)


def _forged(proof: dict[str, Any]) -> dict[str, dict[str, Any]]:
    event, seal = proof["event"], proof["seal"]
    other = "11" * 32
    return {
        "position": {**proof, "event": {**event, "position": event["position"] + 1}},
        "stream": {**proof, "event": {**event, "stream": "01a20000-0000-7000-8000-000000000001"}},
        "version": {**proof, "event": {**event, "version": event["version"] + 1}},
        "topic": {**proof, "event": {**event, "topic": "product.deleted.v1"}},
        "state": {**proof, "event": {**event, "state": "e30="}},
        "before": {**proof, "before": other},
        "index": {**proof, "index": proof["index"] + 1},
        "path": {**proof, "path": [other, *proof["path"][1:]]},
        "short path": {**proof, "path": proof["path"][:-1]},
        "statement": {**proof, "seal": {**seal, "statement": seal["statement"].replace("20", "19", 1)}},
        "time": {**proof, "seal": {**seal, "statement": seal["statement"].replace('"sealed":"20', '"sealed":"19')}},
        "signature": {**proof, "seal": {**seal, "signature": "00" * 64}},
        "nothing": {},
        "format": {**proof, "format": "deadwax proof 2"},
    }


def test_the_script_refuses_whatever_was_changed(shop: SealedShop) -> None:
    proof = proof_of(shop, shop.positions()[9])
    for what, forged in _forged(proof).items():
        code, said = checked(forged)
        assert (code, "NOT PROVEN" in said) == (1, True), what
    code, said = checked(proof, "--key", SealedShop(shop.settings).key.public.hex())
    assert (code, "another key" in said) == (1, True)


def test_what_is_not_there_not_sealed_or_not_what_was_sealed_is_not_proven(shop: SealedShop) -> None:
    last = shop.positions()[-1]
    with pytest.raises(Unproven, match="no event at position 99999"):
        proof_of(shop, 99_999)
    fill(shop.settings.database_url, 1)
    with pytest.raises(Unproven, match="not sealed yet"):
        proof_of(shop, shop.positions()[-1])
    with shop.tampered() as cursor:
        cursor.execute("UPDATE events SET state = state || ' ' WHERE notification_id = %s", [last])
    with pytest.raises(Unproven, match="not what was sealed"):
        proof_of(shop, last)


def deadwax(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    for name, (_, setting) in declared().items():
        value = getattr(settings, name)
        environment[setting.variable] = ",".join(value) if isinstance(value, tuple) else str(value)
    command = [sys.executable, "-m", "api.cli", "log", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_from_the_shell_a_log_is_sealed_verified_and_proven(shop: SealedShop) -> None:
    fill(shop.settings.database_url, 1)
    assert "sealed, 1 seal anchored" in deadwax(shop.settings, "seal").stdout
    there = shop.positions()
    key = deadwax(shop.settings, "key").stdout.strip()
    assert key == shop.key.public.hex()
    done = deadwax(shop.settings, "verify", "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["verified"], facts["events"], facts["faults"]) == (0, True, len(there), [])
    proof = deadwax(shop.settings, "prove", str(there[4]))
    assert checked(json.loads(proof.stdout), "--key", key)[0] == 0
    with shop.tampered() as cursor:
        cursor.execute("DELETE FROM events WHERE notification_id = %s", [there[4]])
    done = deadwax(shop.settings, "verify", "--key", key)
    assert done.returncode == 1
    assert f"position {there[4]}, stream " in done.stdout
    assert "DIFFERS: " in done.stdout
    done = deadwax(shop.settings, "verify", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["faults"][0]["kind"] == "deleted"


def test_from_the_shell_what_is_missing_is_said_in_a_line(shop: SealedShop, tmp_path: Path) -> None:
    keyless = replace(shop.settings, seal_key="", data=tmp_path)
    for arguments in (("verify",), ("key",), ("seal",), ("prove", "1")):
        done = deadwax(keyless, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("deadwax: There is no key: set DEADWAX_SEAL_KEY")
    done = deadwax(shop.settings, "verify", "--key", "abc")
    assert "expected the 64 characters" in done.stderr
    done = deadwax(shop.settings, "prove", "99999")
    assert done.stderr == "deadwax: There is no event at position 99999.\n"


def test_the_data_folder_gets_a_key_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = replace(Settings(), data=tmp_path)
    assert seal_key(settings) is None
    make_seal_key(settings)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    made = seal_key(settings)
    make_seal_key(settings)
    again = seal_key(settings)
    assert isinstance(made, SealKey)
    assert again is not None
    assert made.public == again.public


def test_a_key_comes_from_the_setting_or_its_file_and_a_wrong_one_is_said(tmp_path: Path) -> None:
    text, path = new_key(), tmp_path / "key"
    path.write_text(text + "\n")
    one = seal_key(replace(Settings(), seal_key=text))
    other = seal_key(replace(Settings(), seal_key_file=str(path)))
    assert one is not None
    assert other is not None
    assert one.public == other.public
    with pytest.raises(SettingsError, match="DEADWAX_SEAL_KEY: expected 32 random bytes"):
        seal_key(replace(Settings(), seal_key="short"))
    with pytest.raises(SettingsError, match="DEADWAX_SEAL_KEY_FILE: cannot read"):
        seal_key(replace(Settings(), seal_key_file=str(tmp_path / "none")))
    assert text not in str(list(replace(Settings(), seal_key=text).shown({})))


def test_no_table_but_the_log_and_its_seals_takes_part_so_that_whatever_of_it_may_be_erased(shop: SealedShop) -> None:
    evidence = ["events", "seal", "seal_anchor", "seal_head"]
    others = shop.rows(
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND relname <> ALL(%s) ORDER BY relname",
        evidence,
    )
    assert {("product_list",), ("receipt",), ("api_key",)} <= set(others)
    before = proof_of(shop, shop.positions()[7])
    with psycopg.connect(shop.settings.database_url) as connection:
        connection.execute(f"TRUNCATE {', '.join(name for (name,) in others)}".encode())
    assert shop.faults() == []
    assert proof_of(shop, shop.positions()[7]) == before
