"""Organizations and the API keys that speak for them."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.event import DomainEvent, Stamp
from domain.organization.events import ApiKeyCreated, ApiKeyRevoked, ApiKeyRotated, OrganizationCreated

SCOPES = ("read", "write", "admin")


class ApiKey(Struct, frozen=True, kw_only=True):
    id: UUID
    organization: UUID
    version: int
    name: str
    scopes: tuple[str, ...]
    digest: str
    prefix: str
    created: datetime
    revoked: datetime | None = None


def create_organization(id: UUID, name: str, stamp: Stamp) -> OrganizationCreated:
    return OrganizationCreated(**stamp.on(id, 1), name=name)


def create_key(id: UUID, name: str, scopes: Iterable[str], digest: str, prefix: str, stamp: Stamp) -> ApiKeyCreated:
    ordered = tuple(scope for scope in SCOPES if scope in set(scopes))
    return ApiKeyCreated(**stamp.on(id, 1), name=name, scopes=ordered, digest=digest, prefix=prefix)


def rotate_key(key: ApiKey, digest: str, prefix: str, stamp: Stamp) -> ApiKeyRotated:
    return ApiKeyRotated(**stamp.on(key.id, key.version + 1), digest=digest, prefix=prefix)


def revoke_key(key: ApiKey, stamp: Stamp) -> list[ApiKeyRevoked]:
    """Return the revocation; nothing where the key is revoked already."""
    return [] if key.revoked else [ApiKeyRevoked(**stamp.on(key.id, key.version + 1))]


def evolve(key: ApiKey | None, event: DomainEvent) -> ApiKey | None:
    match event:
        case ApiKeyCreated():
            return ApiKey(
                id=event.originator_id,
                organization=event.organization,
                version=event.originator_version,
                name=event.name,
                scopes=event.scopes,
                digest=event.digest,
                prefix=event.prefix,
                created=event.timestamp,
            )
        case ApiKeyRotated() if key is not None:
            return replace(key, version=event.originator_version, digest=event.digest, prefix=event.prefix)
        case ApiKeyRevoked() if key is not None:
            return replace(key, version=event.originator_version, revoked=event.timestamp)
    return key


def fold(events: Iterable[DomainEvent]) -> ApiKey | None:
    key: ApiKey | None = None
    for event in events:
        key = evolve(key, event)
    return key
