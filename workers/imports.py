"""Runs one import: the file from the bucket, its rows into the catalogue, the refused ones back into the bucket."""

import io
import tempfile
from typing import BinaryIO, Self
from uuid import UUID

import structlog

from commands.blobs import Blobs
from commands.bus import Bus
from commands.imports.errors import UnreadableFile
from commands.imports.job import AdvanceImport, AttemptImport, CompleteImport, FailImport, RecogniseImport
from commands.imports.rejects import RejectsWriter
from commands.imports.run import Batch, Options, Source, ahead, products, settle, until_not_taken
from commands.work import Context
from domain.errors import NotFound
from domain.imports import imports
from domain.imports.events import RowError, RowRepeat
from domain.imports.imports import Import, Superseded
from workers.leases import Lease
from workers.runner import Overtaken

_log = structlog.get_logger("imports")


class ImportWork:
    """An import that is not over."""

    def __init__(self, bus: Bus, blobs: Blobs, state: Import) -> None:
        self._bus = bus
        self._blobs = blobs
        self._state = state

    @classmethod
    def take(cls, bus: Bus, blobs: Blobs, id: UUID) -> Self | None:
        """Return the import as it stands, None where it is over."""
        state = _load(bus, id)
        return None if state.is_over else cls(bus, blobs, state)

    def attempt(self, lease: Lease) -> None:
        """Run it from where it stands. With the lease lost or the worker stopping it ends after its batch."""
        try:
            self._attempt(self._state, lease)
        except Superseded as error:
            raise Overtaken from error

    def _attempt(self, state: Import, lease: Lease) -> None:
        context = Context(state.organization, state.requested_by, state.correlation_id)
        number = state.attempt + 1
        self._bus.execute(AttemptImport(id=state.id, number=number), context)
        state = _load(self._bus, state.id)
        if state.is_over:
            _log.error("given up", attempts=state.attempt)
            return
        with tempfile.TemporaryFile() as file:
            try:
                self._blobs.copy_to(state.blob, file)
                source = Source(file, Options(type=state.type, mapping=state.mapping, currency=state.currency))
                self._bus.execute(
                    RecogniseImport(
                        id=state.id,
                        attempt=number,
                        format=source.layout.name,
                        encoding=source.table.encoding,
                        rows_total=source.count(),
                    ),
                    context,
                )
                rejects_blob = self._rows(state, number, source, context, lease)
            except UnreadableFile as error:
                self._bus.execute(FailImport(id=state.id, attempt=number, error=str(error)), context)
                _log.info("refused")
                return
            except NotFound:
                self._bus.execute(
                    FailImport(id=state.id, attempt=number, error="The file is not there any more."), context
                )
                return
        self._bus.execute(CompleteImport(id=state.id, attempt=number, rejects_blob=rejects_blob), context)
        _log.info("done")

    def _rows(self, state: Import, number: int, source: Source, context: Context, lease: Lease) -> str | None:
        """Deal with every row that no attempt has dealt with; return the key of the refused ones' CSV."""
        done = 0
        with tempfile.TemporaryFile() as rejects:
            writer = RejectsWriter(rejects, source.table.header)
            refused = 0
            for batch in ahead(lambda: source.batches(cut_at=state.rows_done)):
                lease.check()
                # An earlier attempt's rows are read again for the refused ones alone.
                settled = settle(batch, self._bus.store, context)
                if done >= state.rows_done:
                    self._advance(state.id, number, done, settled, context)
                done += batch.size
                refused += len(settled.refused)
                writer.write(settled.refused)
            if not refused:
                return None
            return self._keep(state, rejects)

    def _advance(self, id: UUID, number: int, done: int, batch: Batch, context: Context) -> None:
        command = AdvanceImport(
            id=id,
            attempt=number,
            rows_done=done,
            size=batch.size,
            rows=products(batch),
            errors=[RowError(row.line, row.reason) for row in batch.refused],
            repeats=[RowRepeat(*repeat) for repeat in batch.repeats],
        )
        until_not_taken(lambda: self._bus.execute(command, context))

    def _keep(self, state: Import, rejects: BinaryIO) -> str:
        key = f"{state.organization}/imports/{state.id}/rejects.csv"
        size_bytes = rejects.seek(0, io.SEEK_END)
        rejects.seek(0)
        self._blobs.put(key, rejects, size_bytes, "text/csv")
        return key


def _load(bus: Bus, id: UUID) -> Import:
    state = bus.store.load(id, imports.fold)
    if state is None:
        raise NotFound
    return state
