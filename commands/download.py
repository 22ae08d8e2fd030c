"""Commands about downloads: one is counted when it begins; how much of it was sent is noted when it ends."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from msgspec import Struct

from commands.save import Saved
from commands.store import Store
from commands.work import Work, change
from domain.event import Step
from domain.purchase import purchase as purchases
from domain.purchase.downloads import WINDOW, open_downloads


class OpenDownloads(Struct, frozen=True, kw_only=True):
    """Somebody at this address downloads these files of a purchase."""

    # With no limit to them as many as like may begin at once, in however many processes: each time one of those that
    # meet gets through.
    RETRIES: ClassVar[int] = 100

    purchase: UUID
    assets: tuple[UUID, ...]
    ip: str
    user_agent: str | None

    @property
    def subject(self) -> UUID:
        return self.purchase


def open_(command: OpenDownloads, work: Work) -> Saved:
    """Raises NotFound, Revoked, Expired, UsedUp. What is being downloaded already makes no event."""
    purchase = work.load(command.purchase, purchases.fold)
    # Read after the stream: one that begins in between has moved it on, and this save is refused and decided again.
    begun = work.store.downloads_since(purchase.id, command.ip, work.now - WINDOW)
    events = open_downloads(purchase, {asset: work.new_id() for asset in command.assets}, begun, work.stamp)
    if not events:
        return work.save([])
    sold = {asset.id: asset for asset in purchase.assets}
    files = [sold[event.asset] for event in events]
    values = (
        purchase.id,
        purchase.organization,
        [event.download for event in events],
        [file.id for file in files],
        [file.filename for file in files],
        [file.size_bytes for file in files],
        command.ip,
        command.user_agent,
        work.now,
    )
    step = Step("open_downloads(%b, %b, %b, %b, %b::text[], %b::bigint[], %s, %s, %b)", values)
    return work.save([change(purchase.id, purchase, events, purchases.evolve)], steps=[step])


class Sent(NamedTuple):
    """Bytes of a download's file that went to the client: from `start` up to and without `end`."""

    download: UUID
    start: int
    end: int


def note_sent(store: Store, sent: Iterable[Sent]) -> None:
    """Add to what was sent of downloads. It is no event: nothing is decided by it. Raises Busy, Unavailable."""
    # Sorted, so that two that end together take the rows in the same order.
    steps = [Step("note_sent(%b, %b::bigint, %b::bigint)", part) for part in sorted(sent) if part.end > part.start]
    store.save([], steps=steps)


HANDLERS: Mapping[Any, Any] = {OpenDownloads: open_}
