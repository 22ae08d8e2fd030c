import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat

from commands.bus import Bus
from commands.organization import CreateKey, CreateOrganization, RevokeKey, RotateKey, Secret, digest, new_secret
from commands.product import CreateProduct
from commands.store import Store
from commands.work import Context
from domain.errors import NotFound, Taken
from projections.base import Reader
from projections.catalogue import CatalogueProjection
from projections.organizations import Gate, Grant, OrganizationsProjection, keys, organizations_named


@pytest.fixture
def bus(database_url: str) -> Iterator[Bus]:
    store = Store(database_url, [OrganizationsProjection(), CatalogueProjection()])
    yield Bus(store)
    store.close()


def new_key(bus: Bus, name: str = "Rare Grooves") -> tuple[Context, UUID, Secret]:
    organization, id, secret = uuid_utils.compat.uuid7(), uuid_utils.compat.uuid7(), new_secret()
    context = Context(organization, "system", "request-1")
    bus.execute(CreateOrganization(organization, name), context)
    made = CreateKey(id=id, name="shop", scopes=("write", "read"), digest=secret.digest, prefix=secret.prefix)
    bus.execute(made, context)
    return context, id, secret


def check(database_url: str, *texts: str) -> Sequence[Grant | None]:
    async def run() -> Sequence[Grant | None]:
        async with Reader(database_url, size=2) as reader:
            gate = Gate(reader)
            return await asyncio.gather(*(gate.check(digest(text)) for text in texts))

    return asyncio.run(run())


def test_a_key_opens_its_organization_with_its_scopes(bus: Bus, database_url: str) -> None:
    context, id, secret = new_key(bus)
    bus.execute(CreateProduct(values={"title": "A", "type": "digital"}), context)
    granted, unknown, again = check(database_url, secret.text, "dw_nothing", secret.text)
    assert granted == again == Grant(id, context.organization, ["read", "write"], 1, 1)
    assert unknown is None


def test_a_revoked_key_opens_nothing_and_a_rotated_one_only_by_its_new_text(bus: Bus, database_url: str) -> None:
    context, id, old = new_key(bus)
    new = new_secret()
    bus.execute(RotateKey(id, new.digest, new.prefix), context)
    by_old, by_new = check(database_url, old.text, new.text)
    assert by_old is None
    assert by_new is not None
    bus.execute(RevokeKey(id), context)
    assert check(database_url, new.text) == [None]
    for command in (RevokeKey(id), RotateKey(id, new.digest, new.prefix)):
        with pytest.raises(NotFound):
            bus.execute(command, context)


def test_an_organizations_name_has_one_owner_whatever_its_case(bus: Bus, database_url: str) -> None:
    new_key(bus)
    with pytest.raises(Taken):
        new_key(bus, "RARE GROOVES")

    async def named() -> list[str]:
        async with Reader(database_url, size=1) as reader:
            assert len(await keys(reader)) == 1
            return [found.name for found in await organizations_named(reader, "rare grooves")]

    assert asyncio.run(named()) == ["Rare Grooves"]


def test_the_text_of_a_key_is_nowhere_in_the_database(bus: Bus, database_url: str) -> None:
    _, _, secret = new_key(bus)
    assert digest(secret.text) == hashlib.sha256(secret.text.encode()).digest()
    with psycopg.connect(database_url) as connection:
        for table in ("events", "api_key", "organization", "claim"):
            found = connection.execute(f"SELECT string_agg(t::text, '') FROM {table} AS t").fetchone()
            assert found is not None
            assert secret.text[8:] not in found[0]
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT string_agg(convert_from(state, 'utf8'), '') FROM events").fetchone()
        assert found is not None
        assert secret.text[8:] not in found[0]
