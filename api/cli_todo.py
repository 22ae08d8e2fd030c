"""`deadwax todo`: the work that the log owes, what came of it, and what to do with what was given up."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from api.cli_database import database, named_organization, opened_store
from api.cli_table import print_table, said
from domain import ids
from domain.errors import DeadwaxError
from domain.task.task import UID_PREFIXES, subject_uid, task_id
from projections.todo import Row

_PREFIX_END = "_"
_HEADINGS = ("SUBJECT", "KIND", "ORGANIZATION", "STATE", "DUE", "ATTEMPTS", "ERROR")


class NoSuchWork(DeadwaxError):
    """There is no such work on the list."""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The to-do list: what workers do, and what they gave up.", no_args_is_help=True)
    group.command(name="list")(list_)
    for command in (show, retry, drop):
        group.command()(command)
    app.add_typer(group, name="todo")


_Kind = Annotated[str | None, typer.Option(help=f"Only of this kind: {', '.join(UID_PREFIXES)}.")]
_Json = Annotated[bool, typer.Option("--json", help="For programs.")]
_Uid = Annotated[str, typer.Argument(help="The subject's uid, as `todo list` shows it.")]


def list_(
    dead: Annotated[bool, typer.Option("--dead", help="Only what was given up.")] = False,
    kind: _Kind = None,
    organization: Annotated[str | None, typer.Option(help="Only this organization's.")] = None,
    limit: Annotated[int, typer.Option(help="How much of it, what has waited longest first.", min=1)] = 100,
    as_json: _Json = False,
) -> None:
    """List what is owed. What is done is not on the list."""
    with database() as url:
        owner = None if organization is None else named_organization(url, organization).id
        rows = _listed(url, kind=kind, organization=owner, is_dead=True if dead else None, limit=limit)
    if as_json:
        typer.echo(msgspec.json.encode([_facts(row) for row in rows]).decode())
        return
    names = ("uid", "kind", "organization", "state", "due", "attempts", "error")
    print_table(_HEADINGS, [[_facts(row)[name] for name in names] for row in rows])
    if len(rows) == limit:
        typer.echo(f"Only the first {limit} were asked for: --limit shows more.", err=True)


def show(uid: _Uid, as_json: _Json = False) -> None:
    """Show one piece of work and, from the log, what came of its attempts. Also of work that is done or was dropped."""
    subject = _subject(uid)
    with database() as url:
        rows = _listed(url, subject=subject)
        history = _history(url, subject)
    if not rows and not history:
        raise NoSuchWork(f"{uid}: nothing is owed to it, and no attempt failed.")
    facts = _facts(rows[0]) if rows else None
    if as_json:
        typer.echo(msgspec.json.encode({"uid": uid, "owed": facts, "history": history}).decode())
        return
    for name, value in (facts or {"uid": uid, "state": "not on the list"}).items():
        typer.echo(f"{name:<13}{said(value)}")
    for entry in history:
        rest = "  ".join(f"{name}={said(value)}" for name, value in entry.items() if name not in ("at", "event"))
        typer.echo(f"{said(entry['at'])}  {entry['event']}  {rest}".rstrip())


def retry(
    uid: Annotated[str | None, typer.Argument(help="The subject's uid, as `todo list` shows it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that was given up.")] = False,
    kind: _Kind = None,
) -> None:
    """Have workers try it again, at once and as if it had never failed."""
    from commands.task import RetryTask

    if (uid is None) is not everything:
        raise typer.BadParameter("say a uid, or --all")
    with database() as url:
        rows = [_one(url, uid)] if uid is not None else _listed(url, is_dead=True, kind=kind)
        with _executing(url) as execute:
            for row in rows:
                execute(RetryTask(subject=row.subject, kind=row.kind), row.organization)
    typer.echo(f"{len(rows)} to be tried again")


def drop(uid: _Uid) -> None:
    """Take it off the list: it will not be done. An import ends as failed."""
    from commands.task import DropTask

    with database() as url:
        row = _one(url, uid)
        with _executing(url) as execute:
            execute(DropTask(subject=row.subject, kind=row.kind), row.organization)
    typer.echo(f"Dropped {uid} ({row.kind}).")


@contextmanager
def _executing(url: str) -> Iterator[Any]:
    from uuid_utils.compat import uuid7

    from commands.bus import Bus
    from commands.work import Context

    with opened_store(url) as store:
        bus, run = Bus(store), f"cli-{uuid7()}"
        yield lambda command, organization: bus.execute(command, Context(organization, "system", run))


def _subject(uid: str) -> UUID:
    """Raises NoSuchWork."""
    found = ids.parse(uid[: uid.find(_PREFIX_END) + 1], uid)
    if found is None:
        raise NoSuchWork(f"{uid}: this is no uid.")
    return found


def _one(url: str, uid: str) -> Row:
    """Raises NoSuchWork."""
    rows = _listed(url, subject=_subject(uid))
    if not rows:
        raise NoSuchWork(f"{uid}: nothing is owed to it.")
    return rows[0]


def _listed(url: str, **asked: Any) -> list[Row]:
    from projections.base import Reader
    from projections.todo import listed

    async def read() -> list[Row]:
        async with Reader(url, size=1) as reader:
            return await listed(reader, **asked)

    return asyncio.run(read())


def _history(url: str, subject: UUID) -> list[dict[str, Any]]:
    """Return what the log tells of attempts, the work's own and those that failed by the way, oldest first."""
    with opened_store(url) as store:
        streams = store.load_all([subject, task_id(subject)])
    told = [event for event in streams.get(subject, []) if hasattr(event, "attempt")]
    told += streams.get(task_id(subject), [])
    entries = []
    for event in sorted(told, key=lambda event: event.timestamp):
        facts = {name: getattr(event, name, None) for name in ("attempt", "reason", "due")}
        facts = {name: value for name, value in facts.items() if value is not None}
        entries.append({"at": event.timestamp, "event": event.TOPIC, **facts})
    return entries


def _state(row: Row) -> str:
    if row.dead_since is not None:
        return "dead"
    return "running" if row.is_leased else "due" if row.due <= datetime.now(row.due.tzinfo) else "waiting"


def _facts(row: Row) -> dict[str, Any]:
    return {
        "uid": subject_uid(row.kind, row.subject),
        "kind": row.kind,
        "organization": row.organization_name,
        "state": _state(row),
        "due": None if row.dead_since else row.due,
        "attempts": row.attempts,
        "dead_since": row.dead_since,
        "error": row.error,
    }
