"""What the HTTP server loads in each of its processes."""

import asyncio
import multiprocessing
import os

from litestar import Litestar

from api.app import create_app
from api.metrics import share_metrics
from api.signals import END_STREAMS
from engines.lifeline import die_with_parent


def application() -> Litestar:
    """Return the app of one process, which does not outlive the server's main process, however that ends."""
    # Not getppid: the main process may have died while this one was starting.
    parent = multiprocessing.parent_process()
    main = parent.pid if parent is not None and parent.pid is not None else os.getppid()
    die_with_parent(main)
    share_metrics(main)
    app = create_app()

    def end_streams() -> None:
        app.state.services.tail.end()

    async def listen() -> None:
        asyncio.get_running_loop().add_signal_handler(END_STREAMS, end_streams)

    app.on_startup.append(listen)
    return app
