"""An import run here and now, by whoever holds the file."""

from collections.abc import Callable
from typing import BinaryIO

from msgspec import Struct, field

from commands.bus import Bus
from commands.imports.rejects import RejectsWriter
from commands.imports.rows import Refused
from commands.imports.run import LISTED, Counts, Repeat, Source, ahead, count_new, create_new, products, settle
from commands.work import Context


class Summary(Struct):
    """`errors` and `repeats` list the first of them, up to a limit; `counts` has them all."""

    counts: Counts = field(default_factory=Counts)
    errors: list[Refused] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)


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
    for batch in ahead(source.batches):
        settled = settle(batch, bus.store, context)
        rows = products(settled)
        if dry_run:
            created = count_new(rows, bus.store, context)
        else:
            created = create_new(rows, lambda command: bus.execute(command, context))
        summary.counts.add(settled, created)
        summary.errors += settled.refused[: LISTED - len(summary.errors)]
        summary.repeats += settled.repeats[: LISTED - len(summary.repeats)]
        writer.write(settled.refused)
        progress(summary.counts)
    return summary
