"""The composition root of the HTTP side: settings in, an app out, everything opened with it closed with it."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

from litestar import Litestar
from litestar.routes import HTTPRoute

from api import (
    activity,
    asset_uploads,
    assets,
    audit,
    audit_stream,
    connections,
    consents,
    docs,
    download_logs,
    downloads,
    errors,
    health,
    history,
    images,
    imports,
    inventory,
    keys,
    media,
    notifications,
    presences,
    product_batch,
    product_export,
    products,
    purchases,
    rates,
    reference,
)
from api.addresses import Addresses
from api.front import Front
from api.hot import Hot
from api.limits import Limits
from api.metrics import metrics
from api.outside import Outside
from api.page_cache import PageCache
from api.services import Services
from api.uses import Uses
from commands.blobs import Blobs
from commands.bus import Bus
from commands.logs import configure
from commands.settings import Settings
from commands.store import Store
from projections.base import Reader
from projections.inline import inline_projections
from projections.organizations import Gate
from projections.tail import Tail

FILE_THREADS = 8
UPLOADS = 64


def create_app(settings: Settings | None = None) -> Litestar:
    """Return the app; without `settings` they come from the environment. Nothing is opened before it starts."""
    known = settings or Settings.load()
    configure(known.log_format, known.log_level)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with opened(known) as found:
            app.state.services = found
            yield

    app = Litestar(
        route_handlers=[
            *products.HANDLERS,
            *product_batch.HANDLERS,
            *product_export.HANDLERS,
            *presences.HANDLERS,
            *inventory.HANDLERS,
            *assets.HANDLERS,
            *asset_uploads.HANDLERS,
            *history.HANDLERS,
            *audit.HANDLERS,
            *audit_stream.HANDLERS,
            *images.HANDLERS,
            *purchases.HANDLERS,
            *media.HANDLERS,
            *connections.HANDLERS,
            *consents.HANDLERS,
            *notifications.HANDLERS,
            *activity.HANDLERS,
            *reference.HANDLERS,
            *rates.HANDLERS,
            *keys.HANDLERS,
            *imports.HANDLERS,
            *downloads.HANDLERS,
            *download_logs.HANDLERS,
            *health.HANDLERS,
            *docs.HANDLERS,
        ],
        lifespan=[lifespan],
        exception_handlers=errors.HANDLERS,
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,
    )
    app.state.docs = docs.Docs.of(app)
    app.asgi_handler = Front(Hot(app.asgi_handler, app.state), metrics(), _methods(app))
    return app


def _methods(app: Litestar) -> dict[str, set[str]]:
    """Return the methods of each path, by its template."""
    found: dict[str, set[str]] = {}
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            found.setdefault(route.path_format, set()).update(route.methods)
    return found


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """Open what the handlers share. Raises Unavailable where the database does not answer, SettingsError."""
    settings.require("secret_key")
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            Store.opened_in_loop(settings.database_url, inline_projections(), settings.write_pool_size)
        )
        blobs = Blobs(settings)
        stack.callback(blobs.close)
        threads = stack.enter_context(ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="file"))
        download_threads = stack.enter_context(ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="download"))
        reader = await stack.enter_async_context(Reader(settings.database_url, settings.read_pool_size))
        gate = Gate(reader)
        uses = Uses(gate)
        uses.start()
        stack.push_async_callback(uses.close)
        tail = Tail(settings.database_url)
        stack.push_async_callback(tail.close)
        outside = Outside(settings)
        stack.callback(outside.close)
        limits = Limits(settings.redis_url, settings.rate_limit_per_minute)
        stack.push_async_callback(limits.close)
        yield Services(
            settings=settings,
            addresses=Addresses(settings.public_url, settings.trusted_proxies),
            reader=reader,
            gate=gate,
            bus=Bus(store, rate_max_age_days=settings.rate_max_age_days),
            blobs=blobs,
            limits=limits,
            pages=PageCache(settings.page_cache_mib * 1024**2),
            uses=uses,
            tail=tail,
            outside=outside,
            threads=threads,
            download_threads=download_threads,
            turns=asyncio.Semaphore(settings.write_pool_size),
            opening_turns=asyncio.Semaphore(max(1, settings.write_pool_size // 2)),
            picture_turn=asyncio.Semaphore(1),
            uploads=asyncio.Semaphore(UPLOADS),
        )
