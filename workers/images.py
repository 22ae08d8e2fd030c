"""Makes the small sizes of a picture, and collects the pictures that nothing shows any more."""

import io
from uuid import UUID

import structlog

from commands import image_blobs
from commands.blobs import Blobs
from commands.images import SIZE_TYPE, SIZES, small_sizes
from domain.errors import NotFound, Unavailable
from projections.images import Attempt, Images
from workers.slots import Abandoned, Lease

MAX_ATTEMPTS = 5
TRIED = f"It was tried {MAX_ATTEMPTS} times."
COLLECTED_AT_ONCE = 100
FORGOTTEN_SECONDS = 3600.0
"""Far longer than an upload takes from its file to its event: so long is known of a picture that it was collected."""
_log = structlog.get_logger("images")


class SmallSizes:
    """A picture whose small sizes are owed."""

    def __init__(self, database_url: str, blobs: Blobs, id: UUID) -> None:
        self._database_url = database_url
        self._blobs = blobs
        self._id = id
        self.fruitless = 0

    def attempt(self, lease: Lease) -> None:
        """Make them, or note why there will be none: attempts are counted before, so that a picture that kills its
        worker is seen to."""
        with Images(self._database_url) as images:
            attempt = images.attempt(self._id)
            if attempt is None:
                return
            self.fruitless = attempt.number
            if attempt.number > MAX_ATTEMPTS:
                self._give_up(images, TRIED)
                return
            try:
                made = self._make(attempt, lease)
            except NotFound:
                self._give_up(images, "The original is not in the bucket.")
                return
            except (Unavailable, Abandoned):
                images.forgive(self._id)
                raise
            except Exception:
                if attempt.number < MAX_ATTEMPTS:
                    raise
                _log.exception("failed")
                self._give_up(images, TRIED)
                return
            images.made(self._id, *(made[side] for side in SIZES))
        _log.info("done")

    def _make(self, attempt: Attempt, lease: Lease) -> dict[int, int]:
        """Return the size of each in bytes, by its side."""
        original = io.BytesIO()
        self._blobs.copy_to(attempt.blob, original)
        made = small_sizes(original.getvalue())
        lease.check()
        for side, data in made.items():
            self._blobs.put(image_blobs.size_key(attempt.blob, side), io.BytesIO(data), len(data), SIZE_TYPE)
        return {side: len(data) for side, data in made.items()}

    def _give_up(self, images: Images, error: str) -> None:
        images.give_up(self._id, error)
        _log.error("given up", error=error)


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
