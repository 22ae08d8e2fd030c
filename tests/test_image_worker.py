"""Small sizes and the collector, on the real broker, bucket and database, while things break."""

import io
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from msgspec.structs import replace
from PIL import Image as Pillow
from uuid_utils.compat import uuid7

from commands import image_blobs
from commands.blobs import Blobs
from commands.images import SIZES, upright
from commands.inventory import AddPhoto, CreateItem, DeleteItem, RemovePhoto
from commands.product import CreateProduct, DeleteProduct, RemoveImage, ReplaceImage
from commands.settings import Settings
from commands.task import RetryTask
from domain.errors import Busy, NotFound
from domain.image import Image
from domain.task.task import MAX_ATTEMPTS, WORKER_DIED
from tests.importing import Shop, eventually, shop, working
from workers.images import Collector

LONG_AGO = "UPDATE image SET free_since = free_since - interval '1 day', doomed = doomed - interval '1 day'"


@pytest.fixture
def worker_settings(settings: Settings, s3: Settings) -> Settings:
    return replace(settings, s3_bucket=s3.s3_bucket, log_level="error", log_format="json", image_grace_seconds=3600.0)


@pytest.fixture
def blobs(worker_settings: Settings) -> Iterator[Blobs]:
    found = Blobs(worker_settings)
    yield found
    found.close()


@pytest.fixture
def at(database_url: str) -> Iterator[Shop]:
    with shop(database_url) as found:
        yield found


def picture(colour: str = "red", sides: tuple[int, int] = (1500, 900)) -> bytes:
    made = io.BytesIO()
    Pillow.new("RGB", sides, colour).save(made, "JPEG")
    return made.getvalue()


def kept(at: Shop, blobs: Blobs, data: bytes) -> Image:
    """Announce a picture and put it into the bucket, as an upload does before its event."""
    made = upright(data, 50_000_000)
    image = image_blobs.image_of(uuid7(), at.organization, made, "cover.jpg")
    image_blobs.announce(at.bus.store, image, at.organization)
    with made.file as file:
        blobs.put(image.blob, file, image.size_bytes, image.content_type)
    return image


def product(at: Shop) -> UUID:
    id = uuid7()
    at.bus.execute(CreateProduct(id=id, values={"title": "Abbey Road", "type": "physical"}), at.context)
    return id


def item(at: Shop, of: UUID) -> UUID:
    id = uuid7()
    at.bus.execute(CreateItem(id=id, product=of, values={"status": "received"}), at.context)
    return id


def shown(at: Shop, blobs: Blobs, of: UUID, data: bytes | None = None) -> Image:
    image = kept(at, blobs, data or picture())
    at.bus.execute(ReplaceImage(of, image), at.context)
    return image


