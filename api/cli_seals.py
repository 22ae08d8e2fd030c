"""`deadwax log verify`, `prove`, `key` and `seal`: whether the log is what was sealed, and how that is shown."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer

from commands.settings import Settings
from domain.errors import DeadwaxError

_KEY_HELP = "Public key that seals are checked with, hexadecimal [that of the own key]."


class NoSealKey(DeadwaxError):
    """There is no key: set DEADWAX_SEAL_KEY or DEADWAX_SEAL_KEY_FILE (`deadwax serve` makes one of its own)."""


class NotAKey(DeadwaxError):
    """This is not a public key."""


def register(group: typer.Typer) -> None:
    for command in (verify, prove, key, seal):
        group.command()(command)


def verify(
    public_key: Annotated[str | None, typer.Option("--key", help=_KEY_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one object.")] = False,
) -> None:
    """Compare every event with what was sealed, and the seals with what is anchored outside. Exit code 1: differs."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from commands.seals.verify import verify as verified_of

    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with _engines() as settings:
        public = _public(settings, public_key)
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json) as progress:
            task = progress.add_task("Verifying", total=None)
            found = verified_of(
                settings, public, lambda done, total: progress.update(task, completed=done, total=total)
            )
    seconds = time.monotonic() - started
    if as_json:
        facts = {"verified": not found.faults, "seconds": round(seconds, 3)}
        typer.echo(msgspec.json.encode(facts | msgspec.to_builtins(found)).decode())
    else:
        for fault in found.faults:
            typer.echo(str(fault))
        if found.more_faults:
            typer.echo(f"and {found.more_faults:,} more")
        places = ", ".join(f"{place} up to seal {number:,}" for place, number in found.anchored.items())
        said = "DIFFERS" if found.faults else "Verified"
        typer.echo(
            f"{said}: {_many(found.events, 'event')} in {_many(found.seals, 'seal')}, up to position {found.until:,},"
            f" in {seconds:.1f} s; {found.unsealed:,} not sealed yet; anchored: {places or 'nowhere'}"
        )
    if found.faults:
        raise typer.Exit(1)


def prove(
    position: Annotated[int, typer.Argument(help="Position of the event in the log.", min=1)],
    public_key: Annotated[str | None, typer.Option("--key", help=_KEY_HELP)] = None,
) -> None:
    """Print a proof for one event, as JSON, that docs/verify_proof.py checks without Deadwax."""
    from commands.seals.key import name_of
    from commands.seals.log import SealedLog
    from commands.seals.prove import prove as proof_of

    with _engines() as settings:
        public = _public(settings, public_key)
        with SealedLog(settings.database_url, name_of(public)) as log:
            proof = proof_of(log, position, public)
    typer.echo(msgspec.json.format(msgspec.json.encode(proof)).decode())


def key() -> None:
    """Print the public half of the key that the log is sealed with, to be kept where the log is not."""
    typer.echo(_public(Settings.load(), None).hex())


def seal() -> None:
    """Seal and anchor at once what a worker would within a minute."""
    from commands.blobs import Blobs
    from commands.seals.sealer import seal_log

    with _engines() as settings:
        _public(settings, None)
        blobs = Blobs(settings)
        try:
            sealed = seal_log(settings, blobs)
        finally:
            blobs.close()
    typer.echo(f"{_many(sealed.events, 'event')} sealed, {_many(sealed.anchored, 'seal')} anchored")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


@contextmanager
def _engines() -> Iterator[Settings]:
    """Give settings that lead to the database and the file store."""
    from commands.migrate import migrate
    from engines.reach import reached

    given = Settings.load()
    with reached(given, "database_url", "s3_endpoint_url") as settings:
        if not given.database_url:
            migrate(settings.database_url)
        yield settings


def _public(settings: Settings, given: str | None) -> bytes:
    from commands.seals.key import seal_key

    if given is not None:
        try:
            public = bytes.fromhex(given)
        except ValueError:
            public = b""
        if len(public) != 32:
            raise NotAKey(f"{given[:80]!r}: expected the 64 characters that `deadwax log key` prints")
        return public
    own = seal_key(settings)
    if own is None:
        raise NoSealKey
    return own.public
