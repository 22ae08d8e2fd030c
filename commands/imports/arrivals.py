"""What an import brings: rows as they were read, and what became of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Struct

from commands.save import Claim, Save
from domain.event import Change, Step
from domain.product.events import Credit

IMPORT_CLAIM = "import"


class Copies(Struct, frozen=True, kw_only=True):
    """`count` copies of a row's product that are alike. `values` are ItemCreated's fields by name, `listing` those of
    PresenceCreated where they are listed.

    `name` says by what, of `source` (listing, external, content), a later import knows them; the first of them is the
    `first` of that name.
    """

    source: str
    name: str
    values: Mapping[str, Any]
    count: int = 1
    first: int = 1
    listing: Mapping[str, Any] | None = None

    @property
    def claims(self) -> list[str]:
        numbers = range(self.first, self.first + self.count)
        return [f"discogs:{self.source}:{number}:{self.name}" for number in numbers]


class ImportRow(Struct, frozen=True, kw_only=True):
    """One row of a file. `claim` names its product in its source, e.g. "discogs:release:249504".

    `values` are ProductCreated's fields by name; None where the row tells nothing of the product, which has to be
    there already. `is_repeat` says that an earlier row of the file had the product too.
    """

    values: Mapping[str, Any] | None
    claim: str
    artist_name: str | None = None
    music_label_name: str | None = None
    copies: Copies | None = None
    is_repeat: bool = False


class Made(NamedTuple):
    """How many of each an import created; `rows` are those that created anything."""

    rows: int = 0
    products: int = 0
    items: int = 0
    presences: int = 0


class Brought(NamedTuple):
    """One save, what it makes, and the credits that it makes on the way."""

    save: Save
    made: Made
    credits: Mapping[UUID, Credit]


class Arrivals:
    """What a save gathers: each list belongs into it. `rows` holds the places of the rows that created anything."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.claims: list[Claim] = []
        self.steps: list[Step] = []
        self.rows: set[int] = set()
        self.items = self.presences = 0
