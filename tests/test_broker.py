"""The two brokers there may be, by their URLs."""

import pytest

from commands.settings import Settings
from domain.errors import Unavailable
from workers.broker import Broker


@pytest.mark.parametrize("url", ["amqp://guest:guest@127.0.0.1:1", "redis://127.0.0.1:1/0"])
def test_a_broker_is_made_by_its_url_and_says_so_where_it_is_away(url: str) -> None:
    assert Settings.load({"REDIS_URL": url}).redis_url == url
    broker = Broker(url, "deadwax.test", 50)
    broker.register("touch", lambda *_: None)
    with pytest.raises(Unavailable, match="The message broker cannot be reached"):
        broker.send("touch", "subject", "token")
    broker.stop()
