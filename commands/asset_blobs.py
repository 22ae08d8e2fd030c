"""Where the files of digital assets are kept in the bucket, and how they get there."""

import hashlib
import io
import secrets
from uuid import UUID

from commands.blobs import LEAST_PART_BYTES, MOST_PARTS, Blobs, StoredPart
from commands.store import Store
from domain.event import Step

_TOKEN_BYTES = 16
_MIB = 1024**2


def new_key(organization: UUID) -> str:
    """Return a key that nobody can guess. What the sender calls the file is no part of it."""
    return f"{organization}/assets/{secrets.token_hex(_TOKEN_BYTES)}/file"


def part_bytes(size_bytes: int, least_bytes: int = LEAST_PART_BYTES, most_parts: int = MOST_PARTS) -> int:
    """Return how large the parts of a file of at most this size are, so that they are not too many: whole MiB."""
    return max(least_bytes, -(-size_bytes // (most_parts * _MIB)) * _MIB)


def announce(store: Store, id: UUID, organization: UUID, key: str) -> None:
    """Note that a file is about to be kept, or that more of it comes: it is collected where no event comes to name
    it."""
    store.save([], steps=[Step("announce_asset_file(%b, %b, %s)", (id, organization, key))])


class Sending:
    """A file on its way into the bucket, in parts. Its methods block, and are called one at a time.

    All of them raise Unavailable.
    """

    def __init__(self, blobs: Blobs, key: str, content_type: str) -> None:
        self._blobs = blobs
        self._key = key
        self._content_type = content_type
        self._digest = hashlib.sha256()
        self._multipart: str | None = None
        self._parts: list[StoredPart] = []
        self._rest = b""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def add(self, data: bytes) -> None:
        """Send a part that is not the last."""
        self._digest.update(data)
        if self._multipart is None:
            self._multipart = self._blobs.begin(self._key, self._content_type)
        self._put(data)

    def end(self, rest: bytes) -> None:
        """Take what is left, after which the digest is known. One that was never sent a part waits for `keep`."""
        self._digest.update(rest)
        if self._multipart is None:
            self._rest = rest
        elif rest:
            self._put(rest)

    def keep(self) -> None:
        """Make a blob of it."""
        if self._multipart is None:
            self._blobs.put(self._key, io.BytesIO(self._rest), len(self._rest), self._content_type)
        else:
            self._blobs.complete(self._key, self._multipart, self._parts)

    def discard(self) -> None:
        """Leave nothing of it, kept or not."""
        self._blobs.discard(self._key)

    def _put(self, data: bytes) -> None:
        assert self._multipart is not None, "it is begun with its first part"
        self._parts.append(self._blobs.put_part(self._key, self._multipart, len(self._parts) + 1, data))


class Reading:
    """A blob that is read back for its size and digest, some MiB at a time, so that no thread is kept for long."""

    def __init__(self, blobs: Blobs, key: str) -> None:
        self._chunks = blobs.get(key)
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def go_on(self) -> bool:
        """Read some more; return whether there was any. Raises Unavailable."""
        until = self.size_bytes + 8 * _MIB
        while self.size_bytes < until:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._digest.update(chunk)
            self.size_bytes += len(chunk)
        return True
