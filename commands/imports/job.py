"""Commands about an import that runs in a worker. Each step is an event: the next worker goes on from the last one."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from commands.imports.arrivals import ImportRow
from commands.imports.bring_in import bring_in
from commands.save import Save, Saved
from commands.work import Work, change
from domain.event import Change
from domain.imports import imports
from domain.imports.events import ImportEvent, RowError, RowRepeat
from domain.imports.imports import Import, Progress
from domain.rates import USD


class _AboutImport(Struct, frozen=True, kw_only=True):
    id: UUID

    @property
    def subject(self) -> UUID:
        return self.id


class RequestImport(_AboutImport, frozen=True, kw_only=True):
    """The file is in the bucket as `blob` already: what an event names exists."""

    filename: str
    blob: str
    size_bytes: int
    sha256: str
    type: str
    mapping: Mapping[str, str] = {}
    currency: str = USD
    dry_run: bool = False


class AttemptImport(_AboutImport, frozen=True, kw_only=True):
    """Take the import on as attempt `number`, the one after the last."""

    number: int


class RecogniseImport(_AboutImport, frozen=True, kw_only=True):
    attempt: int
    format: str
    encoding: str
    rows_total: int


class AdvanceImport(_AboutImport, frozen=True, kw_only=True):
    """Deal with the `size` rows after `rows_done`: create what is new of `rows`, those that are neither refused nor
    repeats."""

    attempt: int
    rows_done: int
    size: int
    rows: Sequence[ImportRow]
    errors: Sequence[RowError] = ()
    repeats: Sequence[RowRepeat] = ()


class CompleteImport(_AboutImport, frozen=True, kw_only=True):
    attempt: int
    rejects_blob: str | None = None


class FailImport(_AboutImport, frozen=True, kw_only=True):
    attempt: int
    error: str


def request(command: RequestImport, work: Work) -> Saved:
    """The answer's document is the import's."""
    event = imports.request(
        command.id,
        work.stamp,
        filename=command.filename,
        blob=command.blob,
        size_bytes=command.size_bytes,
        sha256=command.sha256,
        type=command.type,
        mapping=command.mapping,
        currency=command.currency,
        dry_run=command.dry_run,
    )
    return work.save([_change(command.id, None, [event])], subject=command.id)


def attempt(command: AttemptImport, work: Work) -> Saved:
    """Raises NotFound, Superseded."""
    state = _load(command, work)
    return work.save([_change(state.id, state, [imports.attempt(state, command.number, work.stamp)])])


def recognise(command: RecogniseImport, work: Work) -> Saved:
    """Raises NotFound, Superseded."""
    state = _load(command, work)
    events = imports.recognise(state, command.attempt, command.format, command.encoding, command.rows_total, work.stamp)
    return work.save([_change(state.id, state, events)])


def advance(command: AdvanceImport, work: Work) -> Saved:
    """Raises NotFound, Superseded; Taken where a parallel import was faster: execute it again."""
    state = _load(command, work)
    save, made, _ = bring_in(command.rows, work, dry_run=state.dry_run)
    if state.dry_run:
        save = Save([])
    progress = Progress(
        rows_done=command.rows_done,
        rows=command.size,
        created=made.rows,
        unchanged=len(command.rows) - made.rows,
        products=made.products,
        items=made.items,
        presences=made.presences,
        errors=command.errors,
        repeats=command.repeats,
    )
    event = imports.advance(state, command.attempt, progress, work.stamp)
    return work.save([*save.changes, _change(state.id, state, [event])], claims=save.claims, steps=save.steps)


def complete(command: CompleteImport, work: Work) -> Saved:
    """Raises NotFound, Superseded."""
    state = _load(command, work)
    event = imports.complete(state, command.attempt, command.rejects_blob, work.stamp)
    return work.save([_change(state.id, state, [event])])


def fail(command: FailImport, work: Work) -> Saved:
    """Raises NotFound, Superseded."""
    state = _load(command, work)
    return work.save([_change(state.id, state, [imports.fail(state, command.attempt, command.error, work.stamp)])])


def dropped(id: UUID, work: Work) -> list[Change]:
    """Return its end where somebody took it off the workers' list. Raises NotFound."""
    state = work.load(id, imports.fold)
    if state.is_over:
        return []
    return [_change(id, state, [imports.fail(state, state.attempt, imports.DROPPED, work.stamp)])]


def _load(command: _AboutImport, work: Work) -> Import:
    return work.load(command.id, imports.fold)


def _change(id: UUID, state: Import | None, events: Sequence[ImportEvent]) -> Change:
    return change(id, state, events, imports.evolve)


HANDLERS: dict[Any, Any] = {
    RequestImport: request,
    AttemptImport: attempt,
    RecogniseImport: recognise,
    AdvanceImport: advance,
    CompleteImport: complete,
    FailImport: fail,
}
