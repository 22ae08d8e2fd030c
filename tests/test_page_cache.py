"""Hot pages: kept while nothing was written, never a byte longer."""

import asyncio
import random

import httpx
import pytest
from msgspec.structs import replace

from api.page_cache import Page, PageCache
from commands.settings import Settings
from tests.clients import PRODUCTS, Key, create, serving

pytestmark = pytest.mark.anyio


class Counted:
    """A page that says how often it was made."""

    def __init__(self, size_bytes: int = 10) -> None:
        self.made = 0
        self._size_bytes = size_bytes

    async def __call__(self) -> Page:
        self.made += 1
        await asyncio.sleep(0)
        return Page(b"%d" % self.made + b"x" * self._size_bytes, "tag")


async def test_a_page_is_made_once_for_each_revision() -> None:
    cache, page = PageCache(10_000), Counted()
    first = [await cache.page("q", 1, page) for _ in range(3)]
    second = [await cache.page("q", 2, page) for _ in range(3)]
    assert page.made == 2
    assert len({*first}) == len({*second}) == 1
    assert first[0] != second[0]


async def test_an_older_page_does_not_stand_in_for_a_newer_one_nor_the_other_way_round() -> None:
    cache, page = PageCache(10_000), Counted()
    bodies = [await cache.page("q", revision, page) for revision in (2, 1, 2)]
    assert len({*bodies}) == page.made == 3


async def test_who_asks_at_once_shares_one_answer_also_with_nothing_kept() -> None:
    cache, page = PageCache(0), Counted()
    await asyncio.gather(*(cache.page("q", 1, page) for _ in range(10)))
    assert page.made == 1
    await cache.page("q", 1, page)
    assert page.made == 2


async def test_what_is_kept_stays_within_its_limit_and_the_least_wanted_goes_first() -> None:
    cache = PageCache(10_000)
    pages = [Counted(1000) for _ in range(30)]
    for number, page in enumerate(pages):
        await cache.page(number, 1, page)
        await cache.page(0, 1, pages[0])
    assert cache.size_bytes <= 10_000
    assert pages[0].made == 1
    await cache.page(29, 1, pages[29])
    assert pages[29].made == 1
    await cache.page(1, 1, pages[1])
    assert pages[1].made == 2


async def test_a_page_too_large_for_its_share_is_answered_and_not_kept() -> None:
    cache, page = PageCache(10_000), Counted(5_000)
    await cache.page("q", 1, page)
    await cache.page("q", 1, page)
    assert page.made == 2
    assert cache.size_bytes == 0


async def test_a_refusal_is_not_kept() -> None:
    async def refuse() -> Page:
        raise LookupError

    cache, page = PageCache(10_000), Counted()
    with pytest.raises(LookupError):
        await cache.page("q", 1, refuse)
    assert await cache.page("q", 1, page)


async def test_no_read_after_a_write_shows_what_was_before_it_on_either_of_two_servers(
    plain_settings: Settings, key: Key
) -> None:
    settings = replace(plain_settings, page_cache_mib=8)
    async with serving(settings, key.text) as one, serving(settings, key.text) as other:
        products = [await create(one, title=f"{number}.0") for number in range(5)]
        newest = [0] * len(products)

        async def write(number: int) -> None:
            for version in range(1, 25):
                server = random.choice((one, other))  # noqa: S311
                body = {"title": f"{number}.{version}"}
                answer = await server.patch(f"{PRODUCTS}{products[number]['uid']}/", json=body)
                assert answer.status_code == 200
                newest[number] = version

        async def read(server: httpx.AsyncClient) -> None:
            while min(newest) < 24:
                known = list(newest)
                results = (await server.get(PRODUCTS)).json()["results"]
                titles = [product["title"].split(".") for product in results]
                found = {int(number): int(version) for number, version in titles}
                assert all(found[number] >= version for number, version in enumerate(known))

        await asyncio.gather(
            *(write(number) for number in range(len(products))), *(read(server) for server in (one, other) * 3)
        )
