"""Metrics for Prometheus, added up over the server's processes through files in a folder that they share."""

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "deadwax-metrics-"
BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def share_metrics(server: int) -> None:
    """Make the processes of one server, named by its main process, count together. Call it before anything counts."""
    base = Path(tempfile.gettempdir())
    for folder in base.glob(f"{_PREFIX}*"):
        if not Path("/proc", folder.name.removeprefix(_PREFIX)).exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)
    folder = base / f"{_PREFIX}{server}"
    folder.mkdir(mode=0o700, exist_ok=True)
    os.environ[_FOLDER] = str(folder)


class Metrics:
    """Requests by method, route template and status, and how long they took."""

    def __init__(self) -> None:
        # Imported late: the library decides at import whether it counts for one process or for several.
        from prometheus_client import REGISTRY, Counter, Histogram

        self._requests = Counter(
            "deadwax_http_requests_total", "Requests answered.", ["method", "route", "status"], registry=REGISTRY
        )
        self._seconds = Histogram(
            "deadwax_http_request_seconds",
            "Time from a request's head to its answer's end.",
            ["method", "route"],
            buckets=BUCKETS_SECONDS,
            registry=REGISTRY,
        )
        self._counters: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        found = self._counters.get(key)
        if found is None:
            found = (self._requests.labels(method, route, status), self._seconds.labels(method, route))
            self._counters[key] = found
        found[0].inc()
        found[1].observe(seconds)

    def exposition(self) -> bytes:
        """Return the numbers of all processes that share theirs, or of this one, in Prometheus's text format."""
        from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, multiprocess

        if _FOLDER not in os.environ:
            return generate_latest(REGISTRY)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


@cache
def metrics() -> Metrics:
    """Return this process's metrics."""
    return Metrics()
