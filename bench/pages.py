"""The reads that are measured: names, what is asked, and by how much Deadwax is to be ahead."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from bench import load
from bench.albums import COMMON_TAG, COMMON_WORD, albums, vocabulary
from bench.sellers import Seller
from domain import ids

LIST = "/api/v1/products/"
PAGE_SIZE = 15
AHEAD = 15
"""How many times the better peer's answers a second, in the large organization."""
WITHIN_MS = 100
"""What the 99th percentile stays below."""
_DETAILS, _SEARCHES, _PAGES = 200, 300, 1000


class Scenario(NamedTuple):
    """`paths` are asked in turn. `ahead` is None where peers are shown for orientation alone; `limits` says whether
    the constant handler and the bare statement are measured too."""

    name: str
    title: str
    paths: Sequence[str]
    ahead: float | None = AHEAD
    limits: bool = False

    def requests(self, seller: Seller) -> list[bytes]:
        return [load.get(path, seller.key) for path in self.paths]


FIRST_PAGE = Scenario("first-page", "first page", [LIST], None, limits=True)


def scenarios(seller: Seller) -> list[Scenario]:
    """Return what is asked of one seller's products; the first page, with bounds of its own, comes first."""
    last = -(-seller.products // PAGE_SIZE)
    deep = min(200, last // 2 + 1)
    shuffled = Random(3)  # noqa: S311 - an order, not a secret
    pages = shuffled.sample(range(1, last + 1), min(_PAGES, last))
    words = vocabulary()
    rare = words[-1]
    mixed = f"?search={COMMON_WORD}&status=listed&tags={COMMON_TAG}&ordering=price_high_low&page=2"
    step = max(1, seller.products // _DETAILS)
    chosen = [next(albums(seller.number, number, 1)).id for number in range(0, seller.products, step)]
    return [
        FIRST_PAGE,
        Scenario("page-size-100", "page_size=100", [f"{LIST}?page_size=100"], limits=True),
        Scenario("page-200", f"page {deep}", [f"{LIST}?page={deep}"], limits=True),
        Scenario(
            "common-word", f"search, a word of half the products ({COMMON_WORD})", [f"{LIST}?search={COMMON_WORD}"]
        ),
        Scenario("rare-word", f"search, a rare word ({rare})", [f"{LIST}?search={rare}"]),
        Scenario("status", "status=listed", [f"{LIST}?status=listed"]),
        Scenario("tags", f"tags={COMMON_TAG}", [f"{LIST}?tags={COMMON_TAG}"]),
        Scenario("price-high-low", "ordering=price_high_low", [f"{LIST}?ordering=price_high_low"]),
        Scenario("most-inventory", "ordering=most_inventory", [f"{LIST}?ordering=most_inventory"]),
        Scenario("detail", "detail", [f"{LIST}{ids.uid(ids.PRODUCT, id)}/" for id in chosen], limits=True),
        Scenario("combined", "word, status, tag and price order, page 2", [LIST + mixed], None),
        Scenario("last-page", f"page {last:,}, the last", [f"{LIST}?page={last}"], None),
        Scenario("distinct-pages", "another page each time", [f"{LIST}?page={page}" for page in pages], None),
        Scenario(
            "distinct-searches",
            "another word each time",
            [f"{LIST}?search={word}" for word in words[100 :: len(words) // _SEARCHES]],
            None,
        ),
    ]
