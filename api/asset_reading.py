"""A digital asset's file as it arrives: sent on into the bucket part by part, and kept nowhere else.

A process holds two parts of each upload at most: one that is on its way into the bucket, one that is filling. Threads
are for parts that are full, so a slow client costs none.
"""

import asyncio
import contextlib
import time
from functools import partial
from uuid import UUID

from api.errors import BodyTooLarge
from api.services import Services
from api.uploads import NO_FILE, NOT_A_FILE, FormReading, problem_of
from commands.asset_blobs import Sending, announce, new_key, part_bytes
from domain.asset.form import FILE
from domain.asset.media_type import is_among, media_type
from domain.errors import Invalid

ANNOUNCED_SECONDS = 60.0
"""After so long a file that still comes is announced again, or it would be taken for one that came to nothing."""
ONE_FILE = "Only one file can be submitted."


def not_taken(content_type: str) -> str:
    """Return the message for a file of a type that the settings do not let in."""
    return f'Files of type "{content_type}" are not accepted.'


class AssetReading(FormReading):
    """The form that an asset is sent in. Its fields may come before or after the file."""

    def __init__(self, within: Services, id: UUID, organization: UUID, boundary: str) -> None:
        super().__init__(boundary, within.settings.asset_limit_bytes)
        self.blob = new_key(organization)
        self.filename = ""
        self.content_type = ""
        self.size_bytes = 0
        self._within = within
        self._id = id
        self._organization = organization
        self._part_bytes = part_bytes(self.limit_bytes)
        self._buffer = bytearray()
        self._is_ours = False
        self._sending: Sending | None = None
        self._on_its_way: asyncio.Future[None] | None = None
        self._announced: float | None = None

    @property
    def sha256(self) -> str:
        return self._sending.sha256 if self._sending else ""

    def begin_file(self, name: str, filename: str, content_type: str) -> None:
        self._is_ours = name == FILE
        if not self._is_ours:
            return
        if self._sending is not None:
            raise Invalid({FILE: [ONE_FILE]})
        self.filename, self.content_type = filename, media_type(content_type, filename)
        if not is_among(self._within.settings.asset_types, self.content_type):
            raise Invalid({FILE: [not_taken(self.content_type)]})
        self._sending = Sending(self._within.blobs, self.blob, self.content_type)

    def write_file(self, data: bytes | bytearray) -> None:
        if self._is_ours:
            self.size_bytes += len(data)
            if self.size_bytes > self.limit_bytes:
                raise BodyTooLarge(headers={"Connection": "close"})
            self._buffer += data

    def end_file(self) -> None:
        # A form sends the field of a file that nobody chose without a name and without content.
        if self._is_ours and not self.filename and not self.size_bytes:
            self._sending = None

    async def drain(self) -> None:
        while len(self._buffer) > self._part_bytes:
            await self._announce()
            await self._arrived()
            part, sending = bytes(self._buffer[: self._part_bytes]), self._sending
            assert sending is not None, "its file was begun"
            del self._buffer[: self._part_bytes]
            self._on_its_way = asyncio.ensure_future(self._within.in_thread(partial(sending.add, part)))

    def problem(self) -> str | None:
        """Return what is wrong with the file, None where it is one that can be kept."""
        if self._sending is None:
            return NOT_A_FILE if self.fields.get(FILE) else NO_FILE
        return problem_of(self.filename, self.size_bytes)

    async def end(self) -> None:
        """Send what is left; the digest is known then. Raises Unavailable."""
        await self._announce()
        await self._arrived()
        sending, rest = self._sending, bytes(self._buffer)
        assert sending is not None, "there is a file"
        self._buffer.clear()
        await self._within.in_thread(lambda: sending.end(rest))

    async def keep(self) -> None:
        """Make a blob of it. Raises Unavailable."""
        assert self._sending is not None, "there is a file"
        await self._within.in_thread(self._sending.keep)

    async def discard(self) -> None:
        """Leave nothing of it in the bucket; where that fails the collector will see to it."""
        if self._announced is None:
            return
        with contextlib.suppress(Exception):
            await self._arrived()
        with contextlib.suppress(Exception):
            await self._within.in_thread(lambda: self._within.blobs.discard(self.blob))

    async def _arrived(self) -> None:
        if self._on_its_way is not None:
            await self._on_its_way
            self._on_its_way = None

    async def _announce(self) -> None:
        now = time.monotonic()
        if self._announced is None or now - self._announced > ANNOUNCED_SECONDS:
            self._announced = now
            store = self._within.bus.store
            await self._within.in_turn(lambda: announce(store, self._id, self._organization, self.blob))