def rows(at: Shop, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(at.database_url) as connection:
        return connection.execute(statement.encode()).fetchall()


def run(at: Shop, statement: str) -> None:
    with psycopg.connect(at.database_url) as connection:
        connection.execute(statement.encode())


def is_there(blobs: Blobs, key: str) -> bool:
    try:
        return bool(b"".join(blobs.get(key)))
    except NotFound:
        return False


def keys(image: Image) -> Sequence[str]:
    return [image.blob, *(image_blobs.size_key(image.blob, side) for side in SIZES)]


def test_small_sizes_are_made_once_an_event_names_a_picture(at: Shop, blobs: Blobs, worker_settings: Settings) -> None:
    unnamed = kept(at, blobs, picture())
    image = shown(at, blobs, product(at), picture("blue"))
    assert rows(at, "SELECT kind, subject FROM todo") == [("image", image.id)]
    with working(worker_settings):
        eventually(lambda: not rows(at, "SELECT FROM todo"), 20)
    found = {}
    for side in SIZES:
        data = b"".join(blobs.get(image_blobs.size_key(image.blob, side)))
        small = Pillow.open(io.BytesIO(data))
        assert (small.format, max(small.size)) == ("WEBP", side)
        assert small.size[1] == round(side * 0.6)
        found[side] = len(data)
    query = f"SELECT small_bytes, large_bytes FROM image WHERE id = '{image.id}'"
    assert rows(at, query) == [(found[256], found[1024])]
    assert not is_there(blobs, image_blobs.size_key(unnamed.blob, 256))


def test_a_picture_replaced_before_its_turn_is_owed_no_more(at: Shop, blobs: Blobs) -> None:
    of = product(at)
    first, second = shown(at, blobs, of), shown(at, blobs, of)
    assert rows(at, "SELECT subject FROM todo") == [(second.id,)]
    free = dict(rows(at, "SELECT id, free_since IS NOT NULL FROM image"))
    assert free == {first.id: True, second.id: False}
    at.bus.execute(RemoveImage(of), at.context)
    assert rows(at, "SELECT subject FROM todo") == []


def test_a_picture_that_cannot_be_read_any_more_ends_visibly(at: Shop, blobs: Blobs, worker_settings: Settings) -> None:
    gone, killer, broken = (shown(at, blobs, product(at)) for _ in range(3))
    blobs.delete(gone.blob)
    blobs.put(broken.blob, io.BytesIO(b"no picture"), 10)
    # As it is left by workers that each began it and were killed by what they began.
    run(at, f"UPDATE todo SET attempts = 5, fruitless = {MAX_ATTEMPTS} WHERE subject = '{killer.id}'")
    run(at, f"UPDATE todo SET attempts = 4, fruitless = {MAX_ATTEMPTS - 1} WHERE subject = '{broken.id}'")
    with working(worker_settings):
        eventually(lambda: not rows(at, "SELECT FROM todo WHERE dead_since IS NULL"), 40)
    assert dict(rows(at, "SELECT subject, error FROM todo")) == {
        gone.id: "The original is not in the bucket.",
        killer.id: WORKER_DIED,
        broken.id: "UnidentifiedImageError",
    }

    blobs.put(broken.blob, io.BytesIO(picture()), len(picture()))
    for image in (gone, killer, broken):
        at.bus.execute(RetryTask(subject=image.id, kind="image"), at.context)
    with working(worker_settings):
        eventually(lambda: not rows(at, "SELECT FROM todo WHERE dead_since IS NULL"), 40)
    assert rows(at, "SELECT subject FROM todo") == [(gone.id,)]


def test_an_outage_of_the_file_store_counts_as_no_attempt(at: Shop, blobs: Blobs, worker_settings: Settings) -> None:
    image = shown(at, blobs, product(at))
    with working(replace(worker_settings, s3_endpoint_url="http://127.0.0.1:1")) as worker:
        eventually(lambda: bool(rows(at, "SELECT FROM todo WHERE error IS NOT NULL")), 20)
        time.sleep(2)
        worker.terminate()
        worker.wait()
    assert rows(at, "SELECT attempts, fruitless, dead_since FROM todo") == [(0, 0, None)]
    assert rows(at, "SELECT FROM events WHERE topic LIKE 'task.%'") == []
    with working(worker_settings):
        eventually(lambda: is_there(blobs, image_blobs.size_key(image.blob, 256)), 20)


def test_nothing_is_collected_that_something_shows_or_that_may_still_come_to_be_shown(
    at: Shop, blobs: Blobs, database_url: str
) -> None:
    of = product(at)
    first, second, coming = shown(at, blobs, of), shown(at, blobs, of), kept(at, blobs, picture())
    collector = Collector(database_url, blobs, 3600)
    assert collector.collect() == 0
    assert all(is_there(blobs, image.blob) for image in (first, second, coming))
    run(at, f"{LONG_AGO} WHERE id = '{first.id}'")
    assert collector.collect() == 1
    assert [is_there(blobs, image.blob) for image in (first, second, coming)] == [False, True, True]
    at.bus.execute(ReplaceImage(of, coming), at.context)
    run(at, f"{LONG_AGO} WHERE id = '{second.id}'")
    assert collector.collect() == 1
    assert is_there(blobs, coming.blob)


def test_all_files_of_a_picture_go_and_its_row_goes_after_them(at: Shop, blobs: Blobs, database_url: str) -> None:
    image = shown(at, blobs, product(at))
    for key in keys(image):
        blobs.put(key, io.BytesIO(b"x"), 1)
    at.bus.execute(DeleteProduct(product_of(at, image)), at.context)
    run(at, LONG_AGO)
    collector = Collector(database_url, blobs, 3600)
    assert collector.collect() == 1
    assert not any(is_there(blobs, key) for key in keys(image))
    assert rows(at, "SELECT doomed IS NOT NULL FROM image") == [(True,)]
    # What a collector left that was killed in between.
    blobs.put(image.blob, io.BytesIO(b"x"), 1)
    run(at, LONG_AGO)
    assert collector.collect() == 0
    assert not is_there(blobs, image.blob)
    assert rows(at, "SELECT FROM image") == []


def product_of(at: Shop, image: Image) -> UUID:
    query = f"SELECT originator_id FROM events WHERE convert_from(state, 'utf8') LIKE '%{image.id}%' LIMIT 1"
    [[id]] = rows(at, query)
    return UUID(str(id))


def test_photos_go_with_themselves_their_item_or_its_product(at: Shop, blobs: Blobs, database_url: str) -> None:
    of = product(at)
    items = [item(at, of) for _ in range(3)]
    photos = []
    for id in items:
        for _ in range(2):
            photos.append(kept(at, blobs, picture(sides=(20, 20))))
            at.bus.execute(AddPhoto(id=id, image=photos[-1]), at.context)
    assert [free for (free,) in rows(at, "SELECT free_since IS NULL FROM image")] == [True] * 6
    at.bus.execute(RemovePhoto(id=items[0], photo=photos[0].id), at.context)
    at.bus.execute(DeleteItem(id=items[1]), at.context)
    at.bus.execute(ReplaceImage(of, last := kept(at, blobs, picture())), at.context)
    free = {photos[0].id, photos[2].id, photos[3].id}
    assert {id for (id,) in rows(at, "SELECT id FROM image WHERE free_since IS NOT NULL")} == free
    at.bus.execute(DeleteProduct(of), at.context)
    run(at, LONG_AGO)
    assert rows(at, "SELECT FROM todo") == []
    assert Collector(database_url, blobs, 3600).collect() == 7
    assert not any(is_there(blobs, image.blob) for image in (*photos, last))


def test_what_was_collected_cannot_be_shown(at: Shop, blobs: Blobs, database_url: str) -> None:
    of, image = product(at), kept(at, blobs, picture())
    run(at, LONG_AGO)
    assert Collector(database_url, blobs, 3600).collect() == 1
    with pytest.raises(Busy):
        at.bus.execute(ReplaceImage(of, image), at.context)
    assert rows(at, "SELECT FROM events WHERE topic LIKE 'product.image%'") == []


def test_uploads_race_collectors_without_grace_and_no_named_picture_is_lost(
    at: Shop, blobs: Blobs, database_url: str
) -> None:
    """Without any grace a collector may take a picture between its file and its event; the event is refused then."""
    small = picture(sides=(8, 8))
    made: list[tuple[UUID, Image]] = []
    refused: list[Image] = []
    errors: list[BaseException] = []
    over = threading.Event()

    def upload(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - how long to wait
        of = product(at)
        while not over.is_set():
            image = kept(at, blobs, small)
            time.sleep(chance.choice((0.0, 0.0, 0.002, 0.01)))
            try:
                at.bus.execute(ReplaceImage(of, image), at.context)
            except Busy:
                refused.append(image)
            else:
                made.append((of, image))
                # It is named now, and stays so until this thread names another.
                assert is_there(blobs, image.blob)

    def collect() -> None:
        collector = Collector(database_url, blobs, 0.0)
        while not over.is_set():
            collector.collect()

    def noting(work: Callable[[], None]) -> Callable[[], None]:
        def noted() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - told by the test
                errors.append(error)

        return noted

    works = [*(lambda seed=seed: upload(seed) for seed in range(3)), collect, collect]
    threads = [threading.Thread(target=noting(work)) for work in works]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: bool(errors) or (len(made) > 10 and len(refused) > 2), 30)
    finally:
        over.set()
    for thread in threads:
        thread.join()
    assert errors == []
    last = dict(made)
    assert {id for (id,) in rows(at, "SELECT id FROM image WHERE free_since IS NULL")} == {i.id for i in last.values()}
    # A file may come after the collector: then its second visit takes it.
    run(at, LONG_AGO)
    Collector(database_url, blobs, 0.0).collect()
    assert all(is_there(blobs, image.blob) for image in last.values())
    assert not any(is_there(blobs, image.blob) for image in refused)
