"""Makes the small sizes of a picture, and collects the pictures that nothing shows any more."""

import io
from typing import Self
from uuid import UUID

import structlog

from commands import image_blobs
from commands.blobs import Blobs
from commands.images import SIZE_TYPE, SIZES, small_sizes
from domain.errors import NotFound
from projections.images import Images
from workers.leases import Lease
from workers.runner import Hopeless

COLLECTED_AT_ONCE = 100
FORGOTTEN_SECONDS = 3600.0
"""Far longer than an upload takes from its file to its event: so long is known of a picture that it was collected."""
_log = structlog.get_logger("images")


class SmallSizes:
    """A picture whose small sizes are owed."""

    def __init__(self, database_url: str, blobs: Blobs, id: UUID, blob: str) -> None:
        self._database_url = database_url
        self._blobs = blobs
        self._id = id
        self._blob = blob

    @classmethod
    def take(cls, database_url: str, blobs: Blobs, id: UUID) -> Self | None:
        """Return the picture, None where nothing shows it any more."""
        with Images(database_url) as images:
            blob = images.shown(id)
        return None if blob is None else cls(database_url, blobs, id, blob)

    def attempt(self, lease: Lease) -> None:
        try:
            made = self._make(lease)
        except NotFound:
            raise Hopeless("The original is not in the bucket.") from None
        with Images(self._database_url) as images:
            images.made(self._id, *(made[side] for side in SIZES))
        _log.info("done")

    def _make(self, lease: Lease) -> dict[int, int]:
        """Return the size of each in bytes, by its side."""
        original = io.BytesIO()
        self._blobs.copy_to(self._blob, original)
        made = small_sizes(original.getvalue())
        lease.check()
        for side, data in made.items():
            self._blobs.put(image_blobs.size_key(self._blob, side), io.BytesIO(data), len(data), SIZE_TYPE)
        return {side: len(data) for side, data in made.items()}


class Collector:
    """Deletes the files of pictures that nothing has shown for the time of grace, or ever. Any number may run."""

    def __init__(self, database_url: str, blobs: Blobs, grace_seconds: float) -> None:
        self._database_url = database_url
        self._blobs = blobs
        self._grace_seconds = grace_seconds

    def collect(self) -> int:
        """Return how many there were. Raises Unavailable.

        A picture is doomed first: from then on no write can come to show it, so its files can go. Its row goes later,
        with what a collector that died in between has left.
        """
        collected = 0
        with Images(self._database_url) as images:
            while doomed := images.doom(self._grace_seconds, COLLECTED_AT_ONCE):
                for blob in doomed:
                    image_blobs.delete(self._blobs, blob)
                collected += len(doomed)
            forgotten_seconds = max(self._grace_seconds, FORGOTTEN_SECONDS)
            while left_over := images.left_over(forgotten_seconds, COLLECTED_AT_ONCE):
                for blob in left_over.values():
                    image_blobs.delete(self._blobs, blob)
                images.forget(list(left_over))
        if collected:
            _log.info("collected", images=collected)
        return collected
