"""Pictures as a table: which of them something shows, which wait for their small sizes, which are to be collected."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from domain.event import Change, Projected, Step
from domain.image import Image
from domain.inventory.inventory import Item
from domain.product.product import Product
from projections.base import Reader, queries
from projections.worker import WorkerConnection

KIND = "image"
_SQL = queries("images")


class ImagesProjection:
    """Keeps `image`, and in `todo` the pictures whose small sizes are owed."""

    def project(self, changes: Sequence[Change]) -> Projected:
        shown: dict[UUID, Step] = {}
        owed: list[Step] = []
        freed: list[UUID] = []
        for change in changes:
            before, after = _images(change.before), _images(change.after)
            if before == after:
                continue
            freed.extend(before.keys() - after.keys())
            for id in after.keys() - before.keys():
                image, state = after[id], change.after
                values = (id, state.organization, image.token, image.blob, image.content_type, image.size_bytes)
                shown[id] = Step("show_image(%b, %b, %s, %s, %s, %b::bigint)", values)
                owed.append(Step("owe(%b, %b, %s, %b)", (id, state.organization, KIND, state.updated)))
        # Sorted, so that two writers take the rows in the same order.
        steps = [shown[id] for id in sorted(shown)] + owed
        if freed:
            steps.append(Step("free_images(%b)", (sorted(freed),)))
        return Projected(steps, {})


def _images(state: Any) -> Mapping[UUID, Image]:
    match state:
        case Product(image=Image() as image):
            return {image.id: image}
        case Item(photos=photos):
            return {photo.id: photo for photo in photos}
    return {}


class Media(NamedTuple):
    """A picture's files: `small_bytes` and `large_bytes` are the small sizes', None until there are any."""

    blob: str
    content_type: str
    size_bytes: int
    small_bytes: int | None
    large_bytes: int | None


async def media(reader: Reader, token: str) -> Media | None:
    """Return the picture that this token leads to; None where there is none, or none any more."""
    found = await reader.row(_SQL["media"], [token])
    return None if found is None else Media(*found)


class Images(WorkerConnection):
    """What workers note of pictures."""

    def shown(self, id: UUID) -> str | None:
        """Return the key of the original, None where nothing shows the picture."""
        found = self.rows(_SQL["shown"], {"id": id})
        return found[0][0] if found else None

    def made(self, id: UUID, small_bytes: int, large_bytes: int) -> None:
        """Note the small sizes; nothing is owed any more."""
        self.rows(_SQL["made"], {"id": id, "small": small_bytes, "large": large_bytes})

    def doom(self, grace_seconds: float, limit: int) -> list[str]:
        """Take pictures that nothing has shown for so long, and nothing can show from now on; return their keys."""
        return [row[0] for row in self.rows(_SQL["doom"], {"grace": grace_seconds, "limit": limit})]

    def left_over(self, grace_seconds: float, limit: int) -> dict[UUID, str]:
        """Return the keys of pictures that were doomed so long ago."""
        return dict(self.rows(_SQL["left_over"], {"grace": grace_seconds, "limit": limit}))

    def forget(self, ids: Sequence[UUID]) -> None:
        self.rows(_SQL["forget"], {"ids": list(ids)})
