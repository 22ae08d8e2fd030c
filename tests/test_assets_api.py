"""Digital assets as clients meet them: uploaded whole, listed, changed, deleted, and what their product shows."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from msgspec.structs import replace

from api.asset_reading import ONE_FILE, not_taken
from api.uploads import EMPTY_FILE, NO_FILE, NO_NAME, NOT_A_FILE
from commands.blobs import LEAST_PART_BYTES
from commands.settings import Settings
from domain.asset.asset import ON_PHYSICAL, STAYS_PRIMARY
from projections.asset import AssetDocument
from tests.clients import PRODUCTS, Key, create, create_presence, make_key, presences_of, serving
from tests.test_imports_api import stored_files

pytestmark = pytest.mark.anyio

ASSETS = "/api/v1/digital/assets/"


@pytest.fixture
def asset_settings(plain_settings: Settings, s3: Settings) -> Settings:
    return replace(plain_settings, s3_bucket=s3.s3_bucket)


@pytest.fixture
async def shop(asset_settings: Settings, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(asset_settings, key.text) as client:
        yield client


async def pack(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    """Create a product that can have assets."""
    return await create(client, **{"title": "Sample pack", "type": "digital", **fields})


def of(product: dict[str, Any]) -> str:
    return f"{PRODUCTS}{product['uid']}/digital-assets/"


async def upload(
    client: httpx.AsyncClient,
    product: dict[str, Any],
    name: str = "album.zip",
    data: bytes = b"PK",
    content_type: str = "application/zip",
    **fields: str,
) -> dict[str, Any]:
    """Upload an asset; return it as answered."""
    response = await client.post(of(product), files={"file": (name, data, content_type)}, data=fields)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def shown(client: httpx.AsyncClient, product: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"{PRODUCTS}{product['uid']}/")).json()
    return found


async def listed(client: httpx.AsyncClient, product: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(of(product))).json()
    return found


async def uids(client: httpx.AsyncClient, **query: str) -> set[str]:
    response = await client.get(PRODUCTS, params={**query, "page_size": "100"})
    assert response.status_code == 200
    return {product["uid"] for product in response.json()["results"]}


async def test_a_file_becomes_an_asset_of_its_product(shop: httpx.AsyncClient, asset_settings: Settings) -> None:
    product = await pack(shop)
    data = secrets.token_bytes(1000)
    response = await shop.post(
        of(product),
        files={"file": ("album.zip", data, "application/zip")},
        data={"display_name": "Full Album Download", "description": "FLAC files, 24-bit"},
    )
    assert response.status_code == 201
    made = response.json()
    assert list(made) == list(AssetDocument.__struct_fields__)
    assert made["uid"].startswith("ast_")
    assert made["created"] == made["updated"]
    assert {name: made[name] for name in made if name not in {"uid", "created", "updated"}} == {
        "product_uid": product["uid"],
        "display_name": "Full Album Download",
        "description": "FLAC files, 24-bit",
        "filename": "album.zip",
        "content_type": "application/zip",
        "size": 1000,
        "sha256": hashlib.sha256(data).hexdigest(),
        "is_primary": True,
    }
    assert response.headers["Location"] == f"{ASSETS}{made['uid']}/"
    got = await shop.get(response.headers["Location"])
    assert (got.json(), got.headers["ETag"]) == (made, response.headers["ETag"])
    assert await listed(shop, product) == [made]
    [name] = stored_files(asset_settings)
    assert "album" not in name
    assert (await shown(shop, product))["has_primary_asset"] is True


async def test_what_is_not_said_of_an_asset_is_null(shop: httpx.AsyncClient) -> None:
    made = await upload(shop, await pack(shop))
    assert (made["display_name"], made["description"], made["is_primary"]) == (None, None, True)
    long = await upload(shop, await pack(shop), description="曲" * 100_000)
    assert len(long["description"]) == 100_000
    made = await upload(shop, await pack(shop), display_name="", description=" ", is_primary="")
    assert (made["display_name"], made["description"], made["is_primary"]) == (None, None, True)


@pytest.mark.parametrize("size", [LEAST_PART_BYTES - 1, LEAST_PART_BYTES, LEAST_PART_BYTES + 1, 3 * LEAST_PART_BYTES])
async def test_a_file_of_any_size_is_kept_byte_for_byte(
    shop: httpx.AsyncClient, asset_settings: Settings, size: int
) -> None:
    from commands.blobs import Blobs

    data = secrets.token_bytes(size)
    made = await upload(shop, await pack(shop), data=data)
    assert (made["size"], made["sha256"]) == (size, hashlib.sha256(data).hexdigest())
    [key] = stored_files(asset_settings)
    blobs = Blobs(asset_settings)
    assert b"".join(blobs.get(key)) == data
    assert b"".join(blobs.get(key, size - 5, 3)) == data[-5:-2]
    assert b"".join(blobs.get(key, size - 5)) == data[-5:]
    blobs.close()


async def test_fields_may_come_before_and_after_the_file(shop: httpx.AsyncClient) -> None:
    product = await pack(shop)

    def part(name: str, value: bytes, more: str = "") -> bytes:
        head = f'--B\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
        return head.encode() + value + b"\r\n"

    body = (
        part("display_name", b"Album")
        + part("file", b"x" * 6_000_000, '; filename="a.zip"')
        + part("other", b"ignored", '; filename="b.zip"')
        + part("description", b"FLAC")
        + b"--B--\r\n"
    )
    response = await shop.post(of(product), content=body, headers={"Content-Type": "multipart/form-data; boundary=B"})
    assert response.status_code == 201
    made = response.json()
    assert (made["display_name"], made["description"], made["filename"]) == ("Album", "FLAC", "a.zip")
    assert made["content_type"] == "application/zip"


@pytest.mark.parametrize(
    "name",
    ["Пластинка №1.flac", "全曲.zip", "ألبوم.zip", "😀 émoji.mp3", 'say "when".zip', "a'b;c=d%20.zip", "x" * 250],
)
async def test_filenames_of_every_alphabet_are_kept(shop: httpx.AsyncClient, name: str) -> None:
    assert (await upload(shop, await pack(shop), name))["filename"] == name


async def test_filenames_are_names_and_nothing_else(shop: httpx.AsyncClient) -> None:
    product = await pack(shop)
    names = ["../../etc/passwd", "C:\\music\\a.mp3", "a\u202efdp.exe", "e\u0301.zip"]
    kept = [(await upload(shop, product, name))["filename"] for name in names]
    assert kept == ["passwd", "a.mp3", "afdp.exe", "é.zip"]


async def test_what_is_no_file_is_refused(shop: httpx.AsyncClient, asset_settings: Settings) -> None:
    product = await pack(shop)

    async def refused(**sent: Any) -> Any:
        response = await shop.post(of(product), **sent)
        assert response.status_code == 400, response.text
        return response.json()

    assert await refused(files={"other": ("a.zip", b"x")}) == {"file": [NO_FILE]}
    assert await refused(files={"file": ("", b"")}) == {"file": [NO_FILE]}
    assert await refused(files={"file": ("a.zip", b"")}) == {"file": [EMPTY_FILE]}
    assert await refused(files={"file": (" ", b"x")}) == {"file": [NO_NAME]}
    assert await refused(data={"file": "text"}, files={"x": ("x", b"x")}) == {"file": [NOT_A_FILE]}
    twice = [("file", ("a.zip", b"x")), ("file", ("b.zip", b"y"))]
    assert await refused(files=twice) == {"file": [ONE_FILE]}
    wrong = {"is_primary": "maybe", "display_name": "x" * 256, "description": "\0"}
    assert await refused(files={"file": ("a.zip", b"")}, data=wrong) == {
        "file": [EMPTY_FILE],
        "is_primary": ["Must be a valid boolean."],
        "display_name": ["Ensure this field has no more than 255 characters."],
        "description": ["Null characters are not allowed."],
    }
    strict = {"Prefer": "handling=strict"}
    assert await refused(files={"file": ("a.zip", b"x")}, data={"colour": "red"}, headers=strict) == {
        "colour": ["Unknown field."]
    }
    assert "detail" in await refused(content=b"junk", headers={"Content-Type": "multipart/form-data; boundary=B"})
    assert "detail" in await refused(content=b"junk", headers={"Content-Type": "multipart/form-data"})
    assert (await shop.post(of(product), json={})).status_code == 415
    assert stored_files(asset_settings) == []
    assert await listed(shop, product) == []


async def test_what_is_refused_after_parts_were_sent_leaves_nothing(
    shop: httpx.AsyncClient, asset_settings: Settings
) -> None:
    product = await pack(shop)
    sent = {"file": ("a.zip", bytes(3 * LEAST_PART_BYTES))}
    response = await shop.post(of(product), files=sent, data={"is_primary": "maybe"})
    assert response.status_code == 400
    assert stored_files(asset_settings) == []


async def test_a_physical_product_has_no_assets(shop: httpx.AsyncClient, asset_settings: Settings) -> None:
    product = await create(shop, type="physical")
    response = await shop.post(of(product), files={"file": ("a.zip", b"x")})
    assert (response.status_code, response.json()) == (400, {"non_field_errors": [ON_PHYSICAL]})
    assert (await shop.get(of(product))).json() == []
    for type in ("digital-report", "nft"):
        await upload(shop, await pack(shop, type=type))


async def test_files_of_other_types_and_sizes_are_refused(asset_settings: Settings, key: Key) -> None:
    narrow = replace(asset_settings, asset_types=("audio/*", "application/zip"), asset_limit_bytes=2_000_000)
    async with serving(narrow, key.text) as client:
        product = await pack(client)
        await upload(client, product, "a.flac", content_type="audio/flac")
        await upload(client, product, "a.zip", data=bytes(2_000_000))
        response = await client.post(of(product), files={"file": ("a.png", b"x", "image/png")})
        assert (response.status_code, response.json()) == (400, {"file": [not_taken("image/png")]})
        for size in (2_000_001, 6_000_000):
            response = await client.post(of(product), files={"file": ("a.zip", bytes(size))})
            assert response.status_code == 413
        assert len(await listed(client, product)) == 2
        assert len(stored_files(narrow)) == 2


async def test_without_a_bucket_an_upload_is_refused_and_may_be_tried_again(
    asset_settings: Settings, key: Key, database_url: str
) -> None:
    away = replace(asset_settings, s3_endpoint_url="http://127.0.0.1:1")
    async with serving(away, key.text) as client:
        product = await pack(client)
        for size in (100, 3 * LEAST_PART_BYTES):
            response = await client.post(of(product), files={"file": ("a.zip", bytes(size))})
            assert response.status_code == 503
            assert response.headers["Retry-After"]
        response = await client.post(f"{of(product)}uploads/", json={"filename": "a.zip", "size": 100})
        assert response.status_code == 503
        assert await listed(client, product) == []
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT count(*) FROM events WHERE topic LIKE 'asset.%'").fetchone()
    assert found == (0,)


async def test_one_asset_is_primary(shop: httpx.AsyncClient) -> None:
    product = await pack(shop)
    first = await upload(shop, product, "1.zip", is_primary="false")
    second = await upload(shop, product, "2.zip")
    third = await upload(shop, product, "3.zip", is_primary="true")

    async def primary() -> list[str]:
        return [asset["filename"] for asset in await listed(shop, product) if asset["is_primary"]]

    assert (first["is_primary"], second["is_primary"], third["is_primary"]) == (True, False, True)
    assert [asset["filename"] for asset in await listed(shop, product)] == ["1.zip", "2.zip", "3.zip"]
    assert await primary() == ["3.zip"]
    made = await shop.patch(f"{ASSETS}{second['uid']}/", json={"is_primary": True})
    assert made.json()["is_primary"] is True
    assert await primary() == ["2.zip"]
    refused = await shop.patch(f"{ASSETS}{second['uid']}/", json={"is_primary": False, "display_name": 5})
    assert (refused.status_code, refused.json()) == (
        400,
        {"is_primary": [STAYS_PRIMARY], "display_name": ["Not a valid string."]},
    )
    await shop.delete(f"{ASSETS}{third['uid']}/")
    assert await primary() == ["2.zip"]
    await upload(shop, product, "4.zip")
    await shop.delete(f"{ASSETS}{second['uid']}/")
    assert await primary() == ["1.zip"]


async def test_an_asset_is_revised_while_its_tag_is_known(shop: httpx.AsyncClient) -> None:
    made = await upload(shop, await pack(shop), display_name="Album", description="FLAC")
    path = f"{ASSETS}{made['uid']}/"
    tag = (await shop.get(path)).headers["ETag"]
    assert (await shop.get(path, headers={"If-None-Match": tag})).status_code == 304
    revised = await shop.patch(path, json={**made, "display_name": None}, headers={"If-Match": tag})
    assert revised.status_code == 200
    assert revised.json() == {**made, "display_name": None, "updated": revised.json()["updated"]}
    assert revised.headers["ETag"] != tag
    for answer in (
        await shop.patch(path, json={"display_name": "x"}, headers={"If-Match": tag}),
        await shop.delete(path, headers={"If-Match": tag}),
    ):
        assert answer.status_code == 412
    same = await shop.patch(path, json={"description": "FLAC"})
    assert (same.headers["ETag"], same.json()) == (revised.headers["ETag"], revised.json())
    strict = await shop.patch(path, json={"colour": "red"}, headers={"Prefer": "handling=strict"})
    assert strict.json() == {"colour": ["Unknown field."]}
    assert (await shop.delete(path, headers={"If-Match": revised.headers["ETag"]})).status_code == 204
    for answer in (await shop.get(path), await shop.patch(path, json={}), await shop.delete(path)):
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


async def test_of_many_writers_on_one_tag_one_passes(shop: httpx.AsyncClient) -> None:
    made = await upload(shop, await pack(shop))
    path = f"{ASSETS}{made['uid']}/"
    tag = (await shop.get(path)).headers["ETag"]
    statuses: list[int] = []

    async def write(number: int) -> None:
        answer = await shop.patch(path, json={"display_name": f"take {number}"}, headers={"If-Match": tag})
        statuses.append(answer.status_code)

    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(write, number)
    assert sorted(statuses) == [200, *[412] * 11]


async def test_another_organizations_assets_are_not_there(
    shop: httpx.AsyncClient, asset_settings: Settings, database_url: str
) -> None:
    product = await pack(shop)
    made = await upload(shop, product)
    missing = f"{ASSETS}ast_{'0' * 26}/"
    async with serving(asset_settings, make_key(database_url, "Stranger").text) as stranger:
        for path in (f"{ASSETS}{made['uid']}/", missing, f"{ASSETS}{product['uid']}/", f"{ASSETS}x/"):
            for answer in (
                await stranger.get(path),
                await stranger.patch(path, json={"display_name": 5}),
                await stranger.patch(path, content=b"junk"),
                await stranger.delete(path),
            ):
                assert (answer.status_code, answer.content) == (404, b'{"detail":"Not found."}')
        for answer in (
            await stranger.get(of(product)),
            await stranger.post(of(product), files={"file": ("a", b"x")}),
            await stranger.post(of({"uid": "prod_x"}), files={"file": ("a", b"x")}),
        ):
            assert (answer.status_code, answer.content) == (404, b'{"detail":"Not found."}')
    assert await listed(shop, product) == [made]


async def test_a_repeated_upload_is_answered_alike_and_kept_once(
    shop: httpx.AsyncClient, asset_settings: Settings
) -> None:
    product = await pack(shop)
    data = secrets.token_bytes(6_000_000)

    async def send(data: bytes = data, key: str = "once", **fields: str) -> httpx.Response:
        sent = {"file": ("a.zip", data)}
        return await shop.post(of(product), files=sent, data=fields, headers={"Idempotency-Key": key})

    first, again = await send(), await send()
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (again.headers["ETag"], again.headers["Location"]) == (first.headers["ETag"], first.headers["Location"])
    for answer in (await send(b"other"), await send(display_name="x")):
        assert answer.status_code == 422
    answers: list[httpx.Response] = []

    async def twin() -> None:
        answers.append(await send(key="twins"))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(twin)
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert len(await listed(shop, product)) == len(stored_files(asset_settings)) == 2


async def test_many_uploads_to_one_product_at_once_make_one_primary(shop: httpx.AsyncClient) -> None:
    product = await pack(shop)
    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(upload, shop, product, f"{number}.zip")
    found = await listed(shop, product)
    assert len(found) == 8
    assert sum(asset["is_primary"] for asset in found) == 1


async def test_a_product_is_found_by_its_assets_filenames(shop: httpx.AsyncClient) -> None:
    product, other = await pack(shop, title="Drums"), await pack(shop, title="Bass")
    asset = await upload(shop, product, "Ambient_Pads-024.Kits.zip", display_name="Hidden")
    for words in ("ambient", "AMBIENT pads", "ambientpads", "drums kits", "024", '"pads 024"', "kits.zip", "zip"):
        assert await uids(shop, search=words) == {product["uid"]}, words
    for words in ("hidden", "ambient bass", '"drums ambient"'):
        assert await uids(shop, search=words) == set(), words
    await shop.patch(f"{PRODUCTS}{product['uid']}/", json={"title": "Pads"})
    assert await uids(shop, search="ambient") == {product["uid"]}
    assert await uids(shop, search="drums") == set()
    await upload(shop, other, "Ambient bass.wav")
    assert await uids(shop, search="ambient") == {product["uid"], other["uid"]}
    await shop.delete(f"{ASSETS}{asset['uid']}/")
    assert await uids(shop, search="ambient") == {other["uid"]}
    assert await uids(shop, search="pads") == {product["uid"]}


async def test_names_past_the_limits_of_the_search_are_left_out(shop: httpx.AsyncClient, database_url: str) -> None:
    def words(mark: str) -> str:
        return " ".join(f"{mark}{n}{'x' * 60}:1" for n in range(6000))

    with psycopg.connect(database_url) as connection:
        query = "SELECT words_with(%s::tsvector, ARRAY[%s, %s, 'last:1']::tsvector[])"
        [found] = connection.execute(query, [words("a"), words("b"), words("c")]).fetchone() or ("",)
    assert found.count("'") == 2 * 12_000
    assert "'c1x" not in found


async def test_a_picture_that_is_primary_is_fit_for_redbubble(shop: httpx.AsyncClient) -> None:
    product = await pack(shop)

    async def is_fit() -> bool:
        fit, others = await uids(shop, uploadable_to_redbubble="true"), await uids(shop, uploadable_to_redbubble="0")
        assert fit | others == await uids(shop)
        assert not fit & others
        return product["uid"] in fit

    assert not await is_fit()
    song = await upload(shop, product, "song.flac", content_type="audio/flac")
    assert not await is_fit()
    picture = await upload(shop, product, "art.png", content_type="image/png")
    assert not await is_fit()
    await shop.patch(f"{ASSETS}{picture['uid']}/", json={"is_primary": True})
    assert await is_fit()
    path = f"{PRODUCTS}{product['uid']}/"
    await shop.patch(path, json={"is_mature_content": True})
    assert not await is_fit()
    await shop.patch(path, json={"is_mature_content": False})
    assert await is_fit()
    presence = await create_presence(shop, product, "plat_redbubble", status="error")
    for status, expected in [
        ("active", False),
        ("ended", True),
        ("draft", False),
        ("removed", True),
        ("paused", False),
        ("sold", True),
        ("error", True),
        ("active", False),
    ]:
        await shop.patch(f"{presences_of(product)}{presence['id']}/", json={"status": status})
        assert await is_fit() is expected, status
    await shop.delete(f"{presences_of(product)}{presence['id']}/")
    await create_presence(shop, product, "plat_ebay", status="active")
    assert await is_fit()
    await shop.delete(f"{ASSETS}{picture['uid']}/")
    assert (await listed(shop, product))[0]["uid"] == song["uid"]
    assert not await is_fit()
    await upload(shop, product, "art.jpg", content_type="image/jpeg", is_primary="1")
    assert await is_fit()
    report = await pack(shop, type="digital-report")
    await upload(shop, report, "art.png", content_type="image/png")
    assert report["uid"] not in await uids(shop, uploadable_to_redbubble="true")


async def test_the_products_tag_moves_with_its_assets(shop: httpx.AsyncClient) -> None:
    product = await pack(shop)
    path, tags = f"{PRODUCTS}{product['uid']}/", []

    async def note() -> None:
        tags.append((await shop.get(path)).headers["ETag"])
        assert (await shop.get(path, headers={"If-None-Match": tags[-1]})).status_code == 304

    await note()
    asset = await upload(shop, product)
    await note()
    await shop.patch(f"{ASSETS}{asset['uid']}/", json={"display_name": "x"})
    await note()
    await shop.delete(f"{ASSETS}{asset['uid']}/")
    await note()
    assert len(set(tags)) == 4
    assert (await shown(shop, product))["has_primary_asset"] is False
    stale = await shop.patch(path, json={"title": "x"}, headers={"If-Match": tags[1]})
    assert stale.status_code == 412


async def test_a_product_that_goes_takes_its_assets_with_it(shop: httpx.AsyncClient, database_url: str) -> None:
    product, kept = await pack(shop), await pack(shop)
    gone = [await upload(shop, product), await upload(shop, product)]
    stays = await upload(shop, kept)
    assert (await shop.delete(f"{PRODUCTS}{product['uid']}/")).status_code == 204
    for asset in gone:
        assert (await shop.get(f"{ASSETS}{asset['uid']}/")).status_code == 404
    assert (await shop.get(of(product))).status_code == 404
    assert (await shop.get(f"{ASSETS}{stays['uid']}/")).status_code == 200
    with psycopg.connect(database_url) as connection:
        query = "SELECT count(*) FROM events WHERE topic = 'asset.deleted.v1'"
        assert connection.execute(query).fetchall() == [(2,)]
        query = "SELECT count(*) FILTER (WHERE free_since IS NULL), count(*) FROM asset_file"
        assert connection.execute(query).fetchall() == [(1, 3)]
        assert connection.execute("SELECT count(*) FROM child").fetchall() == [(1,)]
