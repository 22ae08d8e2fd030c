from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct

from domain.event import DomainEvent


class RowError(Struct, frozen=True):
    """A row that was refused, by its line in the file."""

    line: int
    reason: str


class RowRepeat(Struct, frozen=True):
    """A row that says again what line `first_line` of the file said."""

    line: int
    first_line: int


class ImportRequested(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A file was handed in and is kept as `blob`. `mapping` is product field -> column name; `currency` is that of a
    seller's file's prices."""

    TOPIC: ClassVar[str] = "import.requested.v1"

    filename: str
    blob: str
    size_bytes: int
    sha256: str
    type: str
    mapping: Mapping[str, str] = {}
    currency: str = "USD"
    dry_run: bool = False


class ImportAttempted(DomainEvent, frozen=True, kw_only=True):
    """A worker is about to run it. Counted before it runs, so that a file that kills its worker is seen to."""

    TOPIC: ClassVar[str] = "import.attempted.v1"

    attempt: int


class ImportRecognised(DomainEvent, frozen=True, kw_only=True):
    """`format` is one of commands.imports.formats; `encoding` a codec's name."""

    TOPIC: ClassVar[str] = "import.recognised.v1"

    format: str
    encoding: str
    rows_total: int


class ImportAdvanced(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Some rows were dealt with, in the transaction that stored what they made. Numbers are of these rows alone;
    `errors` and `repeats` are listed up to a limit over the whole import.

    `created` rows made `products`, None for one each; `items` are inventory items.
    """

    TOPIC: ClassVar[str] = "import.advanced.v1"

    rows: int
    created: int = 0
    unchanged: int = 0
    duplicates: int = 0
    rejected: int = 0
    products: int | None = None
    items: int = 0
    presences: int = 0
    errors: tuple[RowError, ...] = ()
    repeats: tuple[RowRepeat, ...] = ()


class ImportCompleted(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Every row was dealt with; `rejects_blob` holds the refused ones as CSV, None without any."""

    TOPIC: ClassVar[str] = "import.completed.v1"

    rejects_blob: str | None = None


class ImportFailed(DomainEvent, frozen=True, kw_only=True):
    """It ended before its end and is not tried again. `error` is one line for the person who asked."""

    TOPIC: ClassVar[str] = "import.failed.v1"

    error: str


ImportEvent = ImportRequested | ImportAttempted | ImportRecognised | ImportAdvanced | ImportCompleted | ImportFailed
