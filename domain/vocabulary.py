"""Every event type of the log, by its pinned topic. A topic never changes; a changed meaning is a new topic.

What is still in the log under a topic that is written no more is read by its upcast. See docs/upcasting.md.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

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
from domain.presence.events import (
    PresenceCreated,
    PresenceDeleted,
    PresenceDelisted,
    PresenceObserved,
    PresenceRepriced,
    PresenceRevised,
    PresenceSold,
    PricePushed,
    SaleCancelled,
    SaleConflicted,
)
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
        PresenceObserved,
        PricePushed,
        PresenceSold,
        PresenceDelisted,
        SaleConflicted,
        SaleCancelled,
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


class Upcast(NamedTuple):
    """How events of a topic that is written no more are read: `form` is what the log holds, `to` is pure and returns
    what that is called today, or what the next upcast takes.
    """

    form: type[DomainEvent]
    to: Callable[[Any], DomainEvent]


UPCASTS: dict[str, Upcast] = {}

Decode = Callable[[bytes], DomainEvent]


def decoders(
    events: Mapping[str, type[DomainEvent]] = EVENTS, upcasts: Mapping[str, Upcast] = UPCASTS
) -> dict[str, Decode]:
    """Return what reads an event's body, by the topic it is stored under. Each raises msgspec.MsgspecError."""
    made: dict[str, Decode] = {topic: msgspec.json.Decoder(event).decode for topic, event in events.items()}
    for topic, upcast in upcasts.items():
        made[topic] = _upcasting(msgspec.json.Decoder(upcast.form).decode, upcasts)
    return made


def _upcasting(decode: Decode, upcasts: Mapping[str, Upcast]) -> Decode:
    def read(body: bytes) -> DomainEvent:
        event = decode(body)
        while (upcast := upcasts.get(event.TOPIC)) is not None:
            event = upcast.to(event)
        return event

    return read


DECODERS: Mapping[str, Decode] = decoders()


def noun(topic: str) -> str:
    """Return what the topic is about, e.g. `product` of `product.created.v1`."""
    return topic.partition(".")[0]


def name(topic: str) -> str:
    """Return the topic without its version, e.g. `product.created`."""
    return topic.rpartition(".")[0]


def version(topic: str) -> int:
    """Return the version of the topic's form, from 1."""
    return int(topic.rpartition(".v")[2])


def topics(named: str) -> list[str]:
    """Return the topics of all versions of an event, e.g. of `product.created`."""
    return [topic for topic in DECODERS if name(topic) == named]
