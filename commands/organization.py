"""Commands about organizations and API keys."""

import hashlib
import secrets
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Struct

from commands.save import Claim, Saved
from commands.work import Work
from domain.errors import NotFound
from domain.event import Change, Step
from domain.organization import organization as organizations
from domain.organization.organization import ApiKey

KEY_PREFIX = "dw_"
SHOWN_CHARACTERS = 8
DEPLOYMENT = UUID(int=0)
"""Whose claims hold across organizations: the deployment's own."""


class Secret(NamedTuple):
    """A new key. `text` is shown once and kept nowhere; `prefix` tells keys apart in lists."""

    text: str
    digest: str
    prefix: str


def new_secret() -> Secret:
    text = KEY_PREFIX + secrets.token_urlsafe(32)
    return Secret(text, digest(text).hex(), text[:SHOWN_CHARACTERS])


def digest(key: str) -> bytes:
    """Return a key's SHA-256: all that is ever stored or looked up of it."""
    return hashlib.sha256(key.encode()).digest()


class CreateOrganization(Struct, frozen=True):
    """Names are unique in the deployment, whatever their case."""

    id: UUID
    name: str

    @property
    def subject(self) -> None:
        return None


class SetReplyTo(Struct, frozen=True):
    """Say where answers to the mails of the context's organization go; None: nowhere. It is a person's address, so it
    is in a row of its own and in no event."""

    address: str | None

    @property
    def subject(self) -> None:
        return None


class CreateKey(Struct, frozen=True, kw_only=True):
    """Make a key for the context's organization. `digest` (hex) and `prefix` come from new_secret()."""

    id: UUID
    name: str
    scopes: tuple[str, ...]
    digest: str
    prefix: str

    @property
    def subject(self) -> None:
        return None


class RotateKey(Struct, frozen=True):
    """Give a live key a new secret; the old one ends with the transaction."""

    id: UUID
    digest: str
    prefix: str

    @property
    def subject(self) -> UUID:
        return self.id


class RevokeKey(Struct, frozen=True):
    id: UUID

    @property
    def subject(self) -> UUID:
        return self.id


def create_organization(command: CreateOrganization, work: Work) -> Saved:
    """Raises Taken where the name has an owner."""
    stamp = work.stamp._replace(organization=command.id)
    event = organizations.create_organization(command.id, command.name, stamp)
    claim = Claim(DEPLOYMENT, "organization", command.name.casefold(), command.id)
    return work.save([Change(command.id, None, [event], event)], claims=[claim])


def set_reply_to(command: SetReplyTo, work: Work) -> Saved:
    return work.save([], steps=[Step("put_sender(%b, %s)", (work.context.organization, command.address))])


def create_key(command: CreateKey, work: Work) -> Saved:
    event = organizations.create_key(
        command.id, command.name, command.scopes, command.digest, command.prefix, work.stamp
    )
    return work.save([Change(command.id, None, [event], organizations.evolve(None, event))], subject=command.id)


def _load(id: UUID, work: Work) -> ApiKey:
    key = work.store.load(id, organizations.fold)
    if key is None or key.organization != work.context.organization or key.revoked:
        raise NotFound
    return key


def rotate_key(command: RotateKey, work: Work) -> Saved:
    """Raises NotFound, also for a revoked key."""
    key = _load(command.id, work)
    event = organizations.rotate_key(key, command.digest, command.prefix, work.stamp)
    return work.save([Change(key.id, key, [event], organizations.evolve(key, event))], subject=key.id)


def revoke_key(command: RevokeKey, work: Work) -> Saved:
    """Raises NotFound, also for a key that is revoked already."""
    key = _load(command.id, work)
    events = organizations.revoke_key(key, work.stamp)
    return work.save([Change(key.id, key, events, organizations.evolve(key, events[0]))])


HANDLERS: dict[Any, Any] = {
    CreateOrganization: create_organization,
    SetReplyTo: set_reply_to,
    CreateKey: create_key,
    RotateKey: rotate_key,
    RevokeKey: revoke_key,
}
