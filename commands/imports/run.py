"""One run over a file: rows in batches, read ahead of the database's work."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, BinaryIO, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from commands.imports.arrivals import IMPORT_CLAIM, ImportRow, Made
from commands.imports.formats import Layout, recognise
from commands.imports.reader import Table, records, survey
from commands.imports.rows import Parse, Refused, Row, interpret
from commands.imports.seen import Seen
from commands.store import Store
from commands.work import Context
from domain.errors import Busy, Taken
from domain.product.form import CREATE
from domain.rates import USD

BATCH_ROWS = 500
BATCH_CHARACTERS = 4_000_000
COPY_CHARACTERS = 2_000
"""What a copy of a listing counts as: many copies in few characters are a large transaction too."""
READ_AHEAD_BATCHES = 4
LISTED = 100
"""How many refused rows and repeats a summary lists; the rejects file has every refused one."""
TAKEN_ATTEMPTS = 5
UNKNOWN_RELEASE = (
    "release_id: No product of this release is known, and this file has no titles. "
    "Import a collection or inventory export that has it first."
)

T = TypeVar("T")


class Options(Struct, frozen=True, kw_only=True):
    """How a person wants a file read. `mapping` is field -> column; None for encoding or delimiter: find out.
    `currency` is the seller's own, which a seller's file has its prices in and does not name."""

    type: str = "physical"
    currency: str = USD
    mapping: Mapping[str, str] = {}
    encoding: str | None = None
    delimiter: str | None = None


class Repeat(NamedTuple):
    """A row that says again what an earlier row of the file said: the same release, in a seller's file the same
    listing."""

    line: int
    first_line: int


class Batch(NamedTuple):
    """Some rows of the file in their order. `size` counts all of them."""

    size: int
    rows: list[Row]
    refused: list[Refused]
    repeats: list[Repeat]


class Counts(Struct):
    """What became of the rows so far, of four kinds that add up to `done`; and what the `created` ones made."""

    done: int = 0
    created: int = 0
    unchanged: int = 0
    duplicates: int = 0
    rejected: int = 0
    products: int = 0
    items: int = 0
    presences: int = 0

    def add(self, batch: Batch, made: Made) -> None:
        self.done += batch.size
        self.created += made.rows
        self.unchanged += len(batch.rows) - made.rows
        self.duplicates += len(batch.repeats)
        self.rejected += len(batch.refused)
        self.products += made.products
        self.items += made.items
        self.presences += made.presences


class Source:
    """A file that was looked at: what it is and how many rows it has. `file` can seek and is read from its start.

    Raises UnreadableFile."""

    def __init__(self, file: BinaryIO, options: Options, parse: Parse = CREATE.parse) -> None:
        self._file = file
        self._parse = parse
        self._type = options.type
        self._currency = options.currency
        self.table: Table = survey(file, options.encoding, options.delimiter)
        self.layout: Layout = recognise(self.table.header, options.mapping)

    def count(self) -> int:
        """Return the number of rows, by reading them all once."""
        return sum(1 for _ in records(self._file, self.table))

    def batches(self, size: int = BATCH_ROWS, cut_at: int = 0) -> Iterator[Batch]:
        """Yield the rows; a batch ends at the row number `cut_at`, where an earlier run got to."""
        seen = Seen()
        try:
            read = records(self._file, self.table)
            meanings = interpret(read, self.layout, self._type, self._parse, self._currency)
            done = 0
            while True:
                wanted = min(size, cut_at - done) if done < cut_at else size
                batch = _batch(islice(meanings, wanted), seen)
                if not batch.size:
                    return
                done += batch.size
                yield batch
        finally:
            seen.close()


def _batch(rows: Iterable[Row | Refused], seen: Seen) -> Batch:
    """Take rows until they are all taken, or big enough together: a batch is one transaction and is held in memory."""
    size = 0
    good: list[Row] = []
    refused: list[Refused] = []
    repeats: list[Repeat] = []
    for row in rows:
        if isinstance(row, Refused):
            refused.append(row)
        else:
            found = _placed(row, seen)
            if isinstance(found, Repeat):
                repeats.append(found)
            else:
                good.append(found)
                if found.product.copies is not None:
                    size += found.product.copies.count * COPY_CHARACTERS
        size += sum(map(len, row.cells))
        if size > BATCH_CHARACTERS:
            break
    return Batch(len(good) + len(refused) + len(repeats), good, refused, repeats)


def _placed(row: Row, seen: Seen) -> Row | Repeat:
    """Say of a row which of the file's rows for its product or listing it is."""
    product, copies = row.product, row.product.copies
    first_line = seen.first(product.claim, row.line)
    if copies is None:
        return row if first_line is None else Repeat(row.line, first_line)
    if copies.listing is not None:
        if (listed_line := seen.first(f"{copies.source}:{copies.name}", row.line)) is not None:
            return Repeat(row.line, listed_line)
    elif before := seen.copies(copies.name, copies.count):
        # Rows that are alike are copies that are alike: without a listing nothing tells them apart.
        copies = replace(copies, first=before + 1)
    return row._replace(product=replace(product, copies=copies, is_repeat=first_line is not None))


def settle(batch: Batch, store: Store, context: Context) -> Batch:
    """Refuse the rows that name a release without a title where no product of it is known."""
    nameless = [row for row in batch.rows if row.product.values is None]
    if not nameless:
        return batch
    held = store.holders(context.organization, IMPORT_CLAIM, [row.product.claim for row in nameless])
    unknown = [row for row in nameless if row.product.claim not in held]
    refused = [*batch.refused, *(Refused(row.line, UNKNOWN_RELEASE, row.cells) for row in unknown)]
    missing = {row.line for row in unknown}
    return batch._replace(rows=[row for row in batch.rows if row.line not in missing], refused=sorted(refused))


def products(batch: Batch) -> list[ImportRow]:
    return [row.product for row in batch.rows]


def until_not_taken(execute: Callable[[], Any]) -> Any:
    """Try again where another import of the same rows was faster: what it took is then found as taken; or where the
    same products were written to at once, again and again."""
    for _ in range(TAKEN_ATTEMPTS - 1):
        with contextlib.suppress(Taken, Busy):
            return execute()
    return execute()


def ahead(items: Callable[[], Iterator[T]], depth: int = READ_AHEAD_BATCHES) -> Iterator[T]:
    """Yield what `items()` yields, made in a thread of its own, up to `depth` in advance."""
    made: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(depth)
    abandoned = threading.Event()

    def put(item: tuple[T] | BaseException | None) -> None:
        while not abandoned.is_set():
            with contextlib.suppress(queue.Full):
                made.put(item, timeout=0.2)
                return

    def produce() -> None:
        source = items()
        try:
            for item in source:
                put((item,))
                if abandoned.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the items are taken
            put(error)

    thread = threading.Thread(target=produce, name="import-reader", daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        abandoned.set()
        thread.join()
