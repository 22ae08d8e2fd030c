from typing import ClassVar

from domain.event import DomainEvent


class OrganizationCreated(DomainEvent, frozen=True, kw_only=True):
    TOPIC: ClassVar[str] = "organization.created.v1"

    name: str


class ApiKeyCreated(DomainEvent, frozen=True, kw_only=True):
    """`digest` is the key's SHA-256 in hex, `prefix` its first characters: neither opens anything."""

    TOPIC: ClassVar[str] = "api-key.created.v1"

    name: str
    scopes: tuple[str, ...]
    digest: str
    prefix: str


class ApiKeyRotated(DomainEvent, frozen=True, kw_only=True):
    TOPIC: ClassVar[str] = "api-key.rotated.v1"

    digest: str
    prefix: str


class ApiKeyRevoked(DomainEvent, frozen=True, kw_only=True):
    TOPIC: ClassVar[str] = "api-key.revoked.v1"
