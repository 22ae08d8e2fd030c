"""The to-do list in Prometheus's text format, read from the database: the same on whichever server it is asked for."""

from api.exposition import family, labelled
from domain.task.task import UID_PREFIXES
from projections.base import Reader
from projections.todo import Length, lengths, tallies


async def todo_metrics(reader: Reader) -> bytes:
    """Raises Unavailable."""
    by_kind = {kind: Length(kind, 0, 0, 0.0) for kind in UID_PREFIXES}
    by_kind |= {length.kind: length for length in await lengths(reader)}
    done = sorted(await tallies(reader))
    lines = [
        *family("todo_due", "gauge", "Work that is due.", ((_of(n.kind), n.due) for n in by_kind.values())),
        *family("todo_dead", "gauge", "Work that was given up.", ((_of(n.kind), n.dead) for n in by_kind.values())),
        *family(
            "todo_oldest_due_age_seconds",
            "gauge",
            "For how long the work has been due that has been due longest.",
            ((_of(n.kind), n.oldest_due_age_seconds) for n in by_kind.values()),
        ),
        *family(
            "todo_task_seconds",
            "summary",
            "Time that attempts took, by how they ended.",
            (
                sample
                for t in done
                for sample in (
                    (f"_count{_of(t.kind, t.outcome)}", t.tasks),
                    (f"_sum{_of(t.kind, t.outcome)}", t.seconds),
                )
            ),
        ),
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _of(kind: str, outcome: str | None = None) -> str:
    return labelled(kind=kind) if outcome is None else labelled(kind=kind, outcome=outcome)
