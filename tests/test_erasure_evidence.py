"""Forgetting a buyer leaves the log's evidence whole: a deployment over HTTP and in a shell, from purchase to proof."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from commands.settings import Settings
from tests.clients import Key, serving
from tests.importing import environment
from tests.sealing import SealedShop, anchor_file
from tests.selling import FULFILL, PURCHASES, bus_of, digital_product, fulfill
from tests.test_prove import checked, proof_of
from tests.test_purchases_api import holding

pytestmark = pytest.mark.anyio

ANA = {"buyer_email": "Ana@Example.com", "buyer_name": "Ana Sousa"}


def deadwax(settings: Settings, *arguments: str) -> str:
    command = [sys.executable, "-m", "api.cli", *arguments]
    done = subprocess.run(command, env=environment(settings), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_a_buyer_is_erased_and_the_log_verifies_as_before(
    s3: Settings, plain_settings: Settings, key: Key, database_url: str, tmp_path: Path
) -> None:
    bucket = {"s3_bucket": s3.s3_bucket, "data": tmp_path, "seal_anchor_file": anchor_file(tmp_path)}
    shop = SealedShop(replace(plain_settings, **bucket))
    settings = shop.settings
    with bus_of(database_url) as bus:
        product = digital_product(bus, key.organization, "a.zip")
    async with serving(settings, key.text) as api:
        bought = (await api.post(FULFILL, json={"product_uid": product, **ANA, "external_order_id": "7"})).json()
        kept = await fulfill(api, product)
        path = f"{PURCHASES}{bought['uid']}/"
        assert (await api.post(f"{path}resend-email/")).status_code == 200
        assert holding(database_url, "Ana") == ["buyer"]
        shop.seal()
        before = shop.verify()
        assert (before.faults, before.unsealed, before.events) == ([], 0, len(shop.positions()))
        sale = (await api.get(f"{path}history/?page=last")).json()["results"][-1]
        proof = proof_of(shop, sale["position"])

        assert "more who made them: 1; " in deadwax(settings, "erase", "ana@EXAMPLE.com")

        shown = (await api.get(path)).json()
        assert (shown["buyer_email"], shown["buyer_name"], shown["external_order_id"]) == (None, None, "7")
        assert (await api.get(f"{PURCHASES}{kept['uid']}/")).json()["buyer_email"] == kept["buyer_email"]
        assert holding(database_url, "Ana") == holding(database_url, "ana@example.com") == []
        # What was sealed is to the byte what it was, and the erasure itself is an event, sealed as any other.
        after = shop.verify()
        assert (after.faults, after.events, after.unsealed) == ([], before.events, 1)
        shop.seal()
        whole = json.loads(deadwax(settings, "log", "verify", "--json"))
        assert (whole["verified"], whole["events"], whole["unsealed"]) == (True, before.events + 1, 0)
        erased = (await api.get(f"{path}history/")).json()["results"][0]
        # There is nobody to write to any more.
        ended = {"from": "pending", "to": "failed"}
        assert (erased["event"], erased["changes"]) == (
            "purchase.buyer-erased",
            {"status": ended, "email.status": ended},
        )
    # The sale is proven as before, by the same bytes, which never said who bought.
    assert proof_of(shop, sale["position"]) == proof
    assert checked(proof, "--key", shop.key.public.hex())[0] == 0
    # It is the purchase's own events that all of this is said of.
    with shop.tampered() as cursor:
        cursor.execute("UPDATE events SET state = state || ' ' WHERE notification_id = %s", [sale["position"]])
    assert [position for _, position in shop.faults()] == [sale["position"]]
