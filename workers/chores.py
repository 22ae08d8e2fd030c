"""All that is done from time to time: one line a chore."""

from datetime import UTC, datetime, timedelta
from functools import partial

from commands.seals.sealer import seal_log
from projections.activity import ActivityLog
from projections.budget import Budget
from projections.notification import Subscribers
from projections.todo import Todo
from projections.worker import WorkerConnection
from workers.assets import AssetCollector
from workers.images import Collector
from workers.kinds import Tools
from workers.rates import LOOK_SECONDS, RatesWork
from workers.scheduler import Chore

SWEEP_SECONDS = 600.0
RECEIPTS_KEPT_SECONDS = 48 * 3600


def chores(tools: Tools) -> list[Chore]:
    settings = tools.settings
    collector = Collector(settings.database_url, tools.blobs, settings.image_grace_seconds)
    assets = AssetCollector(settings.database_url, tools.blobs, settings.asset_grace_seconds)
    rates = RatesWork(settings, tools.bus)

    def sweep() -> None:
        with Todo(settings.database_url) as todo:
            todo.sweep()

    def forget_activity() -> None:
        with ActivityLog(settings.database_url) as activity:
            activity.forget(settings.activity_days)

    def sweep_doors() -> None:
        with Subscribers(settings.database_url) as subscribers:
            subscribers.sweep()

    def forget_revisions() -> None:
        # A day late: another process' clock may be behind.
        with WorkerConnection(settings.database_url) as connection:
            Budget(connection).forget((datetime.now(UTC) - timedelta(days=1)).date())

    return [
        Chore("doors", SWEEP_SECONDS, sweep_doors),
        Chore("leases", SWEEP_SECONDS, sweep),
        Chore("receipts", SWEEP_SECONDS, lambda: tools.bus.store.forget_receipts(RECEIPTS_KEPT_SECONDS)),
        Chore("activity", SWEEP_SECONDS, forget_activity),
        Chore("budgets", SWEEP_SECONDS, forget_revisions),
        Chore("rates", LOOK_SECONDS, rates.fetch),
        Chore("conversions", LOOK_SECONDS, rates.reconvert),
        Chore("seals", settings.seal_seconds, partial(seal_log, settings, tools.blobs)),
        Chore("images", min(SWEEP_SECONDS, settings.image_grace_seconds), collector.collect),
        Chore("assets", min(SWEEP_SECONDS, settings.asset_grace_seconds), assets.collect),
    ]
