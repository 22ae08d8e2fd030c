import hashlib
import secrets
from collections.abc import Iterator

import pytest

from commands.asset_blobs import Reading, Sending, new_key, part_bytes
from commands.blobs import LEAST_PART_BYTES, MOST_PARTS, Blobs
from commands.settings import Settings
from domain.errors import NotFound
from tests.scenario import ORGANIZATION

GIB = 1024**3


@pytest.fixture
def blobs(s3: Settings) -> Iterator[Blobs]:
    found = Blobs(s3)
    yield found
    found.close()


def is_there(blobs: Blobs, key: str) -> bool:
    try:
        return blobs.size_bytes(key) > 0
    except NotFound:
        return False


def test_parts_are_small_until_there_would_be_too_many() -> None:
    assert part_bytes(5 * GIB) == LEAST_PART_BYTES
    for size in (60 * GIB, 1000 * GIB):
        assert -(-size // part_bytes(size)) <= MOST_PARTS
        assert part_bytes(size) % 1024**2 == 0


def test_a_key_says_whose_it_is_and_cannot_be_guessed() -> None:
    keys = {new_key(ORGANIZATION) for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith(f"{ORGANIZATION}/assets/") and len(key.split("/")[2]) == 32 for key in keys)


def test_nothing_is_there_before_it_is_kept_and_nothing_after_it_is_discarded(blobs: Blobs) -> None:
    first, rest = secrets.token_bytes(LEAST_PART_BYTES), b"rest"
    for parts in ([first, first], [first], []):
        key = new_key(ORGANIZATION)
        sending = Sending(blobs, key, "application/zip")
        for part in parts:
            sending.add(part)
        sending.end(rest)
        data = b"".join([*parts, rest])
        assert sending.sha256 == hashlib.sha256(data).hexdigest()
        assert not is_there(blobs, key)
        sending.keep()
        reading = Reading(blobs, key)
        while reading.go_on():
            pass
        assert (reading.size_bytes, reading.sha256) == (len(data), sending.sha256)
        sending.discard()
        assert not is_there(blobs, key)
        sending.discard()


def test_what_is_discarded_half_way_takes_no_more_parts(blobs: Blobs) -> None:
    sending = Sending(blobs, new_key(ORGANIZATION), "application/zip")
    sending.add(bytes(LEAST_PART_BYTES))
    sending.discard()
    with pytest.raises(NotFound):
        sending.add(bytes(LEAST_PART_BYTES))


def test_an_end_that_is_empty_adds_no_part(blobs: Blobs) -> None:
    key = new_key(ORGANIZATION)
    sending = Sending(blobs, key, "application/zip")
    sending.add(bytes(LEAST_PART_BYTES))
    sending.end(b"")
    sending.keep()
    assert blobs.size_bytes(key) == LEAST_PART_BYTES
    sending.discard()
