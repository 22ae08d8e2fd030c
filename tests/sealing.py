"""A sealed log, and those who change it behind its back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from msgspec.structs import replace

from commands.blobs import Blobs
from commands.seals import sealer
from commands.seals.key import new_key, seal_key
from commands.seals.sealer import Sealed, seal_log
from commands.seals.verify import Verified, verify
from commands.settings import Settings


class SealedShop:
    """Seals and verifies with a key of its own; what is anchored goes into the bucket of `settings`."""

    def __init__(self, settings: Settings, **changes: Any) -> None:
        self.settings = replace(settings, seal_key=new_key(), **changes)
        key = seal_key(self.settings)
        assert key is not None
        self.key = key

    def seal(self) -> Sealed:
        blobs = Blobs(self.settings)
        try:
            return seal_log(self.settings, blobs)
        finally:
            blobs.close()

    def verify(self) -> Verified:
        return verify(self.settings, self.key.public)

    def faults(self) -> list[tuple[str, int | None]]:
        return [(fault.kind, fault.position) for fault in self.verify().faults]

    def positions(self) -> list[int]:
        with psycopg.connect(self.settings.database_url) as connection:
            return [row[0] for row in connection.execute("SELECT notification_id FROM events ORDER BY 1")]

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.settings.database_url) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    @contextmanager
    def tampered(self) -> Iterator[psycopg.Cursor[Any]]:
        """Give a superuser's cursor, with the triggers off that refuse changes."""
        with psycopg.connect(self.settings.database_url) as connection, connection.cursor() as cursor:
            for table in ("events", "seal"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
            yield cursor
            for table, trigger in (("events", "events_stay"), ("seal", "seals_stay")):
                cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}".encode())


def small_seals(monkeypatch: Any, events: int = 8) -> None:
    """So few events go into a seal that a short log has many."""
    monkeypatch.setattr(sealer, "EVENTS_IN_SEAL", events)


def anchor_file(tmp_path: Path) -> str:
    return str(tmp_path / "seals.jsonl")
