"""Runs one import: the file from the bucket, its rows into the catalogue, the refused ones back into the bucket."""

import io
import tempfile
import threading
from typing import BinaryIO
from uuid import UUID

import structlog

from commands.blobs import Blobs
from commands.bus import Bus
from commands.imports.errors import UnreadableFile
from commands.imports.job import AdvanceImport, AttemptImport, CompleteImport, FailImport, RecogniseImport
from commands.imports.rejects import RejectsWriter
from commands.imports.run import Batch, Options, Source, ahead, products, settle, until_not_taken
from commands.work import Context
from domain.errors import Busy, NotFound, Taken, Unavailable
from domain.ids import IMPORT, uid
from domain.imports import imports
from domain.imports.events import RowError, RowRepeat
from domain.imports.imports import Import, Superseded
from projections.todo import Todo
from workers.slots import LEASE_SECONDS, Abandoned, Lease, Slots

MAX_BACKOFF_SECONDS = 30.0
_log = structlog.get_logger("imports")


class ImportRunner:
    """Runs imports in the broker's threads. With `stopping` set what runs ends after its batch, and is still owed."""

    def __init__(self, database_url: str, bus: Bus, blobs: Blobs, slots: Slots, stopping: threading.Event) -> None:
        self._database_url = database_url
        self._bus = bus
        self._blobs = blobs
        self._slots = slots
        self._stopping = stopping

    def run(self, subject: str, token: str) -> None:
        """Run the import where the lease is still this message's; ids as text, as the broker carries them."""
        id, lease = UUID(subject), UUID(token)
        self._slots.started(lease)
        try:
            with structlog.contextvars.bound_contextvars(imports=uid(IMPORT, id)), Todo(self._database_url) as todo:
                self._leased(id, lease, todo)
        except Unavailable:
            _log.warning("abandoned", reason="an engine cannot be reached")
        finally:
            self._slots.done(lease)

    def _leased(self, id: UUID, token: UUID, todo: Todo) -> None:
        if self._stopping.is_set() or not todo.renew(id, token, LEASE_SECONDS):
            return
        state = self._load(id)
        if state.is_over:
            return
        after_seconds = 0.0
        try:
            with Lease(todo, id, token, self._stopping) as lease:
                self._attempt(state, lease)
        except Superseded:
            _log.warning("superseded")
            return
        except Abandoned:
            _log.info("handed back")
        except (Unavailable, Busy, Taken) as error:
            after_seconds = min(MAX_BACKOFF_SECONDS, 2.0**state.fruitless)
            _log.warning("interrupted", reason=str(error), again_in_seconds=after_seconds)
        except Exception:  # noqa: BLE001 - attempts are counted; the last one ends it visibly
            after_seconds = min(MAX_BACKOFF_SECONDS, 2.0**state.fruitless)
            _log.exception("failed", again_in_seconds=after_seconds)
        todo.release(id, token, after_seconds)

    def _attempt(self, state: Import, lease: Lease) -> None:
        context = Context(state.organization, state.requested_by, state.correlation_id)
        number = state.attempt + 1
        self._bus.execute(AttemptImport(id=state.id, number=number), context)
        state = self._load(state.id)
        if state.is_over:
            _log.error("given up", attempts=state.attempt)
            return
        with tempfile.TemporaryFile() as file:
            try:
                self._blobs.copy_to(state.blob, file)
                source = Source(file, Options(type=state.type, mapping=state.mapping))
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
        rows = products(batch)
        command = AdvanceImport(
            id=id,
            attempt=number,
            rows_done=done,
            size=batch.size,
            products=rows,
            known=len(batch.rows) - len(rows),
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

    def _load(self, id: UUID) -> Import:
        state = self._bus.store.load(id, imports.fold)
        if state is None:
            raise NotFound
        return state
