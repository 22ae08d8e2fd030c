"""A save: what one decision asks of the log, and what it gets back."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from domain.event import Change, Step


class Claim(NamedTuple):
    """A value that one aggregate of an organization may hold, e.g. ("import", "discogs:release:249504")."""

    organization: UUID
    kind: str
    value: str
    holder: UUID


class Part(NamedTuple):
    """A piece of an answer's body: text, and the product whose document follows it; None where none does."""

    text: str
    product: UUID | None = None


class Receipt(NamedTuple):
    """An Idempotency-Key and the answer it is bound to. `request` is a digest of method, path and body; `body` is
    None until the write has made it: then it is composed of `parts`, or is the document of `subject`. `headers` is
    JSON text.
    """

    organization: UUID
    key: str
    request: bytes
    status: int
    headers: str = "{}"
    subject: UUID | None = None
    body: str | None = None
    parts: Sequence[Part] = ()


class Replayed(Exception):
    """The key has been answered before: the first answer is `receipt`."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__("This request was answered before.")
        self.receipt = receipt


class Save(NamedTuple):
    """Changes, and what holds or falls with them: claims taken, `release`d holders' claims ended, a key bound, and
    `steps` of the command's own, which run before those of the projections.
    """

    changes: Sequence[Change]
    claims: Sequence[Claim] = ()
    release: Sequence[UUID] = ()
    receipt: Receipt | None = None
    steps: Sequence[Step] = ()


class Saved(NamedTuple):
    """Log positions of the events, and the documents that the projections made of the aggregates, by id."""

    positions: Sequence[int]
    documents: Mapping[UUID, str]
