"""The claims of a file so far. On disk past a few megabytes, so that memory does not grow with the file."""

import sqlite3

_PUT = "INSERT OR IGNORE INTO seen (claim, line) VALUES (?, ?)"
_FIND = "SELECT line FROM seen WHERE claim = ?"
_ADD = """INSERT INTO copies (name, count) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET count = count + excluded.count RETURNING count"""


class Seen:
    """For the thread that makes it. The file is a temporary one of SQLite's own, gone with this object."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE seen (claim TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._database.execute("CREATE TABLE copies (name TEXT PRIMARY KEY, count INTEGER) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def first(self, claim: str, line: int) -> int | None:
        """Note the claim; return the line that had it before, None for a new one."""
        if self._database.execute(_PUT, (claim, line)).rowcount:
            return None
        found: tuple[int] = self._database.execute(_FIND, (claim,)).fetchone()
        return found[0]

    def copies(self, name: str, count: int) -> int:
        """Note `count` more copies of a name; return how many there were before."""
        total: tuple[int] = self._database.execute(_ADD, (name, count)).fetchone()
        return total[0] - count

    def close(self) -> None:
        self._database.close()
