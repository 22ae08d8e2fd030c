"""Imports as a table, and the ones that workers still owe."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from domain import ids
from domain.event import Change, Projected, Step
from domain.imports.events import ImportAdvanced, RowError, RowRepeat
from domain.imports.imports import Import
from projections.base import Reader, queries
from projections.documents import BASE_URL
from projections.numbered import NumberedPage, numbered_page

KIND = "import"
_SQL = queries("imports")
_encode = msgspec.json.Encoder().encode


class ImportDocument(Struct, frozen=True, kw_only=True):
    """`items_created` are inventory items. `errors` and `repeats` list the first hundred; `rejects_url` leads to all
    refused rows, null without any.
    """

    uid: str
    status: str
    filename: str
    size: int
    type: str
    map: dict[str, str]
    currency: str
    dry_run: bool
    format: str | None
    encoding: str | None
    rows_total: int | None
    rows_done: int
    rows_created: int
    rows_unchanged: int
    rows_duplicate: int
    rows_rejected: int
    products_created: int
    items_created: int
    presences_created: int
    errors: Sequence[RowError]
    repeats: Sequence[RowRepeat]
    rejects_url: Raw
    error: str | None
    created: datetime
    started: datetime | None
    finished: datetime | None


class Row(NamedTuple):
    """One import's answer; `rejects_blob` is the key of its CSV of refused rows."""

    document: str
    revision: int
    filename: str
    rejects_blob: str | None


def import_document(state: Import) -> str:
    """Return the import object as JSON text with its holes."""
    uid = ids.uid(ids.IMPORT, state.id)
    return _encode(
        ImportDocument(
            uid=uid,
            status=state.status,
            filename=state.filename,
            size=state.size_bytes,
            type=state.type,
            map=dict(state.mapping),
            currency=state.currency,
            dry_run=state.dry_run,
            format=state.format,
            encoding=state.encoding,
            rows_total=state.rows_total,
            rows_done=state.rows_done,
            rows_created=state.rows_created,
            rows_unchanged=state.rows_unchanged,
            rows_duplicate=state.rows_duplicate,
            rows_rejected=state.rows_rejected,
            products_created=state.products_created,
            items_created=state.items_created,
            presences_created=state.presences_created,
            errors=state.errors,
            repeats=state.repeats,
            rejects_url=Raw(f'"{BASE_URL}/api/v1/imports/{uid}/rejects/"' if state.rejects_blob else "null"),
            error=state.error,
            created=state.created,
            started=state.started,
            finished=state.finished,
        )
    ).decode()


COLUMNS = ("id", "organization", "revision", "filename", "created", "document", "rejects_blob")


def import_row(state: Import) -> tuple[Any, ...]:
    """Return the values of COLUMNS."""
    facts = (state.id, state.organization, state.version, state.filename, state.created)
    return (*facts, import_document(state), state.rejects_blob)


class ImportsProjection:
    """Keeps `import_list`, and in `todo` the imports that are not over."""

    def project(self, changes: Sequence[Change]) -> Projected:
        steps = []
        documents = {}
        for change in changes:
            if not isinstance(state := change.after, Import):
                continue
            row = import_row(state)
            documents[state.id] = row[-2]
            if not change.events:
                continue
            steps.append(Step("put_import(%b, %b, %b, %s, %b, %s, %s)", row))
            if change.before is None:
                steps.append(Step("owe(%b, %b, %s, %b)", (state.id, state.organization, KIND, state.created)))
            elif state.is_over:
                steps.append(Step("owe_no_more(%b)", (state.id,)))
            elif any(isinstance(event, ImportAdvanced) for event in change.events):
                steps.append(Step("got_on(%b)", (state.id,)))
        return Projected(steps, documents)


async def page(reader: Reader, organization: UUID, number: int | None, size: int) -> NumberedPage | None:
    """Return a page of imports, newest first. See numbered_page."""
    return await numbered_page(reader, _SQL, organization, number, size)


async def detail(reader: Reader, organization: UUID, id: UUID) -> Row | None:
    """Return one import; None where the organization has no such import."""
    found = await reader.row(_SQL["detail"], [id, organization])
    return None if found is None else Row(*found)
