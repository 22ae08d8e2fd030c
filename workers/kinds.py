"""All the work there is: one line a kind."""

from functools import partial
from typing import NamedTuple

from commands.blobs import Blobs
from commands.bus import Bus
from commands.settings import Settings
from projections import connection, images, imports, listing, purchase
from workers.connections import ConnectionWork
from workers.images import SmallSizes
from workers.imports import ImportWork
from workers.lane import PACES
from workers.listings import ListingWork
from workers.mail import MailWork, Office
from workers.marketplaces.registry import Marketplaces
from workers.rounds import RoundWork
from workers.runner import Kind
from workers.subscriptions import SubscriptionWork
from workers.sync import Desk
from workers.turns import Turns


class Tools(NamedTuple):
    """What work is done with; all threads of a process share it."""

    settings: Settings
    bus: Bus
    blobs: Blobs


def sync_kinds(desk: Desk) -> list[Kind]:
    return [
        # It waits for what may take days.
        Kind(listing.ROUND, partial(RoundWork, desk), max_fruitless=None, lane="sync"),
        Kind(listing.KIND, partial(ListingWork, desk), lane="sync"),
    ]


def kinds(tools: Tools) -> list[Kind]:
    image = partial(SmallSizes.take, tools.settings.database_url, tools.blobs)
    marketplaces, turns = Marketplaces(tools.settings), Turns(PACES["sync"].threads_of(tools.settings))
    subscription = partial(SubscriptionWork.take, tools.bus, tools.settings, marketplaces)
    return [
        # It counts its own attempts, and ends as failed.
        Kind(imports.KIND, partial(ImportWork.take, tools.bus, tools.blobs), max_fruitless=None, lane="long"),
        Kind(images.KIND, image, lane="long"),
        Kind(connection.KIND, partial(ConnectionWork.take, tools.bus, tools.settings, marketplaces), lane="sync"),
        Kind(connection.SUBSCRIPTION, subscription, lane="sync"),
        *sync_kinds(Desk(tools.settings, tools.bus, marketplaces, turns)),
        Kind(purchase.KIND, partial(MailWork.take, Office.opened(tools.settings, tools.bus))),
    ]
