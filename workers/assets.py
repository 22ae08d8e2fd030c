"""Collects the files of digital assets that nobody has any more, and those of uploads that came to nothing."""

import structlog

from commands.blobs import Blobs
from projections.asset_files import AssetFiles

COLLECTED_AT_ONCE = 100
FORGOTTEN_SECONDS = 24 * 3600.0
"""Longer than an upload takes from its first byte to its event: so long is known of a file that it was collected."""
_log = structlog.get_logger("assets")


class AssetCollector:
    """Deletes files that no asset has had for the time of grace and that were never sold. Any number may run."""

    def __init__(self, database_url: str, blobs: Blobs, grace_seconds: float) -> None:
        self._database_url = database_url
        self._blobs = blobs
        self._grace_seconds = grace_seconds

    def collect(self) -> int:
        """Return how many there were. Raises Unavailable.

        A file is doomed first: from then on no write can come to name it or to sell it, so it can go. Its row goes
        later, with what a late part or a collector that died in between has left.
        """
        collected = 0
        with AssetFiles(self._database_url) as files:
            while doomed := files.doom(self._grace_seconds, COLLECTED_AT_ONCE):
                for file in doomed:
                    self._blobs.discard(file.blob)
                collected += len(doomed)
            forgotten_seconds = max(self._grace_seconds, FORGOTTEN_SECONDS)
            while left_over := files.left_over(forgotten_seconds, COLLECTED_AT_ONCE):
                for file in left_over:
                    self._blobs.discard(file.blob)
                files.forget([file.id for file in left_over])
        if collected:
            _log.info("collected", files=collected)
        return collected
