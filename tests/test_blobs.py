import io
import secrets
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from commands.blobs import Blobs
from commands.settings import Settings
from domain.errors import NotFound, Unavailable


@pytest.fixture
def blobs(s3: Settings) -> Iterator[Blobs]:
    found = Blobs(s3)
    yield found
    found.close()


def content(blobs: Blobs, key: str) -> bytes:
    return b"".join(blobs.get(key))


def test_what_is_put_is_got(blobs: Blobs) -> None:
    blobs.put("a/b.csv", io.BytesIO(b"title\n"), 6, "text/csv")
    assert content(blobs, "a/b.csv") == b"title\n"
    blobs.put("a/b.csv", io.BytesIO(b"again"), 5)
    assert content(blobs, "a/b.csv") == b"again"
    file = io.BytesIO()
    blobs.copy_to("a/b.csv", file)
    assert file.getvalue() == b"again"


def test_a_file_is_put_from_where_it_stands_and_in_parts(blobs: Blobs) -> None:
    data = secrets.token_bytes(20_000_000)
    file = io.BytesIO(b"skip" + data)
    file.seek(4)
    blobs.put("large", file, len(data))
    assert content(blobs, "large") == data


def test_what_is_not_there_is_not_found_before_the_first_chunk(blobs: Blobs) -> None:
    with pytest.raises(NotFound):
        blobs.get("nothing")


def test_what_is_deleted_is_gone_and_may_be_deleted_again(blobs: Blobs) -> None:
    blobs.put("x", io.BytesIO(b"x"), 1)
    blobs.delete("x")
    blobs.delete("x")
    with pytest.raises(NotFound):
        blobs.get("x")


def test_the_bucket_is_made_when_it_is_missing(s3: Settings) -> None:
    settings = replace(s3, s3_bucket=f"{s3.s3_bucket}-new")
    blobs = Blobs(settings)
    with pytest.raises(NotFound):
        blobs.get("x")
    blobs.put("x", io.BytesIO(b"xyz"), 3)
    assert content(blobs, "x") == b"xyz"
    blobs.delete("x")
    blobs._client.remove_bucket(settings.s3_bucket)
    blobs.close()


@pytest.mark.parametrize("wrong", [{"s3_endpoint_url": "http://127.0.0.1:1"}, {"s3_secret_key": "guessed-wrongly"}])
def test_a_server_that_is_away_or_refuses_is_unavailable(s3: Settings, wrong: dict[str, str]) -> None:
    blobs = Blobs(replace(s3, **wrong))
    with pytest.raises(Unavailable) as error:
        blobs.put("x", io.BytesIO(b"x"), 1)
    assert "guessed" not in str(error.value)
    with pytest.raises(Unavailable):
        blobs.get("x")
    with pytest.raises(Unavailable):
        blobs.check()
    blobs.close()
