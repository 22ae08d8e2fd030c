"""`deadwax key`: make, list and revoke API keys from the shell."""

import asyncio
import json
from typing import Annotated
from uuid import UUID

import typer

from api.cli_database import database, opened_store
from commands.work import Context
from domain import ids
from domain.errors import DeadwaxError
from domain.fields import FieldError
from domain.organization.form import NAME
from domain.organization.organization import SCOPES
from projections.organizations import KeyRow

keys = typer.Typer(help="API keys: what clients sign their requests with.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(keys, name="key")


class NoSuchKey(DeadwaxError):
    """There is no live key with this uid."""


class NotAName(DeadwaxError):
    """This is not a name."""


@keys.command()
def create(
    organization: Annotated[str, typer.Option(help="Whose key it is; a name that is new makes the organization.")],
    scope: Annotated[list[str] | None, typer.Option(help="read, write or admin; repeat it. All where none is.")] = None,
    name: Annotated[str, typer.Option(help="What tells the key apart.")] = "command line",
) -> None:
    """Make a key and print it, alone on standard output. It is shown this once."""
    from uuid_utils.compat import uuid7

    from commands.bus import Bus
    from commands.organization import CreateKey, CreateOrganization, new_secret

    unknown = set(scope or ()) - set(SCOPES)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: expected {', '.join(SCOPES)}", param_hint="--scope")
    wanted, key_name = _name(organization), _name(name)
    with database() as url, opened_store(url) as store:
        bus, secret = Bus(store), new_secret()
        known = asyncio.run(_organization(url, wanted))
        owner = known or uuid7()
        context = Context(owner, "system", f"cli-{uuid7()}")
        if known is None:
            bus.execute(CreateOrganization(owner, wanted), context)
            typer.echo(f"Organization {wanted} is new: {ids.uid(ids.ORGANIZATION, owner)}", err=True)
        scopes = tuple(scope or SCOPES)
        id = uuid7()
        bus.execute(CreateKey(id=id, name=key_name, scopes=scopes, digest=secret.digest, prefix=secret.prefix), context)
    typer.echo(secret.text)


@keys.command(name="list")
def list_(
    organization: Annotated[str | None, typer.Option(help="Only this organization's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: a list of objects.")] = False,
) -> None:
    """List the keys, revoked ones too. What opens doors is kept nowhere, so it is not among it."""
    with database() as url:
        rows = asyncio.run(_keys(url))
    if organization is not None:
        rows = [row for row in rows if row.organization.casefold() == _name(organization).casefold()]
    if as_json:
        typer.echo(json.dumps([_shown(row) for row in rows], indent=2))
        return
    _print_table(rows)


@keys.command()
def revoke(uid: Annotated[str, typer.Argument(help="The key's uid, key_…, as `key list` shows it.")]) -> None:
    """End a key: from now on it opens nothing."""
    from uuid_utils.compat import uuid7

    from commands.bus import Bus
    from commands.organization import RevokeKey
    from domain.organization.organization import fold

    id = ids.parse(ids.API_KEY, uid)
    if id is None:
        raise NoSuchKey(f"{uid}: there is no live key with this uid.")
    with database() as url, opened_store(url) as store:
        key = store.load(id, fold)
        if key is None or key.revoked:
            raise NoSuchKey(f"{uid}: there is no live key with this uid.")
        Bus(store).execute(RevokeKey(id), Context(key.organization, "system", f"cli-{uuid7()}"))
    typer.echo(f"Revoked {uid} ({key.name}).", err=True)


def _name(text: str) -> str:
    try:
        name: str = NAME.parse(text)
    except FieldError as error:
        raise NotAName(f"{text[:80]!r}: {' '.join(map(str, error.args))}") from None
    return name


async def _organization(database_url: str, name: str) -> UUID | None:
    from projections.base import Reader
    from projections.organizations import organizations_named

    async with Reader(database_url, size=1) as reader:
        found = await organizations_named(reader, name)
    return found[0].id if found else None


async def _keys(database_url: str) -> list[KeyRow]:
    from projections.base import Reader
    from projections.organizations import keys as rows

    async with Reader(database_url, size=1) as reader:
        return await rows(reader)


def _shown(row: KeyRow) -> dict[str, object]:
    return {
        "uid": ids.uid(ids.API_KEY, row.id),
        "organization": row.organization,
        "name": row.name,
        "scopes": list(row.scopes),
        "prefix": row.prefix,
        "created": row.created.isoformat(timespec="seconds"),
        "last_used_at": row.used and row.used.isoformat(timespec="seconds"),
        "revoked": row.revoked and row.revoked.isoformat(timespec="seconds"),
    }


def _print_table(rows: list[KeyRow]) -> None:
    headings = ("UID", "ORGANIZATION", "NAME", "SCOPES", "PREFIX", "CREATED", "LAST USED", "REVOKED")
    cells = [[str(",".join(v) if isinstance(v, list) else v or "-") for v in _shown(row).values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    for line in (headings, *cells):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
