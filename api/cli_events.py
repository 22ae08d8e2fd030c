"""`deadwax log show`, `tail` and `export`: what happened, as lines for people or as JSON for programs."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from api.cli_database import database, named_organization
from api.moments import NOT_A_MOMENT, parse_time
from commands.settings import Settings
from domain.errors import DeadwaxError

if TYPE_CHECKING:
    from projections.audit import Told
    from projections.log import LogQuery

_POLL_SECONDS = 1.0
_MAX_DIGITS = 18
_BEGINNING = b'{"position":'
_Organization = Annotated[str | None, typer.Option(help="Events of this organization alone [of all].")]
_Object = Annotated[str | None, typer.Option(metavar="UID", help="Events of this object alone.")]
_From = Annotated[str | None, typer.Option("--from", metavar="POSITION|TIME", help="From this event on.")]
_To = Annotated[str | None, typer.Option("--to", metavar="POSITION|TIME", help="Up to this event.")]
_Json = Annotated[bool, typer.Option("--json", help="For programs: an object a line.")]


class NoLog(DeadwaxError):
    """This file is no export of a log."""


class NotWritten(DeadwaxError):
    """The export could not be written."""


def register(group: typer.Typer) -> None:
    for command in (show, tail, export):
        group.command()(command)


def show(
    organization: _Organization = None,
    object: _Object = None,
    since: _From = None,
    till: _To = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="No more than the newest so many.")] = 50,
    as_json: _Json = False,
) -> None:
    """Show events, the newest last."""
    with database() as url, _unless_enough():
        asyncio.run(_show(url, _asked(url, organization, object, since, till), limit, as_json))


def tail(
    organization: _Organization = None,
    object: _Object = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=0, help="So many of those that were.")] = 10,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes.")] = False,
    as_json: _Json = False,
) -> None:
    """Show the newest events, and those to come."""
    with database() as url, _unless_enough():
        asyncio.run(_tail(url, _asked(url, organization, object), limit, follow, as_json))


def export(
    file: Annotated[Path, typer.Argument(help="NDJSON; what is there is gone on with. - is standard output.")],
    organization: _Organization = None,
    object: _Object = None,
    since: _From = None,
    till: _To = None,
    after: Annotated[int | None, typer.Option(min=0, help="Begin behind this position.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: what was written, as one object.")] = False,
) -> None:
    """Write events in the order of the log, an object a line. A file that was broken off is gone on with: what it ends
    with says where."""
    from msgspec.structs import replace

    is_stdout = str(file) == "-"
    started = time.monotonic()
    with database() as url, _unless_enough():
        asked = _asked(url, organization, object, since, till)
        try:
            with _opened(None if is_stdout else file) as (output, last):
                behind = max(asked.behind, after or 0, last)
                written, position = asyncio.run(_export(url, replace(asked, behind=behind), output))
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise NotWritten(f"{file}: {error.strerror}") from error
    seconds = time.monotonic() - started
    facts = {"events": written, "position": position, "seconds": round(seconds, 3)}
    said = (
        json.dumps(facts)
        if as_json
        else f"{written:,} {'event' if written == 1 else 'events'} written, up to position {position:,}"
    )
    typer.echo(said, err=is_stdout or not as_json)


def _asked(
    url: str, organization: str | None, uid: str | None, since: str | None = None, till: str | None = None
) -> "LogQuery":
    from projections.log import LogQuery
    from projections.terms import id_of

    asked: dict[str, Any] = {}
    if organization is not None:
        asked["organization"] = named_organization(url, organization).id
    if uid is not None:
        asked["object"] = id_of(uid)
        if asked["object"] is None:
            raise typer.BadParameter(f"{uid}: expected the uid of an object", param_hint="--object")
    for text, position, moment, hint in ((since, "behind", "since", "--from"), (till, "until", "till", "--to")):
        if text is None:
            continue
        if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS:
            asked[position] = int(text) - (position == "behind")
        elif (at := parse_time(text)) is not None:
            asked[moment] = at
        else:
            raise typer.BadParameter(f"{text}: {NOT_A_MOMENT}", param_hint=hint)
    return LogQuery(**asked)


async def _show(url: str, asked: "LogQuery", limit: int, as_json: bool) -> None:
    from projections.base import Reader

    async with Reader(url, size=1) as reader:
        _say(await _last(reader, asked, limit), as_json)


async def _last(reader: Any, asked: "LogQuery", limit: int) -> list["Told"]:
    """Return the newest so many, in the order of the log."""
    from projections.log import log

    found: list[Told] = []
    async for events in log(reader, asked, descends=True):
        found += events
        if len(found) >= limit:
            break
    return found[:limit][::-1]


async def _tail(url: str, asked: "LogQuery", limit: int, follow: bool, as_json: bool) -> None:
    from msgspec.structs import replace

    from projections.base import Reader
    from projections.log import log, newest
    from projections.tail import Tail

    async with Reader(url, size=1) as reader:
        position = await newest(reader)
        _say(await _last(reader, replace(asked, until=position), limit), as_json)
        if not follow:
            return
        end = Tail(url)
        try:
            with end.followed():
                while True:
                    await end.wait(position, _POLL_SECONDS)
                    # Those that come meanwhile are the next ones.
                    until = await newest(reader)
                    async for events in log(reader, replace(asked, behind=position, until=until)):
                        _say(events, as_json)
                    position = until
        finally:
            await end.close()


async def _export(url: str, asked: "LogQuery", output: IO[bytes]) -> tuple[int, int]:
    """Return how many events were written, and the position up to which the log was read."""
    from projections.base import Reader

    async with Reader(url, size=1) as reader:
        return await _write(reader, asked, output)


async def _write(reader: Any, asked: "LogQuery", output: IO[bytes]) -> tuple[int, int]:
    from msgspec.structs import replace
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from projections.log import log, newest

    last = await newest(reader)
    until = last if asked.until is None else min(asked.until, last)
    console = Console(stderr=True)
    columns = (TextColumn("Exporting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # On one terminal the events and the bar would write over each other.
    is_shown = console.is_terminal and not output.isatty()
    written, first = 0, asked.behind
    with Progress(*columns, console=console, transient=True, disable=not is_shown) as bar:
        task = bar.add_task("Exporting", total=max(0, until - first))
        async for events in log(reader, replace(asked, until=until)):
            output.write(b"".join(_line(event) for event in events))
            written += len(events)
            if events:
                bar.update(task, completed=events[-1].position - first)
    output.flush()
    return written, max(until, first)


@contextmanager
def _opened(path: Path | None) -> Iterator[tuple[IO[bytes], int]]:
    """Give a file and the position of the last whole line that it has, 0 for none; half a line is taken away. Raises
    NoLog for another file."""
    if path is None:
        with open(sys.stdout.fileno(), "wb", closefd=False) as file:
            yield file, 0
        return
    with path.open("ab+") as file:
        size, last = _end(file, path)
        file.truncate(size)
        yield file, last


def _end(file: IO[bytes], path: Path) -> tuple[int, int]:
    """Return the size of what is whole, and the position of its last line."""
    size = file.seek(0, os.SEEK_END)
    tail, start = b"", size
    # As far back as the last whole line begins.
    while start and tail.count(b"\n") < 2:
        start = max(0, start - 65536)
        file.seek(start)
        tail = file.read(size - start)
    whole = tail[: tail.rfind(b"\n") + 1]
    if not whole:
        if tail[: len(_BEGINNING)] != _BEGINNING[: len(tail)]:
            raise NoLog(f"{path}: {NoLog.__doc__}")
        return 0, 0
    try:
        return start + len(whole), int(msgspec.json.decode(whole.splitlines()[-1])["position"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise NoLog(f"{path}: {NoLog.__doc__}") from error


@cache
def _addresses() -> tuple[str, str]:
    settings = Settings.load()
    return settings.public_url, settings.media_base_url


def _line(event: "Told") -> bytes:
    from projections.documents import fill

    return fill(event.document, *_addresses()) + b"\n"


def _say(events: Sequence["Told"], as_json: bool) -> None:
    for event in events:
        line = _line(event)
        typer.echo(line.decode().rstrip("\n") if as_json else _readable(msgspec.json.decode(line)))
    sys.stdout.flush()


def _readable(event: dict[str, Any]) -> str:
    who = event["actor"]["name"] or event["actor"]["uid"]
    about = f"{event['object']['uid']} {event['object_version']}"
    told = msgspec.json.encode(event["data"]).decode()
    return f"{event['position']:>8}  {event['time'][:19]}Z  {event['event']:<26}  {about}  {who}  {told}"


@contextmanager
def _unless_enough() -> Iterator[None]:
    """Whoever reads may have enough; what is still buffered goes nowhere then."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
