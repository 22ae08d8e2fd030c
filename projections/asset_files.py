"""The files of digital assets as a table: which of them an asset has, which are to be collected."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from domain.asset.asset import Asset
from domain.event import Change, Projected, Step
from projections.base import queries
from projections.worker import WorkerConnection

_SQL = queries("asset_files")


class AssetFilesProjection:
    """Keeps `asset_file`."""

    def project(self, changes: Sequence[Change]) -> Projected:
        steps: list[Step] = []
        freed: list[UUID] = []
        # Sorted, so that two writers take the rows in the same order.
        for change in sorted(changes, key=lambda change: change.id):
            match change.before, change.after:
                case None, Asset() as asset:
                    values = (asset.id, asset.organization, asset.blob, asset.size_bytes)
                    steps.append(Step("show_asset_file(%b, %b, %s, %b::bigint)", values))
                case Asset(), None:
                    freed.append(change.id)
        if freed:
            steps.append(Step("free_asset_files(%b)", (freed,)))
        return Projected(steps, {})


class Doomed(NamedTuple):
    """A file that the collector took."""

    id: UUID
    blob: str


class AssetFiles(WorkerConnection):
    """What workers note of files."""

    def doom(self, grace_seconds: float, limit: int) -> list[Doomed]:
        """Take files that no asset has had for so long, that nobody bought, and those of uploads that ran out."""
        return [Doomed(*row) for row in self.rows(_SQL["doom"], {"grace": grace_seconds, "limit": limit})]

    def left_over(self, grace_seconds: float, limit: int) -> list[Doomed]:
        """Return the files that were doomed so long ago."""
        return [Doomed(*row) for row in self.rows(_SQL["left_over"], {"grace": grace_seconds, "limit": limit})]

    def forget(self, ids: Sequence[UUID]) -> None:
        self.rows(_SQL["forget"], {"ids": list(ids)})
