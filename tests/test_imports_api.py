import csv
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest
from minio import Minio
from msgspec.structs import replace
from redis import Redis

from api.uploads import clean_filename
from commands.settings import Settings
from tests.clients import Key, make_key, serving
from tests.importing import album_list, working

pytestmark = pytest.mark.anyio

IMPORTS = "/api/v1/imports/"
CHARSET = (
    b'--B\r\nContent-Disposition: form-data; name="type"\r\nContent-Type: text/plain; charset=klingon\r\n\r\nx'
    b"\r\n--B--\r\n"
)
FILE = "title,artist,year\nHomogenic,Björk,1997\n,Air,1998\nDebut,Björk,1993\n".encode()


@pytest.fixture
def import_settings(plain_settings: Settings, s3: Settings) -> Settings:
    return replace(plain_settings, s3_bucket=s3.s3_bucket)


@pytest.fixture
async def importer(import_settings: Settings, key: Key) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(import_settings, key.text) as client:
        yield client


def file(data: bytes = FILE, name: str = "list.csv") -> dict[str, Any]:
    return {"file": (name, data, "text/csv")}


def stored_files(settings: Settings) -> list[str]:
    """Return the names of all files in the bucket."""
    endpoint = settings.s3_endpoint_url.removeprefix("http://")
    access, secret = settings.s3_access_key, settings.s3_secret_key
    bucket = Minio(endpoint, access_key=access, secret_key=secret, secure=False, region=settings.s3_region)
    return [found.object_name or "" for found in bucket.list_objects(settings.s3_bucket, recursive=True)]


async def finished(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    with anyio.fail_after(30):
        while True:
            found: dict[str, Any] = (await client.get(url)).json()
            if found["status"] in {"done", "failed"}:
                return found
            await anyio.sleep(0.05)


async def test_a_file_is_taken_worked_on_and_reported(importer: httpx.AsyncClient, import_settings: Settings) -> None:
    response = await importer.post(IMPORTS, files=file(), data={"type": "physical"})
    assert response.status_code == 202, response.text
    asked = response.json()
    assert (asked["status"], asked["filename"], asked["size"]) == ("queued", "list.csv", len(FILE))
    assert (asked["rows_total"], asked["format"], asked["rejects_url"]) == (None, None, None)
    assert response.headers["location"] == f"{IMPORTS}{asked['uid']}/"
    with working(import_settings):
        done = await finished(importer, response.headers["location"])
    assert done["status"] == "done"
    assert [done[f"rows_{name}"] for name in ("total", "done", "created", "rejected")] == [3, 3, 2, 1]
    assert done["errors"] == [{"line": 3, "reason": "title: This field is required."}]
    rejects = await importer.get(done["rejects_url"])
    assert rejects.headers["content-type"] == "text/csv; charset=utf-8"
    assert rejects.headers["content-disposition"].startswith('attachment; filename="list-rejects.csv"')
    rows = list(csv.reader(rejects.content.decode("utf-8-sig").splitlines()))
    assert rows == [
        ["line", "reason", "title", "artist", "year"],
        ["3", "title: This field is required.", "", "Air", "1998"],
    ]
    found = (await importer.get("/api/v1/products/", params={"search": "bjork homog"})).json()
    assert [product["title"] for product in found["results"]] == ["Homogenic"]
    product = (await importer.get(f"/api/v1/products/{found['results'][0]['uid']}/")).json()
    assert (product["artist"]["name"], product["year"], product["type"]) == ("Björk", "1997", "physical")


async def test_a_map_is_an_object_or_fields(importer: httpx.AsyncClient, import_settings: Settings) -> None:
    data = "Name;Von\nDebut;Björk\n".encode("cp1252")
    sent = [
        {"map": json.dumps({"title": "Name", "artist": "Von"}), "dry_run": "TRUE"},
        {"map[title]": "Name", "map[artist]": "Von", "dry_run": "1"},
    ]
    with working(import_settings):
        for fields in sent:
            response = await importer.post(IMPORTS, files=file(data), data=fields)
            done = await finished(importer, response.headers["location"])
            assert (done["map"], done["dry_run"]) == ({"title": "Name", "artist": "Von"}, True)
            assert (done["rows_created"], done["encoding"]) == (1, "cp1252")
    assert (await importer.get("/api/v1/products/")).json()["count"] == 0


@pytest.mark.parametrize(
    ("sent", "errors"),
    [
        ({"data": {"type": "physical"}}, {"file": ["No file was submitted."]}),
        ({"files": {"file": ("", b"")}}, {"file": ["No file was submitted."]}),
        ({"files": file(b"")}, {"file": ["The submitted file is empty."]}),
        (
            {"data": {"file": "title"}, "files": {"other": ("x", b"x")}},
            {"file": ["The submitted data was not a file. Check the encoding type on the form."]},
        ),
        (
            {"files": file(), "data": {"type": "vinyl", "dry_run": "maybe", "map": "[1]"}},
            {
                "type": ['"vinyl" is not a valid choice.'],
                "dry_run": ["Must be a valid boolean."],
                "map": ['Expected a JSON object of field to column, e.g. {"title": "Album"}.'],
            },
        ),
    ],
)
async def test_what_is_wrong_with_a_form_is_said_by_field(
    importer: httpx.AsyncClient, sent: dict[str, Any], errors: dict[str, Any]
) -> None:
    if "files" not in sent:
        sent = {**sent, "files": {"other": ("x", b"x")}}
    response = await importer.post(IMPORTS, **sent)
    assert (response.status_code, response.json()) == (400, errors)
    assert (await importer.get(IMPORTS)).json()["count"] == 0


async def test_an_unknown_field_of_a_map_names_those_there_are(importer: httpx.AsyncClient) -> None:
    response = await importer.post(IMPORTS, files=file(), data={"map[colour]": "Farbe"})
    assert response.status_code == 400
    assert response.json()["map"][0].startswith('"colour" is not a field. Fields: album, artist,')


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=B", b"", 400),
        ("multipart/form-data; boundary=B", b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n", 400),
        ("multipart/form-data; boundary=B", b'--B\r\nContent-Disposition: form-data; name="file"; filename="a', 400),
        ("multipart/form-data; boundary=B", b"--B\r\nnonsense\r\n\r\n\r\n--B--\r\n", 400),
        (
            "multipart/form-data; boundary=B",
            b'--B\r\nContent-Disposition: form-data; name="type"\r\n\r\n\xff\xfe\r\n--B--\r\n',
            400,
        ),
        (
            "multipart/form-data; boundary=B",
            b'--B\r\nContent-Disposition: form-data; name="file"; filename="a\r\nb"\r\n\r\nx\r\n--B--\r\n',
            400,
        ),
        ("multipart/form-data; boundary=B", CHARSET, 400),
    ],
)
async def test_a_malformed_form_is_refused_plainly(
    importer: httpx.AsyncClient, content_type: str, body: bytes, status: int
) -> None:
    response = await importer.post(IMPORTS, content=body, headers={"Content-Type": content_type})
    assert response.status_code == status, response.text


