"""For whoever runs this: is the process up, can it work, what has it done."""

import asyncio
from contextlib import suppress
from typing import Any

from litestar import get

from api.answers import Answer, json_answer
from api.errors import RETRY_AFTER_SECONDS
from api.metrics import metrics
from api.openapi import deployment as declared
from api.requests import ApiRequest
from api.services import Services, services
from api.sync_metrics import sync_metrics
from api.todo_metrics import todo_metrics
from domain.errors import Unavailable

READY_TIMEOUT_SECONDS = 3.0
_NO_STORE = (b"cache-control", b"no-store")


@get("/healthz", operation=declared.HEALTH)
async def healthz() -> Answer:
    return json_answer({"status": "ok"}, headers=[_NO_STORE])


@get("/readyz", operation=declared.READY)
async def readyz(request: ApiRequest) -> Answer:
    """Redis is told of, and never the reason for a no: without it requests are still answered."""
    within = services(request)
    problem = await _database_problem(within)
    checks = {"database": problem or "ok", "rate_limits": within.limits.state}
    if problem is None:
        return json_answer({"status": "ready", "checks": checks}, headers=[_NO_STORE])
    headers = [_NO_STORE, (b"retry-after", b"%d" % RETRY_AFTER_SECONDS)]
    return json_answer({"status": "not ready", "checks": checks}, 503, headers)


@get("/metrics", operation=declared.METRICS)
async def show_metrics(request: ApiRequest) -> Answer:
    """Without the database the numbers of this server are shown alone."""
    body = await asyncio.to_thread(metrics().exposition)
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            body += await todo_metrics(services(request).reader)
            body += await sync_metrics(services(request).reader)
    return Answer(body, headers=[_NO_STORE], media_type=b"text/plain; version=0.0.4; charset=utf-8")


async def _database_problem(within: Services) -> str | None:
    try:
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            await within.reader.rows(b"SELECT 1 FROM product_list LIMIT 1")
    except (Unavailable, TimeoutError):
        return "unreachable"
    return None


HANDLERS: list[Any] = [healthz, readyz, show_metrics]
