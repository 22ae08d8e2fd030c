"""What the handlers of one process share, opened with the app and closed with it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from msgspec import Struct

from api.addresses import Addresses
from api.limits import Limits
from api.requests import ApiRequest, request_id
from api.uses import Uses
from commands.blobs import Blobs
from commands.bus import Bus
from commands.settings import Settings
from commands.store import Guard, Receipt, Replayed, Saved
from commands.work import Context
from projections.base import Reader
from projections.organizations import Gate

T = TypeVar("T")


class Services(Struct, frozen=True, kw_only=True):
    """`threads` are as many as the write pool has connections: one command runs in one of them."""

    settings: Settings
    addresses: Addresses
    reader: Reader
    gate: Gate
    bus: Bus
    blobs: Blobs
    limits: Limits
    uses: Uses
    threads: ThreadPoolExecutor

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def execute(
        self, request: ApiRequest, command: Any, *, receipt: Receipt | None = None, guard: Guard | None = None
    ) -> Saved:
        """Run one command for the caller. Raises what Bus.execute raises; Replayed also before it runs."""
        caller = request.auth
        context = Context(caller.organization, caller.actor, request_id(request.scope))

        def work() -> Saved:
            if receipt is not None and (first := self.bus.store.receipt(*receipt[:3])) is not None:
                raise Replayed(first)
            return self.bus.execute(command, context, receipt=receipt, guard=guard)

        return await self.in_thread(work)


def services(request: ApiRequest) -> Services:
    found: Services = request.app.state.services
    return found
