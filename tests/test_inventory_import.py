"""Sellers' files: products with their copies and listings, once, whatever happens meanwhile."""

import csv
import io
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from commands.imports.bring_in import bring_in
from commands.imports.run import Options, Source, products
from commands.inventory import DeleteItem, ReviseItem
from commands.presence import DeletePresence
from commands.product import DeleteProduct
from commands.settings import Settings
from domain import ids
from domain.errors import Conflict
from domain.imports import imports
from domain.imports.events import ImportAdvanced, ImportRequested
from projections.rebuild import rebuild
from tests.importing import SHARED, Shop, eventually, hand_in, needs_shared, numbers, shop, status, working
from tests.scenario import STAMP

HEADER_2020 = [
    "listing_id",
    "artist",
    "title",
    "label",
    "catno",
    "format",
    "release_id",
    "status",
    "price",
    "listed",
    "comments",
    "media_condition",
    "sleeve_condition",
    "accept_offer",
    "external_id",
    "weight",
    "format_quantity",
    "flat_shipping",
    "location",
]
HEADER_2026 = [*HEADER_2020[:-2], "location", "quantity"]
UPLOAD = "release_id,price,media_condition,sleeve_condition,comments,status,external_id\n"
STATUSES = ("For Sale", "Draft", "Sold", "Expired")


@pytest.fixture
def at(database_url: str) -> Iterator[Shop]:
    with shop(database_url) as found:
        yield found


def listing(number: int, release: int = 5134861, **cells: Any) -> dict[str, Any]:
    return {
        "listing_id": number, "artist": f"Artist {release % 50} (2)", "title": f"Album {release}",
        "label": "Nuclear Blast",
        "catno": f"NB {release}", "format": "CD, Album", "release_id": release, "status": "For Sale", "price": "9.50",
        "media_condition": "Very Good Plus (VG+)", "sleeve_condition": "Generic", "accept_offer": "N", "weight": 100,
        "format_quantity": 1, "quantity": 1, **cells,
    }  # fmt: skip


