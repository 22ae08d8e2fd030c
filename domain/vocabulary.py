"""Every event type of the log, by its pinned topic. A topic never changes; a changed meaning is a new topic."""

from domain.asset.events import AssetCreated, AssetDeleted, AssetRevised
from domain.connection.events import (
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionRefused,
    ConnectionRevised,
    ConnectionTestRequested,
    ConnectionVerified,
    CredentialsReplaced,
)
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
from domain.inventory.events import ItemCreated, ItemDeleted, ItemRevised, PhotoAdded, PhotoRemoved
from domain.organization.events import ApiKeyCreated, ApiKeyRevoked, ApiKeyRotated, OrganizationCreated
from domain.presence.events import PresenceCreated, PresenceDeleted, PresenceRepriced, PresenceRevised
from domain.product.events import (
    ProductCreated,
    ProductDeleted,
    ProductImageRemoved,
    ProductImageReplaced,
    ProductPriceOverridden,
    ProductRevised,
)
from domain.purchase.events import (
    BuyerErased,
    DownloadOpened,
    EmailFailed,
    EmailRequested,
    EmailSent,
    PurchaseCreated,
    PurchaseRestored,
    PurchaseRevoked,
)
from domain.task.events import TaskDropped, TaskFailed, TaskRetried

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
        ProductImageReplaced,
        ProductImageRemoved,
        ProductDeleted,
        PresenceCreated,
        PresenceRevised,
        PresenceRepriced,
        PresenceDeleted,
        ItemCreated,
        ItemRevised,
        PhotoAdded,
        PhotoRemoved,
        ItemDeleted,
        AssetCreated,
        AssetRevised,
        AssetDeleted,
        PurchaseCreated,
        EmailSent,
        EmailFailed,
        EmailRequested,
        PurchaseRevoked,
        PurchaseRestored,
        DownloadOpened,
        BuyerErased,
        ConnectionCreated,
        ConnectionRevised,
        CredentialsReplaced,
        ConnectionTestRequested,
        ConnectionVerified,
        ConnectionRefused,
        ConnectionDeleted,
        ImportRequested,
        ImportAttempted,
        ImportRecognised,
        ImportAdvanced,
        ImportCompleted,
        ImportFailed,
        TaskFailed,
        TaskRetried,
        TaskDropped,
    )
}
