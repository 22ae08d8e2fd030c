"""Organizations and API keys as tables, and the gate that every request passes."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.errors import Unavailable
from domain.event import Change, Projected, Step
from domain.ids import API_KEY, uid
from domain.organization.events import OrganizationCreated
from domain.organization.organization import ApiKey
from projections.bare import Bare
from projections.base import Reader, queries

_SQL = queries("organizations")
_GRANTS = Bare(b"grants", _SQL["grants"])


class Organization(NamedTuple):
    id: UUID
    name: str


class Grant(NamedTuple):
    """What a live key opens, and where its organization's catalogue stands at this moment."""

    key_id: UUID
    organization: UUID
    scopes: Sequence[str]
    revision: int
    product_count: int


class KeyRow(NamedTuple):
    """`used` is exact to the minute; None for a key never seen. `revoked` is None while it is live."""

    id: UUID
    organization: str
    name: str
    scopes: Sequence[str]
    prefix: str
    created: datetime
    revoked: datetime | None
    used: datetime | None


class KeyDocument(Struct, frozen=True, kw_only=True):
    """A key as it is answered. `key` is its secret: null but in the one answer that shows it."""

    uid: str
    name: str
    scopes: Sequence[str]
    prefix: str
    created: datetime
    last_used_at: datetime | None = None
    key: str | None = None


def key_document(key: ApiKey | KeyRow) -> KeyDocument:
    return KeyDocument(
        uid=uid(API_KEY, key.id),
        name=key.name,
        scopes=key.scopes,
        prefix=key.prefix,
        created=key.created,
        last_used_at=key.used if isinstance(key, KeyRow) else None,
    )


COLUMNS = ("id", "name", "created")
KEY_COLUMNS = ("id", "organization", "name", "scopes", "digest", "prefix", "created", "revoked")


def organization_row(event: OrganizationCreated) -> tuple[Any, ...]:
    """Return the values of COLUMNS."""
    return (event.originator_id, event.name, event.timestamp)


def key_row(key: ApiKey) -> tuple[Any, ...]:
    """Return the values of KEY_COLUMNS."""
    values = (key.id, key.organization, key.name, list(key.scopes), bytes.fromhex(key.digest), key.prefix)
    return (*values, key.created, key.revoked)


class OrganizationsProjection:
    """Keeps `organization`, `api_key` and the first row of `catalogue` in the append transaction."""

    def project(self, changes: Sequence[Change]) -> Projected:
        steps: list[Step] = []
        documents: dict[UUID, str] = {}
        for change in changes:
            steps.extend(
                Step("put_organization(%b, %s, %b)", organization_row(event))
                for event in change.events
                if isinstance(event, OrganizationCreated)
            )
            if isinstance(key := change.after, ApiKey):
                steps.append(Step("put_api_key(%b, %b, %s, %b::text[], %b, %s, %b, %b)", key_row(key)))
                documents[key.id] = msgspec.json.encode(key_document(key)).decode()
        return Projected(steps, documents)


async def organizations_named(reader: Reader, name: str) -> list[Organization]:
    return [Organization(*row) for row in await reader.rows(_SQL["organization_named"], [name])]


async def organizations(reader: Reader) -> list[Organization]:
    return [Organization(*row[:2]) for row in await reader.rows(_SQL["organizations"])]


async def keys(reader: Reader, organization: UUID | None = None) -> list[KeyRow]:
    """Return the keys of one organization, or of all."""
    return [KeyRow(*row) for row in await reader.rows(_SQL["keys"], {"organization": organization})]


_Waiting = dict[bytes, list["asyncio.Future[Grant | None]"]]


def _refuse(waiting: _Waiting, error: Exception) -> None:
    for futures in waiting.values():
        for future in futures:
            if not future.done():
                future.set_exception(error)


def _grant(row: list[Any]) -> Grant:
    _, *key, revision, product_count = row
    return Grant(*_key(*key), int.from_bytes(revision), int.from_bytes(product_count))


@lru_cache(1000)
def _key(id: bytes, organization: bytes, scopes: bytes) -> tuple[UUID, UUID, list[str]]:
    """Return the values that stay; to make them anew for each look-up would cost as much as the rest of it."""
    return UUID(bytes=id), UUID(bytes=organization), scopes.decode().split()


class Gate:
    """Says what a key opens, read from the database for every request.

    Requests that arrive while one look-up is under way share the next one, so that under load the question costs a
    fraction of a query, and a revocation or a write that was answered before the request came is always seen.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: _Waiting = {}
        self._running: asyncio.Task[None] | None = None

    async def check(self, digest: bytes) -> Grant | None:
        """Return what the key with this SHA-256 opens now; None for an unknown or revoked one."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(digest, []).append(future)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        found: Grant | None = await future
        return found

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, {}
                await self._look_up(batch)
        finally:
            self._running = None
            # Only a cancelled look-up leaves any: who waits is told, not forgotten.
            _refuse(self._waiting, Unavailable())
            self._waiting = {}

    async def _look_up(self, batch: _Waiting) -> None:
        asked = b"{%b}" % b",".join(b'"\\\\x%b"' % digest.hex().encode() for digest in batch)
        try:
            rows = await self._reader.bare(_GRANTS, asked)
        except BaseException as error:
            _refuse(batch, error if isinstance(error, Exception) else Unavailable())
            if not isinstance(error, Exception):
                raise
            return
        found = {row[0]: _grant(row) for row in rows}
        for digest, futures in batch.items():
            grant = found.get(digest)
            for future in futures:
                if not future.done():
                    future.set_result(grant)

    async def touch(self, key_ids: Sequence[UUID]) -> None:
        """Note that keys are in use; at most one write a minute and key."""
        await self._reader.rows(_SQL["touch"] + b" RETURNING 1", [list(key_ids)])


async def senders(reader: Reader) -> list[tuple[str, str | None]]:
    """Return the organizations' names, oldest first, each with where answers to its mails go."""
    return [(name, reply_to) for name, reply_to in await reader.rows(_SQL["senders"])]
