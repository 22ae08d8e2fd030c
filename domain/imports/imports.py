"""An import: a file of products on its way into the catalogue. State, decisions, evolve."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.errors import DeadwaxError
from domain.event import DomainEvent, Stamp
from domain.imports.events import (
    ImportAdvanced,
    ImportAttempted,
    ImportCompleted,
    ImportFailed,
    ImportRecognised,
    ImportRequested,
    RowError,
    RowRepeat,
)

MAX_FRUITLESS_ATTEMPTS = 5
LISTED = 100
GAVE_UP = f"It was started {MAX_FRUITLESS_ATTEMPTS} times and got nowhere."
DROPPED = "It was taken off the list."


class Superseded(DeadwaxError):
    """Another worker runs this import now, or it is over."""


class Import(Struct, frozen=True, kw_only=True):
    """`attempt` counts from 1 with the first worker that took it, 0 before; `fruitless` are those since rows were last
    dealt with. The `rows_` fields are numbers of rows."""

    id: UUID
    organization: UUID
    version: int
    status: Literal["queued", "running", "done", "failed"]
    filename: str
    blob: str
    size_bytes: int
    type: str
    mapping: Mapping[str, str]
    currency: str
    dry_run: bool
    requested_by: str
    correlation_id: str
    attempt: int = 0
    fruitless: int = 0
    format: str | None = None
    encoding: str | None = None
    rows_total: int | None = None
    rows_done: int = 0
    rows_created: int = 0
    rows_unchanged: int = 0
    rows_duplicate: int = 0
    rows_rejected: int = 0
    products_created: int = 0
    items_created: int = 0
    presences_created: int = 0
    errors: tuple[RowError, ...] = ()
    repeats: tuple[RowRepeat, ...] = ()
    rejects_blob: str | None = None
    error: str | None = None
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None

    @property
    def is_over(self) -> bool:
        return self.status in ("done", "failed")


class Progress(Struct, frozen=True, kw_only=True):
    """What became of the next rows after `rows_done`: those `created` made products, items and presences."""

    rows_done: int
    rows: int
    created: int
    unchanged: int
    products: int
    items: int = 0
    presences: int = 0
    errors: Sequence[RowError] = ()
    repeats: Sequence[RowRepeat] = ()


def request(
    id: UUID,
    stamp: Stamp,
    *,
    filename: str,
    blob: str,
    size_bytes: int,
    sha256: str,
    type: str,
    mapping: Mapping[str, str],
    currency: str,
    dry_run: bool,
) -> ImportRequested:
    return ImportRequested(
        **stamp.on(id, 1),
        filename=filename,
        blob=blob,
        size_bytes=size_bytes,
        sha256=sha256,
        type=type,
        mapping=mapping,
        currency=currency,
        dry_run=dry_run,
    )


def attempt(state: Import, number: int, stamp: Stamp) -> ImportAttempted | ImportFailed:
    """Return attempt `number`, or the end where too many led nowhere. Raises Superseded where it is not the next."""
    if state.is_over or number != state.attempt + 1:
        raise Superseded
    base = stamp.on(state.id, state.version + 1)
    if state.fruitless >= MAX_FRUITLESS_ATTEMPTS:
        return ImportFailed(**base, error=GAVE_UP)
    return ImportAttempted(**base, attempt=number)


def recognise(
    state: Import, attempt: int, format: str, encoding: str, rows_total: int, stamp: Stamp
) -> list[ImportRecognised]:
    """Return nothing where an earlier attempt found the same. Raises Superseded."""
    _fence(state, attempt)
    if (state.format, state.encoding, state.rows_total) == (format, encoding, rows_total):
        return []
    base = stamp.on(state.id, state.version + 1)
    return [ImportRecognised(**base, format=format, encoding=encoding, rows_total=rows_total)]


def advance(state: Import, attempt: int, progress: Progress, stamp: Stamp) -> ImportAdvanced:
    """Raises Superseded, also where these rows are not the next ones."""
    _fence(state, attempt)
    if state.rows_done != progress.rows_done:
        raise Superseded
    return ImportAdvanced(
        **stamp.on(state.id, state.version + 1),
        rows=progress.rows,
        created=progress.created,
        unchanged=progress.unchanged,
        duplicates=len(progress.repeats),
        rejected=len(progress.errors),
        products=None if progress.products == progress.created else progress.products,
        items=progress.items,
        presences=progress.presences,
        errors=tuple(progress.errors[: LISTED - len(state.errors)]),
        repeats=tuple(progress.repeats[: LISTED - len(state.repeats)]),
    )


def complete(state: Import, attempt: int, rejects_blob: str | None, stamp: Stamp) -> ImportCompleted:
    """Raises Superseded."""
    _fence(state, attempt)
    return ImportCompleted(**stamp.on(state.id, state.version + 1), rejects_blob=rejects_blob)


def fail(state: Import, attempt: int, error: str, stamp: Stamp) -> ImportFailed:
    """Raises Superseded."""
    _fence(state, attempt)
    return ImportFailed(**stamp.on(state.id, state.version + 1), error=error)


def _fence(state: Import, attempt: int) -> None:
    """A worker that was taken for dead and comes back finds that its attempt is not the last one."""
    if state.is_over or state.attempt != attempt:
        raise Superseded


def evolve(state: Import | None, event: DomainEvent) -> Import | None:
    match event:
        case ImportRequested():
            return Import(
                id=event.originator_id,
                organization=event.organization,
                version=event.originator_version,
                status="queued",
                filename=event.filename,
                blob=event.blob,
                size_bytes=event.size_bytes,
                type=event.type,
                mapping=event.mapping,
                currency=event.currency,
                dry_run=event.dry_run,
                requested_by=event.actor,
                correlation_id=event.correlation_id,
                created=event.timestamp,
            )
        case ImportAttempted() if state is not None:
            started = state.started or event.timestamp
            return replace(
                state,
                version=event.originator_version,
                status="running",
                attempt=event.attempt,
                fruitless=state.fruitless + 1,
                started=started,
            )
        case ImportRecognised() if state is not None:
            return replace(
                state,
                version=event.originator_version,
                format=event.format,
                encoding=event.encoding,
                rows_total=event.rows_total,
            )
        case ImportAdvanced() if state is not None:
            return replace(
                state,
                version=event.originator_version,
                fruitless=0,
                rows_done=state.rows_done + event.rows,
                rows_created=state.rows_created + event.created,
                rows_unchanged=state.rows_unchanged + event.unchanged,
                rows_duplicate=state.rows_duplicate + event.duplicates,
                rows_rejected=state.rows_rejected + event.rejected,
                products_created=state.products_created + (event.created if event.products is None else event.products),
                items_created=state.items_created + event.items,
                presences_created=state.presences_created + event.presences,
                errors=state.errors + event.errors,
                repeats=state.repeats + event.repeats,
            )
        case ImportCompleted() if state is not None:
            return replace(
                state,
                version=event.originator_version,
                status="done",
                rejects_blob=event.rejects_blob,
                finished=event.timestamp,
            )
        case ImportFailed() if state is not None:
            version = event.originator_version
            return replace(state, version=version, status="failed", error=event.error, finished=event.timestamp)
    return state


def fold(events: Iterable[DomainEvent]) -> Import | None:
    state: Import | None = None
    for event in events:
        state = evolve(state, event)
    return state