async def test_all_that_is_wrong_with_a_form_is_said_at_once_and_no_inner_error_shows(
    importer: httpx.AsyncClient,
) -> None:
    def form(head: bytes, value: bytes) -> bytes:
        return b"--B\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + value + b"\r\n--B--\r\n"

    sent = {"Content-Type": "multipart/form-data; boundary=B"}
    response = await importer.post(IMPORTS, content=form(b'name="type"', b"\xff"), headers=sent)
    assert response.json() == {"file": ["No file was submitted."], "type": ["Not valid UTF-8."]}
    response = await importer.post(IMPORTS, content=form(b'name="file"; filename="\xff"', b"x"), headers=sent)
    assert response.json() == {"detail": "Multipart form parse error - Segment header failed to decode"}


async def test_a_file_over_the_limit_is_refused_early(import_settings: Settings, key: Key) -> None:
    async with serving(replace(import_settings, upload_limit_bytes=50_000), key.text) as client:
        assert (await client.post(IMPORTS, files=file(b"x" * 50_001))).status_code == 413
        assert (await client.post(IMPORTS, files=file(b"x" * 5_000_000))).status_code == 413
        assert (await client.post(IMPORTS, files=file(b"title\n" + b"x" * 49_000))).status_code == 202


async def test_imports_are_listed_newest_first_and_belong_to_their_organization(
    importer: httpx.AsyncClient, import_settings: Settings, database_url: str
) -> None:
    made = [(await importer.post(IMPORTS, files=file(name=f"{n}.csv"))).json()["uid"] for n in range(3)]
    first = (await importer.get(IMPORTS, params={"page_size": 2})).json()
    assert [found["uid"] for found in first["results"]] == [made[2], made[1]]
    assert first["count"] == 3
    last = (await importer.get(first["next"])).json()
    assert [found["uid"] for found in last["results"]] == [made[0]]
    assert last["previous"] == f"http://testserver{IMPORTS}?page_size=2"
    assert (await importer.get(IMPORTS, params={"page": 3, "page_size": 2})).json() == {"detail": "Invalid page."}
    assert (await importer.get(f"{IMPORTS}{made[0]}/")).json()["filename"] == "0.csv"
    other = make_key(database_url, "Zapple")
    async with serving(import_settings, other.text) as client:
        assert (await client.get(IMPORTS)).json()["count"] == 0
        for path in (f"{IMPORTS}{made[0]}/", f"{IMPORTS}{made[0]}/rejects/", f"{IMPORTS}imp_nope/"):
            response = await client.get(path)
            assert (response.status_code, response.json()) == (404, {"detail": "Not found."})


