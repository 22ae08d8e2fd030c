"""What platforms send by themselves: for whom it is, the keys it is signed with, and who is to be sent any."""

from typing import Literal, NamedTuple
from uuid import UUID

from projections.base import Reader, queries
from projections.worker import WorkerConnection

KNOWN_SECONDS, UNKNOWN_SECONDS, ASKING_SECONDS = 3600.0, 600.0, 15.0
"""So long a key counts, that eBay has no such key, and that whoever asks for it is waited for."""
KEYS_A_MINUTE = 10
"""So many keys that are not known yet are asked for, by all processes together: who makes up names of keys is not to
have us ask eBay for each.
"""
_SQL = queries("notification")


class Receiver(NamedTuple):
    """Whose connection it is, and to what."""

    organization: UUID
    platform_uid: str


class Key(NamedTuple):
    """`ask` is said to one alone, who then says what was `answered`; the others are told to wait, up to a limit."""

    verdict: Literal["known", "unknown", "waiting", "limited", "ask"]
    pem: str | None


async def receiver(reader: Reader, connection: UUID) -> Receiver | None:
    """Return whose connection it is; None where there is none."""
    found = await reader.row(_SQL["receiver"], [connection])
    return None if found is None else Receiver(*found)


async def key(reader: Reader, kid: str) -> Key:
    """Return what is known of a key of eBay's, or whether it is to be asked for."""
    limits = (KNOWN_SECONDS, UNKNOWN_SECONDS, ASKING_SECONDS, KEYS_A_MINUTE)
    found = await reader.row(_SQL["key"], [kid, *limits])
    assert found is not None
    return Key(*found)


async def answered(reader: Reader, kid: str, pem: str | None) -> None:
    """Keep what eBay says of a key, for all processes; None: it has none of this name."""
    await reader.row(_SQL["answered"], [pem, kid])


class Subscribers(WorkerConnection):
    """Connections that are to be sent notifications of, as workers see them."""

    def of(self, work: UUID) -> UUID | None:
        """Return the connection that work is about; None where it is gone."""
        found = self.rows(_SQL["subscriber"], {"work": work})
        return found[0][0] if found else None

    def sweep(self) -> None:
        """Forget what is over: consents, keys, and that notifications were taken."""
        self.rows(_SQL["sweep"], {})