def export(rows: Sequence[dict[str, Any]], header: Sequence[str] = HEADER_2026) -> bytes:
    """Make a seller's inventory export as Discogs writes it."""
    file = io.StringIO()
    writer = csv.DictWriter(file, header, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def stock(rows: int, releases: int) -> bytes:
    """Make the export of a shop whose copies of one release lie far apart."""
    return export(
        [listing(n, 1 + n % releases, status=STATUSES[n % 4], external_id=f"S{n}") for n in range(1, rows + 1)]
    )


def made(at: Shop, data: bytes, **options: Any) -> tuple[int, int, int]:
    """Import; return how many products, items and presences that made."""
    counts = at.bring(data, **options)[0].counts
    assert counts.done == counts.created + counts.unchanged + counts.duplicates + counts.rejected
    assert bool(counts.created) == bool(counts.products or counts.items or counts.presences)
    return counts.products, counts.items, counts.presences


def stored(at: Shop) -> tuple[int, int, int]:
    """Return how many products, items and presences there are."""
    tables = ("product_list", "inventory_list", "presence_list")
    first, second, third = (at.rows(f"SELECT count(*) FROM {table} WHERE organization = %s")[0][0] for table in tables)
    return first, second, third


def children(at: Shop, table: str) -> list[UUID]:
    return [row[0] for row in at.rows(f"SELECT id FROM {table} WHERE organization = %s ORDER BY id")]


@pytest.mark.parametrize("header", [HEADER_2020, HEADER_2026])
def test_copies_of_one_release_are_items_of_one_product_each_with_its_listing(at: Shop, header: list[str]) -> None:
    data = export(
        [
            listing(11, comments="Sealed", external_id="A-1", location="Shelf 3"),
            listing(12, status="Draft", price="100.0", media_condition="Mint (M)"),
            listing(13, 77, status="Sold"),
        ],
        header,
    )
    assert made(at, data) == (2, 3, 3)
    album, sold = at.products()
    assert album["artist"]["name"] == "Artist 11"
    assert (album["total_inventory_count"], album["listed_inventory_count"]) == (2, 1)
    first, second = album["inventory_items"]
    assert (first["title"], first["status"], first["resolved_sku"]) == ("Album 5134861 — VG+", "listed", "A-1")
    assert (first["condition_container"], first["condition_comments"]) == ("generic", "Sealed")
    assert (first["listing_current_price"], first["price_total_usd"]) == ("9.50", None)
    assert (second["status"], second["condition_item"], second["resolved_sku"]) == (
        "ready-to-sell",
        "mint",
        "NB-5134861-002",
    )
    active, draft = album["marketplace_presences"]
    assert (active["platform"]["slug"], active["status"], active["is_selling_enabled"]) == ("discogs", "active", True)
    assert active["external_url"] == "https://www.discogs.com/sell/item/11"
    assert (draft["listing_price"], draft["listing_currency"], draft["listing_price_usd"]) == (
        "100.00",
        "USD",
        "100.00",
    )
    assert album["price_computed_usd"] == "9.50"
    assert (sold["inventory_items"][0]["status"], sold["marketplace_presences"]) == ("sold", [])
    assert made(at, data) == (0, 0, 0)
    assert stored(at) == (2, 3, 3)


def test_a_shops_export_comes_once_however_often_it_is_imported(at: Shop) -> None:
    data = stock(1400, 300)
    assert made(
        at,
        data,
    ) == (300, 1400, 1400)
    assert stored(at) == (300, 1400, 1400)
    assert made(at, data) == (0, 0, 0)
    assert stored(at) == (300, 1400, 1400)
    before = at.products()
    assert [item["resolved_sku"] for item in before[0]["inventory_items"]] == ["S1", "S301", "S601", "S901", "S1201"]
    rebuild(at.database_url)
    assert at.products() == before
    assert made(at, stock(1401, 300)) == (0, 1, 1)


def test_a_dry_run_counts_what_the_run_makes(at: Shop) -> None:
    data = stock(1100, 400)
    assert made(at, data, dry_run=True) == (400, 1100, 1100)
    assert stored(at) == (0, 0, 0)
    made(at, stock(600, 400))
    assert made(at, data, dry_run=True) == made(at, data) == (0, 500, 500)


def test_a_listing_of_many_copies_is_as_many_items(at: Shop) -> None:
    assert made(at, export([listing(1, quantity=3), listing(2, quantity=0), listing(3, quantity="")])) == (1, 4, 3)
    assert made(at, export([listing(1, quantity=5)])) == (0, 2, 0)
    assert made(at, export([listing(1, quantity=2)])) == (0, 0, 0)
    assert [item["resolved_sku"][-3:] for item in at.products()[0]["inventory_items"]] == [
        f"00{n}" for n in range(1, 7)
    ]


def test_bad_rows_and_repeated_listings_are_named_and_stop_nobody(at: Shop) -> None:
    rows = [listing(1), listing(2, price="cheap"), listing(1, comments="again"), listing(3, media_condition="Shiny")]
    summary, rejects = at.bring(export([*rows, listing(4, status="Lost"), listing(5, price="1.234")]))
    assert [(row.line, row.reason) for row in summary.errors] == [
        (3, 'price: "cheap" cannot be read.'),
        (5, 'media_condition: "Shiny" cannot be read.'),
        (6, 'status: "Lost" cannot be read.'),
        (7, "price: Ensure that there are no more than 2 decimal places."),
    ]
    assert summary.repeats == [(4, 2)]
    assert stored(at) == (1, 1, 1)
    assert len(rejects.splitlines()) == 5


def test_prices_in_another_currency_are_the_listings(at: Shop) -> None:
    assert made(at, export([listing(1, price="21.00")]), currency="EUR") == (1, 1, 1)
    [product] = at.products()
    [presence] = product["marketplace_presences"]
    assert (presence["listing_price"], presence["listing_currency"]) == ("21.00", "EUR")
    assert (presence["listing_price_usd"], product["price_computed_usd"]) == (None, None)
    assert product["inventory_items"][0]["listing_current_price"] is None


def test_alike_rows_of_an_upload_file_are_alike_copies_and_come_once(at: Shop) -> None:
    made(at, export([listing(1, 7, quantity=0)]))
    data = (UPLOAD + "7,5.00,Mint (M),,,Draft,\n" * 2 + "7,5.00,Mint (M),,,Draft,A\n" * 2).encode()
    assert made(at, data) == (0, 4, 0)
    assert made(at, data) == (0, 0, 0)
    more = data + b"7,5.00,Mint (M),,,For Sale,\n7,6.00,Mint (M),,,Draft,A\n7,6.00,Mint (M),,,Draft,B\n"
    assert made(at, more) == (0, 3, 0)


def test_a_copy_that_was_uploaded_comes_back_with_its_listing(at: Shop) -> None:
    made(at, export([listing(1, 7, quantity=0)]))
    made(at, (UPLOAD + "7,5.00,Mint (M),,,Draft,A\n7,5.00,Mint (M),,,Draft,\n").encode())
    [_, nameless] = children(at, "inventory_list")
    ours = ids.uid(ids.INVENTORY, nameless)
    listed = [listing(n, 7, external_id=number) for n, number in ((21, "A"), (22, "A"), (23, ours))]
    # One copy of this number is there; the other listing of it is another copy.
    assert made(at, export(listed)) == (0, 1, 3)
    assert made(at, export(listed)) == (0, 0, 0)
    # The claims hold when the seller renames a copy.
    at.bus.execute(ReviseItem(id=nameless, values={"manual_sku": "Z"}), at.context)
    assert made(at, export(listed)) == (0, 0, 0)


def test_what_was_deleted_comes_back_with_the_next_import(at: Shop) -> None:
    data = export([listing(1), listing(2)])
    made(at, data)
    at.bus.execute(DeleteItem(id=children(at, "inventory_list")[0]), at.context)
    assert made(at, data) == (0, 1, 0)
    [product] = children(at, "product_list")
    at.bus.execute(DeletePresence(id=children(at, "presence_list")[0], product=product), at.context)
    assert made(at, data) == (0, 0, 1)
    at.bus.execute(DeleteProduct(product), at.context)
    assert stored(at) == (0, 0, 0)
    assert made(at, data) == (1, 2, 2)


def test_a_listing_that_moved_to_another_release_stays_where_it_is(at: Shop) -> None:
    made(at, export([listing(1, 7)]))
    assert made(at, export([listing(1, 8)])) == (1, 0, 0)
    assert stored(at) == (2, 1, 1)


@pytest.mark.parametrize("meanwhile", ["deleted", "moved on"])
def test_copies_are_decided_again_when_their_product_changed_meanwhile(at: Shop, meanwhile: str) -> None:
    made(at, export([listing(1)]))
    [batch] = Source(io.BytesIO(export([listing(1), listing(2)])), Options()).batches()
    ready = at.bus.store.prepare([bring_in(products(batch), at.bus.work(at.context)).save])
    if meanwhile == "deleted":
        at.bus.execute(DeleteProduct(children(at, "product_list")[0]), at.context)
    else:
        made(at, export([listing(3)]))
    with pytest.raises(Conflict):
        at.bus.store.write(ready)
    assert made(at, export([listing(1), listing(2)])) == ((1, 2, 2) if meanwhile == "deleted" else (0, 1, 1))


def test_two_imports_at_once_of_products_that_are_being_deleted_double_nothing(at: Shop) -> None:
    data, ended = stock(900, 60), threading.Event()

    def delete() -> None:
        while not ended.wait(0.1):
            for product in children(at, "product_list")[:2]:
                at.bus.execute(DeleteProduct(product), at.context)

    threads = [threading.Thread(target=made, args=(at, data)) for _ in range(2)]
    deleting = threading.Thread(target=delete)
    for thread in (*threads, deleting):
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    deleting.join()
    made(at, data)
    assert stored(at) == (60, 900, 900)
    assert at.rows("SELECT count(*) FROM child WHERE %s IS NOT NULL") == [(1800,)]


def test_a_worker_that_is_killed_leaves_nothing_half_done(at: Shop, settings: Settings, s3: Settings) -> None:
    at_work = replace(settings, s3_bucket=s3.s3_bucket, log_level="warning", log_format="json")
    id = hand_in(at, at_work, stock(3500, 1500))
    with working(at_work) as worker:
        eventually(lambda: status(at, id).get("rows_done", 0) >= 500)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert 500 <= status(at, id)["rows_done"] < 3500
    at.rows("UPDATE lease SET until = now() WHERE %s IS NOT NULL RETURNING 1")
    with working(at_work):
        eventually(lambda: status(at, id)["status"] == "done")
    found = status(at, id)
    assert numbers(found) == [3500, 3500, 3500, 0, 0, 0]
    assert (found["products_created"], found["items_created"], found["presences_created"]) == (1500, 3500, 3500)
    assert stored(at) == (1500, 3500, 3500)
    assert len({row[0] for row in at.rows("SELECT number FROM presence_list WHERE organization = %s")}) == 3500


def test_what_older_imports_told_is_still_read() -> None:
    id = UUID(int=5)
    requested = ImportRequested(**STAMP.on(id, 1), filename="a", blob="b", size_bytes=1, sha256="", type="physical")
    advanced = ImportAdvanced(**STAMP.on(id, 2), rows=9, created=7, unchanged=2)
    state = imports.fold([requested, advanced])
    assert state is not None
    assert (state.currency, state.products_created, state.items_created) == ("USD", 7, 0)


@needs_shared
def test_a_real_export_of_discogs_is_a_product_an_item_and_a_presence(at: Shop) -> None:
    data = (SHARED / "inventory/discogs-inventory-2026-live-1row.csv").read_bytes()
    assert made(at, data) == (1, 1, 1)
    [product] = at.products()
    [item] = product["inventory_items"]
    assert (product["title"], item["status"], item["listing_current_price"]) == (
        "Glory To The Brave",
        "ready-to-sell",
        "100.00",
    )
    assert (item["resolved_sku"], item["condition_comments"]) == (
        "API_TEST_EXTERNAL_ID",
        "API_TEST_CREATE_INVENTORY_EXPORT",
    )
    assert product["marketplace_presences"][0]["external_listing_id"] == "4332778344"
    assert made(at, data) == (0, 0, 0)
    assert made(at, (SHARED / "inventory/discogs-inventory-2020-header-only.csv").read_bytes()) == (0, 0, 0)
