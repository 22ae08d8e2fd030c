from typing import ClassVar

from msgspec import UNSET, UnsetType

from domain.event import DomainEvent


class ConnectionCreated(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An organization's account on a platform. What opens the account is in no event."""

    TOPIC: ClassVar[str] = "connection.created.v1"

    platform_uid: str
    name: str | None = None
    interval_minutes: int
    push_prices: bool
    auto_delist: bool
    markup_percent: int


class ConnectionRevised(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A field that is UNSET kept its value."""

    TOPIC: ClassVar[str] = "connection.revised.v1"

    name: str | UnsetType | None = UNSET
    interval_minutes: int | UnsetType = UNSET
    push_prices: bool | UnsetType = UNSET
    auto_delist: bool | UnsetType = UNSET
    markup_percent: int | UnsetType = UNSET


class CredentialsReplaced(DomainEvent, frozen=True, kw_only=True):
    """Others open the account from now on, which is to be tried."""

    TOPIC: ClassVar[str] = "connection.credentials-replaced.v1"


class ConnectionTestRequested(DomainEvent, frozen=True, kw_only=True):
    TOPIC: ClassVar[str] = "connection.test-requested.v1"


class ConnectionVerified(DomainEvent, frozen=True, kw_only=True):
    """The platform let us in."""

    TOPIC: ClassVar[str] = "connection.verified.v1"


class ConnectionRefused(DomainEvent, frozen=True, kw_only=True):
    """The platform did not. `reason` is our own words; `is_final` says that only other credentials help."""

    TOPIC: ClassVar[str] = "connection.refused.v1"

    reason: str
    is_final: bool


class ConnectionDeleted(DomainEvent, frozen=True, kw_only=True):
    TOPIC: ClassVar[str] = "connection.deleted.v1"


ConnectionEvent = (
    ConnectionCreated
    | ConnectionRevised
    | CredentialsReplaced
    | ConnectionTestRequested
    | ConnectionVerified
    | ConnectionRefused
    | ConnectionDeleted
)
