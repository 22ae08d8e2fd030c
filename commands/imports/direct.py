"""An import run here and now, by whoever holds the file."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from msgspec import Struct, field

from commands.bus import Bus
from commands.imports.bring_in import bring_in
from commands.imports.rejects import RejectsWriter
from commands.imports.rows import Refused
from commands.imports.run import LISTED, Counts, Repeat, Source, ahead, products, settle
from commands.imports.writer import Writer, Written
from commands.work import Context


class Summary(Struct):
    """`errors` and `repeats` list the first of them, up to a limit; `counts` has them all."""

    counts: Counts = field(default_factory=Counts)
    errors: list[Refused] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)

    def add(self, batch: Written) -> None:
        self.counts.add(*batch)
        self.errors += batch.batch.refused[: LISTED - len(self.errors)]
        self.repeats += batch.batch.repeats[: LISTED - len(self.repeats)]


def run(
    source: Source,
    bus: Bus,
    context: Context,
    rejects: BinaryIO,
    *,
    dry_run: bool = False,
    progress: Callable[[Counts], None] = lambda _: None,
) -> Summary:
    """Import every row that can be; write the refused ones to `rejects` as CSV.

    Each batch is a transaction: a run that is broken off and started again finds what it had done unchanged. With
    `dry_run` nothing is stored and `created` is what would be. Raises what Bus.execute raises.
    """
    summary = Summary()
    writer = RejectsWriter(rejects, source.table.header)
    for written in (_looked_at if dry_run else _written)(source, bus, context):
        summary.add(written)
        writer.write(written.batch.refused)
        progress(summary.counts)
    return summary


def _looked_at(source: Source, bus: Bus, context: Context) -> Iterator[Written]:
    for batch in ahead(source.batches):
        settled = settle(batch, bus.store, context)
        yield Written(settled, bring_in(products(settled), bus.work(context), dry_run=True).made)


def _written(source: Source, bus: Bus, context: Context) -> Iterator[Written]:
    with Writer(bus, context) as writer:
        for batch in ahead(source.batches):
            if (written := writer.write(settle(batch, bus.store, context))) is not None:
                yield written
        if (written := writer.finish()) is not None:
            yield written