async def test_an_import_has_an_entity_tag(importer: httpx.AsyncClient) -> None:
    location = (await importer.post(IMPORTS, files=file())).headers["location"]
    tag = (await importer.get(location)).headers["etag"]
    assert (await importer.get(location, headers={"If-None-Match": tag})).status_code == 304


async def test_without_refused_rows_there_is_no_file_of_them(importer: httpx.AsyncClient) -> None:
    location = (await importer.post(IMPORTS, files=file())).headers["location"]
    assert (await importer.get(f"{location}rejects/")).status_code == 404


async def test_a_repeated_request_is_one_import(importer: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await importer.post(IMPORTS, files=file(), headers=headers)
    again = await importer.post(IMPORTS, files=file(), headers=headers)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    other = await importer.post(IMPORTS, files=file(FILE + b"x,y,1\n"), headers=headers)
    assert other.status_code == 422
    assert (await importer.get(IMPORTS)).json()["count"] == 1


async def test_twins_at_once_are_one_import_and_leave_one_file(
    importer: httpx.AsyncClient, import_settings: Settings
) -> None:
    answers = []

    async def send() -> None:
        answers.append(await importer.post(IMPORTS, files=file(), headers={"Idempotency-Key": "twins"}))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(send)
    assert {(answer.status_code, answer.json()["uid"]) for answer in answers} == {(202, answers[0].json()["uid"])}
    assert (await importer.get(IMPORTS)).json()["count"] == 1
    assert len(stored_files(import_settings)) == 1


async def test_a_read_only_key_imports_nothing(import_settings: Settings, database_url: str, key: Key) -> None:
    reading = make_key(database_url, scopes=("read",), of=key.organization)
    async with serving(import_settings, reading.text) as client:
        assert (await client.post(IMPORTS, files=file())).status_code == 403
        assert (await client.get(IMPORTS)).status_code == 200


async def test_an_import_is_taken_without_a_broker_and_not_without_the_file_store(
    import_settings: Settings, key: Key
) -> None:
    gone = replace(import_settings, redis_url="redis://127.0.0.1:1/0")
    async with serving(gone, key.text) as client:
        assert (await client.post(IMPORTS, files=file())).status_code == 202
    gone = replace(import_settings, s3_endpoint_url="http://127.0.0.1:1")
    async with serving(gone, key.text) as client:
        response = await client.post(IMPORTS, files=file())
        assert (response.status_code, "retry-after" in response.headers) == (503, True)
        assert (await client.get(IMPORTS)).json()["count"] == 1


async def test_a_large_import_shows_its_progress(importer: httpx.AsyncClient, import_settings: Settings) -> None:
    with Redis.from_url(import_settings.redis_url) as redis:
        redis.ping()
    location = (await importer.post(IMPORTS, files=file(album_list(6000)))).headers["location"]
    seen = set()
    with working(import_settings), anyio.fail_after(30):
        while (found := (await importer.get(location)).json())["status"] != "done":
            seen.add((found["status"], found["rows_done"]))
            await anyio.sleep(0.02)
    assert len([rows for status, rows in seen if status == "running" and 0 < rows < 6000]) > 2
    assert found["rows_created"] == found["rows_total"] == 6000


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\list.csv", "list.csv"),
        ("a\u202egpj.csv", "agpj.csv"),
        ("ta\u0308g\r\n\u2028.csv", "täg.csv"),
        ("コレクション.csv", "コレクション.csv"),
        ("x" * 300, "x" * 255),
    ],
)
async def test_file_names_are_for_showing_only(given: str, kept: str) -> None:
    assert clean_filename(given) == kept
