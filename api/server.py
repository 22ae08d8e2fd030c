"""What the HTTP server loads in each of its processes."""

import os

from litestar import Litestar

from api.app import create_app
from api.metrics import share_metrics
from engines.lifeline import die_with_parent


def application() -> Litestar:
    """Return the app of one process, which does not outlive the server's main process, however that ends."""
    die_with_parent(os.getppid())
    share_metrics(os.getppid())
    return create_app()
