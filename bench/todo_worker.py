"""One worker process with a kind of work that the bench alone knows: `python -m bench.todo_worker` runs it."""

from functools import partial
from uuid import UUID

from commands import logs
from commands.bus import Bus
from commands.settings import Settings
from commands.work import Context, change
from domain.event import Step
from domain.product import product as products
from workers.kinds import Tools
from workers.leases import Lease
from workers.main import serve
from workers.runner import Kind

KIND = "bench"


class Renaming:
    """Gives a product a new title, and takes that off the list with the event that tells of it."""

    def __init__(self, bus: Bus, id: UUID) -> None:
        self._bus = bus
        self._id = id

    def attempt(self, lease: Lease) -> None:
        store = self._bus.store
        product = store.load(self._id, products.fold)
        assert product is not None
        work = self._bus.work(Context(product.organization, "system", "bench"))
        events = products.revise(product, {"title": f"{product.title} {lease.attempt}"}, work.stamp)
        work.save(
            [change(product.id, product, events, products.evolve)],
            steps=[Step("owe_no_more(%b)", (self._id,))],
        )


def _kinds(tools: Tools) -> list[Kind]:
    return [Kind(KIND, partial(Renaming, tools.bus))]


if __name__ == "__main__":
    settings = Settings.load()
    logs.configure(settings.log_format, settings.log_level)
    serve(settings, known=_kinds)
