"""`deadwax sync`: how well the listings of connected marketplaces are kept in step."""

import asyncio
from typing import Annotated, Any

import msgspec
import typer

from api.cli_database import database, named_organization
from api.cli_table import print_table, said
from domain import ids
from domain.platforms import PLATFORM
from projections.sync import CallsLeft, Connected

_TABLE = {
    "organization": "ORGANIZATION",
    "platform": "PLATFORM",
    "name": "NAME",
    "status": "STATUS",
    "listings": "LISTINGS",
    "due": "DUE",
    "lag_seconds": "LAG S",
    "pushes_wanted": "PUSHES",
    "ends_wanted": "ENDS",
    "orders_checked": "ORDERS READ",
    "breaker": "BREAKER",
    "errors": "ERRORS",
}


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Listings on connected marketplaces, and how well they are kept in step.")
    group.callback()(lambda: None)
    group.command()(status)
    app.add_typer(group, name="sync")


def status(
    organization: Annotated[str | None, typer.Option(help="Only this organization's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one object.")] = False,
) -> None:
    """Show each connection: its listings, how far behind they are, what is wanted of them, what failed in an hour."""
    with database() as url:
        owner = None if organization is None else named_organization(url, organization).id
        found, limits = asyncio.run(_read(url, owner))
    rows = [_facts(one) for one in found]
    if as_json:
        left = [limit._asdict() for limit in limits]
        typer.echo(msgspec.json.encode({"connections": rows, "limits": left}).decode())
        return
    print_table([*_TABLE.values()], [[row[name] for name in _TABLE] for row in rows])
    for row in rows:
        reasons = (row["reason"], row["newest_error"], row["breaker_reason"] if row["breaker_until"] else None)
        for reason in dict.fromkeys(filter(None, reasons)):
            typer.echo(f"{row['uid']}  {row['platform']}: {reason}")
    for limit in limits:
        until = f", blocked until {said(limit.blocked_until)}" if limit.blocked_until else ""
        typer.echo(f"{limit.limit}: {said(limit.left)} calls left{until}")


async def _read(url: str, organization: Any) -> tuple[list[Connected], list[CallsLeft]]:
    from projections.base import Reader
    from projections.sync import calls_left, connections

    async with Reader(url, size=1) as reader:
        return await connections(reader, organization), await calls_left(reader)


def _facts(one: Connected) -> dict[str, Any]:
    return {
        "uid": ids.uid(ids.CONNECTION, one.id),
        "organization": one.organization_name,
        "platform": PLATFORM[one.platform].slug,
        "name": one.name,
        "status": one.status,
        "reason": one.reason,
        "listings": one.listings,
        "due": one.due,
        "lag_seconds": round(one.lag_seconds),
        "pushes_wanted": one.pushes_wanted,
        "ends_wanted": one.ends_wanted,
        "orders_checked": one.orders_checked,
        "breaker": one.breaker,
        "breaker_until": one.breaker_until,
        "breaker_reason": one.breaker_reason,
        "errors": one.errors,
        "newest_error": one.newest_error,
    }
