"""Large files that clients send to the bucket themselves, part by part, against the embedded S3 server."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from msgspec.structs import replace

from commands.asset_uploads import PART_BYTES, PARTS, size_of_parts
from commands.blobs import Blobs
from commands.settings import Settings
from domain.asset.asset import ON_PHYSICAL
from projections.asset_upload import UploadDocument
from tests.clients import PRODUCTS, Key, create, end_uploads, make_key, serving
from tests.test_assets_api import ASSETS, listed, of, pack
from tests.test_imports_api import stored_files
from workers.assets import AssetCollector

pytestmark = pytest.mark.anyio

DATA = secrets.token_bytes(2 * PART_BYTES + 1000)
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def asset_settings(plain_settings: Settings, s3: Settings) -> Iterator[Settings]:
    found = replace(plain_settings, s3_bucket=s3.s3_bucket)
    yield found
    end_uploads(found)


@pytest.fixture
async def shop(asset_settings: Settings, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(asset_settings, key.text) as client:
        yield client


@pytest.fixture
async def bucket() -> AsyncIterator[httpx.AsyncClient]:
    """Who has an address and nothing else."""
    async with httpx.AsyncClient() as client:
        yield client


async def begin(client: httpx.AsyncClient, product: dict[str, Any], **fields: Any) -> dict[str, Any]:
    response = await client.post(f"{of(product)}uploads/", json={"filename": "album.zip", "size": len(DATA), **fields})
    assert response.status_code == 201, response.text
    begun: dict[str, Any] = response.json()
    return begun


def path(upload: dict[str, Any]) -> str:
    return f"{PRODUCTS}{upload['product_uid']}/digital-assets/uploads/{upload['uid']}/"


async def send(bucket: httpx.AsyncClient, upload: dict[str, Any], *numbers: int, data: bytes = DATA) -> None:
    for part in upload["parts"]:
        if part["number"] in numbers:
            start = (part["number"] - 1) * upload["part_size"]
            answer = await bucket.put(part["url"], content=data[start : start + part["size"]])
            assert answer.status_code == 200, answer.text


async def test_a_file_arrives_in_parts_and_becomes_an_asset(
    shop: httpx.AsyncClient, bucket: httpx.AsyncClient, asset_settings: Settings
) -> None:
    product = await pack(shop)
    upload = await begin(shop, product, sha256=DIGEST.upper(), display_name="Album", content_type="application/zip")
    assert list(upload) == list(UploadDocument.__struct_fields__)
    assert [part["size"] for part in upload["parts"]] == [PART_BYTES, PART_BYTES, 1000]
    await send(bucket, upload, 3, 1)

    seen = (await shop.get(path(upload))).json()
    assert [part["is_uploaded"] for part in seen["parts"]] == [True, False, True]
    assert [part["url"] is None for part in seen["parts"]] == [True, False, True]
    early = await shop.post(f"{path(upload)}complete/")
    assert (early.status_code, early.json()) == (400, {"parts": ["Part 2 is missing."]})
    assert await listed(shop, product) == []
    await send(bucket, seen, 2)

    response = await shop.post(f"{path(upload)}complete/")
    assert response.status_code == 201, response.text
    made = response.json()
    assert (made["size"], made["sha256"], made["display_name"]) == (len(DATA), DIGEST, "Album")
    assert (made["filename"], made["content_type"], made["is_primary"]) == ("album.zip", "application/zip", True)
    assert await listed(shop, product) == [made]
    assert response.headers["Location"] == f"{ASSETS}{made['uid']}/"
    [key] = stored_files(asset_settings)
    blobs = Blobs(asset_settings)
    assert hashlib.sha256(b"".join(blobs.get(key))).hexdigest() == DIGEST
    blobs.close()
    # Whoever did not hear the answer asks again.
    assert (await shop.post(f"{path(upload)}complete/")).json() == made
    assert (await shop.get(path(upload))).status_code == 404
    assert (await shop.delete(path(upload))).status_code == 404
    assert len(stored_files(asset_settings)) == 1


async def test_what_arrived_is_not_what_was_announced(
    shop: httpx.AsyncClient, bucket: httpx.AsyncClient, asset_settings: Settings
) -> None:
    product = await pack(shop)
    upload = await begin(shop, product, sha256="0" * 64)
    await send(bucket, upload, 1, 2, 3)
    response = await shop.post(f"{path(upload)}complete/")
    assert (response.status_code, response.json()) == (400, {"sha256": [f"The file's is {DIGEST}."]})
    assert (await shop.get(path(upload))).status_code == 404
    assert stored_files(asset_settings) == []
    upload = await begin(shop, product)
    short = {**upload, "parts": [{**part, "size": part["size"] - 1} for part in upload["parts"]]}
    await send(bucket, upload, 1)
    await send(bucket, short, 2)
    await send(bucket, short, 3)
    response = await shop.post(f"{path(upload)}complete/")
    expected = [
        f"Part 2 has {PART_BYTES - 1} bytes instead of {PART_BYTES}.",
        "Part 3 has 999 bytes instead of 1000.",
    ]
    assert (response.status_code, response.json()) == (400, {"parts": expected})
    assert (await shop.delete(path(upload))).status_code == 204


async def test_a_completion_that_broke_off_is_gone_on_with(
    shop: httpx.AsyncClient, bucket: httpx.AsyncClient, asset_settings: Settings, database_url: str
) -> None:
    product = await pack(shop)
    upload = await begin(shop, product)
    await send(bucket, upload, 1, 2, 3)
    with psycopg.connect(database_url) as connection:
        [blob, multipart] = connection.execute("SELECT blob, multipart FROM asset_upload").fetchone() or ("", "")
    blobs = Blobs(asset_settings)
    blobs.complete(blob, multipart, blobs.parts(blob, multipart))
    blobs.close()
    seen = (await shop.get(path(upload))).json()
    assert all(part["is_uploaded"] for part in seen["parts"])
    answers: list[httpx.Response] = []

    async def complete() -> None:
        answers.append(await shop.post(f"{path(upload)}complete/"))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(complete)
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert len(await listed(shop, product)) == 1


async def test_an_upload_that_is_given_up_leaves_nothing(
    shop: httpx.AsyncClient, bucket: httpx.AsyncClient, asset_settings: Settings
) -> None:
    product = await pack(shop)
    upload = await begin(shop, product)
    await send(bucket, upload, 1)
    assert (await shop.delete(path(upload))).status_code == 204
    late = await bucket.put(upload["parts"][1]["url"], content=b"late")
    assert late.status_code == 404
    assert stored_files(asset_settings) == []
    for answer in (await shop.get(path(upload)), await shop.post(f"{path(upload)}complete/")):
        assert answer.status_code == 404


async def test_an_upload_that_nobody_goes_on_with_is_collected(
    shop: httpx.AsyncClient, bucket: httpx.AsyncClient, asset_settings: Settings, database_url: str
) -> None:
    stale, fresh = await begin(shop, await pack(shop)), await begin(shop, await pack(shop))
    await send(bucket, stale, 1)
    await send(bucket, fresh, 1)
    blobs = Blobs(asset_settings)
    collector = AssetCollector(database_url, blobs, 3600)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE asset_file SET free_since = now() - interval '2 days'")
        assert await anyio.to_thread.run_sync(collector.collect) == 0
        query = "UPDATE asset_upload SET expires = now() - interval '1 second' WHERE product = %s RETURNING 1"
        from domain import ids

        assert connection.execute(query, [ids.parse(ids.PRODUCT, stale["product_uid"])]).fetchall() == [(1,)]
        assert (await shop.get(path(stale))).status_code == 404
        assert await anyio.to_thread.run_sync(collector.collect) == 1
        assert connection.execute("SELECT count(*) FROM asset_upload").fetchone() == (1,)
    blobs.close()
    assert len([name for name in stored_files(asset_settings) if "multipart" in name]) <= 1
    late = await bucket.put(stale["parts"][1]["url"], content=b"late")
    assert late.status_code == 404
    await send(bucket, fresh, 2, 3)
    assert (await shop.post(f"{path(fresh)}complete/")).status_code == 201


async def test_what_cannot_become_an_asset_is_refused_before_a_byte_is_sent(asset_settings: Settings, key: Key) -> None:
    narrow = replace(asset_settings, asset_types=("audio/*",), asset_limit_bytes=5000)
    async with serving(narrow, key.text) as client:
        product = await pack(client)

        async def refused(**body: Any) -> Any:
            response = await client.post(f"{of(product)}uploads/", json=body)
            assert response.status_code == 400
            return response.json()

        assert await refused() == {"filename": ["This field is required."], "size": ["This field is required."]}
        assert await refused(filename="a.zip", size=5001) == {
            "content_type": ['Files of type "application/zip" are not accepted.'],
            "size": ["Ensure this value is less than or equal to 5000."],
        }
        assert await refused(filename="../", size=1, sha256=5) == {
            "filename": ["No filename could be determined."],
            "content_type": ['Files of type "application/octet-stream" are not accepted.'],
            "sha256": ["Expected 64 hexadecimal digits."],
        }
        physical = await create(client, type="physical")
        response = await client.post(f"{of(physical)}uploads/", json={"filename": "a.flac", "size": 1})
        assert (response.status_code, response.json()) == (400, {"non_field_errors": [ON_PHYSICAL]})
        upload = await begin(client, product, filename="../a.flac", size=5000)
        assert (upload["filename"], upload["content_type"]) == ("a.flac", "audio/flac")


async def test_another_organizations_uploads_are_not_there(
    shop: httpx.AsyncClient, asset_settings: Settings, database_url: str
) -> None:
    product = await pack(shop)
    upload = await begin(shop, product)
    elsewhere = {**upload, "product_uid": (await pack(shop))["uid"]}
    nowhere = {**upload, "uid": "upl_x"}
    async with serving(asset_settings, make_key(database_url, "Stranger").text) as stranger:
        for client, wrong in ((stranger, upload), (shop, elsewhere), (shop, nowhere)):
            for answer in (
                await client.get(path(wrong)),
                await client.post(f"{path(wrong)}complete/"),
                await client.delete(path(wrong)),
            ):
                assert (answer.status_code, answer.content) == (404, b'{"detail":"Not found."}')
        answer = await stranger.post(f"{of(product)}uploads/", json={"filename": "a", "size": 1})
        assert answer.status_code == 404
    assert (await shop.get(path(upload))).status_code == 200


async def test_a_repeated_beginning_is_one_upload(shop: httpx.AsyncClient, database_url: str) -> None:
    product = await pack(shop)
    once = {"Idempotency-Key": "once"}
    body = {"filename": "album.zip", "size": len(DATA)}
    first = await shop.post(f"{of(product)}uploads/", json=body, headers=once)
    again = await shop.post(f"{of(product)}uploads/", json=body, headers=once)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["uid"] == first.json()["uid"]
    assert all(part["url"] for part in again.json()["parts"])
    other = await shop.post(f"{of(product)}uploads/", json={**body, "size": 5}, headers=once)
    assert other.status_code == 422
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM asset_upload").fetchone() == (1,)
        [kept] = connection.execute("SELECT body FROM receipt").fetchone() or ("",)
    assert "Signature" not in kept
    assert (await shop.delete(path(first.json()))).status_code == 204
    later = await shop.post(f"{of(product)}uploads/", json=body, headers=once)
    assert (later.status_code, later.json()["uid"]) == (201, first.json()["uid"])


async def test_addresses_lead_to_where_clients_reach_the_bucket(asset_settings: Settings, key: Key) -> None:
    async with serving(replace(asset_settings, s3_public_url="https://files.example:8443"), key.text) as client:
        upload = await begin(client, await pack(client))
    for part in upload["parts"]:
        assert part["url"].startswith(f"https://files.example:8443/{asset_settings.s3_bucket}/")
        assert "X-Amz-Signature=" in part["url"]


@pytest.mark.parametrize(("size", "parts"), [(1, 1), (PART_BYTES, 1), (PART_BYTES * PARTS, PARTS)])
def test_parts_are_as_few_as_they_have_to_be(size: int, parts: int) -> None:
    assert -(-size // size_of_parts(size)) == parts
    huge = 5 * 1024**4
    assert -(-huge // size_of_parts(huge)) <= PARTS
    assert size_of_parts(huge) % 1024**2 == 0
