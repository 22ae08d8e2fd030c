"""Artists and music labels: names that products share, one aggregate for each folded name of an organization."""

import unicodedata
from uuid import UUID

from domain.credit.events import ArtistCreated, LabelCreated
from domain.event import Stamp
from domain.ids import named

ARTIST, LABEL = "artist", "label"
_CREATED: dict[str, type[ArtistCreated | LabelCreated]] = {ARTIST: ArtistCreated, LABEL: LabelCreated}


def tidy(name: str) -> str:
    """Return the name as it is kept: NFC, trimmed, inner white space single."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def credit_id(organization: UUID, noun: str, name: str) -> UUID:
    """Return the id of the artist or label called `name` (tidied), whatever its case."""
    return named(organization, noun, unicodedata.normalize("NFC", name.casefold()))


def create(noun: str, name: str, stamp: Stamp) -> ArtistCreated | LabelCreated:
    return _CREATED[noun](**stamp.on(credit_id(stamp.organization, noun, name), 1), name=name)
