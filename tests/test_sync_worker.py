"""Worker processes beside a marketplace that takes requests and never answers: the other one's are not waited for."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from msgspec.structs import replace

from commands.settings import Settings
from tests.importing import eventually, working
from tests.syncing import DISCOGS, EBAY, syncing


class Silence:
    """A server that takes what comes and says nothing."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.asked = threading.Semaphore(0)
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take, name="silence")
        self._thread.start()

    def _take(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(connection)
            self.asked.release()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for connection in self._open:
            connection.close()


@contextmanager
def silence() -> Iterator[Silence]:
    made = Silence()
    try:
        yield made
    finally:
        made.close()


def test_a_marketplace_that_never_answers_slows_nobody_elses(settings: Settings) -> None:
    quiet = replace(settings, log_level="error", worker_threads=2)
    with silence() as nowhere, syncing(quiet, None) as shop:
        for seller in (shop, shop.another(), shop.another()):
            seller.connect(EBAY, push_prices=True)
            seller.reprice(seller.record(f"LP-{seller.context.organization}").presences[EBAY], "30.00")
        with working(replace(shop.settings, ebay_api_url=nowhere.url)) as worker:
            # As many as may be at one marketplace are there, and get no answer.
            for _ in range(2):
                assert nowhere.asked.acquire(timeout=60)
            shop.connect(DISCOGS, push_prices=True)
            record = shop.record("LP-1")
            shop.reprice(record.presences[DISCOGS], "33.00")
            eventually(lambda: shop.price_there(DISCOGS, record.listings[DISCOGS]) == Decimal("33.00"))
            assert not nowhere.asked.acquire(blocking=False)
            worker.terminate()
            assert worker.wait(10) == 0
        assert shop.rows("SELECT count(*) FROM todo WHERE kind = 'round' AND dead_since IS NULL") == [(4,)]
