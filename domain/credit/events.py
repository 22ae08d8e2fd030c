from typing import ClassVar

from domain.event import DomainEvent


class ArtistCreated(DomainEvent, frozen=True, kw_only=True):
    TOPIC: ClassVar[str] = "artist.created.v1"

    name: str


class LabelCreated(DomainEvent, frozen=True, kw_only=True):
    """A music label got its first product."""

    TOPIC: ClassVar[str] = "label.created.v1"

    name: str
