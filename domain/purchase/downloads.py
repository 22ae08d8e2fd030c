"""What counts as a download of a purchase: a file, by an address, within half an hour."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from uuid import UUID

from domain.event import Stamp
from domain.purchase import purchase as purchases
from domain.purchase.events import DownloadOpened
from domain.purchase.purchase import Purchase

WINDOW = timedelta(minutes=30)
"""From its beginning: so long a download is gone on with and not counted again."""


def open_downloads(
    purchase: Purchase, wanted: Mapping[UUID, UUID], begun: Collection[UUID], stamp: Stamp
) -> list[DownloadOpened]:
    """Return an event for each of the wanted files (the asset, and the id that its download would have) that the
    address has not `begun` within the window. All of them are opened or none is.

    Raises NotFound where a file was not sold, Revoked, Expired, UsedUp.
    """
    events: list[DownloadOpened] = []
    for asset, download in wanted.items():
        if asset not in begun:
            opened = purchases.open_download(purchase, asset, download, stamp.timestamp, stamp)
            events.append(opened)
            after = purchases.evolve(purchase, opened)
            assert after is not None, "a purchase is not deleted"
            purchase = after
    return events
