"""Every event type of the log, by its pinned topic. A topic never changes; a changed meaning is a new topic."""

from domain.credit.events import ArtistCreated, LabelCreated
from domain.event import DomainEvent
from domain.imports.events import (
    ImportAdvanced,
    ImportAttempted,
    ImportCompleted,
    ImportFailed,
    ImportRecognised,
    ImportRequested,
)
from domain.organization.events import ApiKeyCreated, ApiKeyRevoked, ApiKeyRotated, OrganizationCreated
from domain.product.events import ProductCreated, ProductDeleted, ProductPriceOverridden, ProductRevised

EVENTS: dict[str, type[DomainEvent]] = {
    event.TOPIC: event
    for event in (
        OrganizationCreated,
        ApiKeyCreated,
        ApiKeyRotated,
        ApiKeyRevoked,
        ArtistCreated,
        LabelCreated,
        ProductCreated,
        ProductRevised,
        ProductPriceOverridden,
        ProductDeleted,
        ImportRequested,
        ImportAttempted,
        ImportRecognised,
        ImportAdvanced,
        ImportCompleted,
        ImportFailed,
    )
}
