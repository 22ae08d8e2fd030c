"""`deadwax import`: a file of products into the catalogue, from the shell."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from uuid import UUID

import msgspec
import typer

from api.cli_database import NoSuchOrganization, database, named_organization, opened_store, organization_name
from commands.imports.direct import Summary, run
from commands.imports.errors import UnreadableFile
from commands.imports.formats import TITLES
from commands.imports.run import Counts, Options, Source
from commands.store import Store
from domain.choices import PRODUCT_TYPES
from domain.currencies import CURRENCIES
from domain.errors import DeadwaxError
from domain.rates import USD

STDIN = "-"
SHOWN = 10


class RejectsNotWritten(DeadwaxError):
    """The refused rows could not be written."""


def register(app: typer.Typer) -> None:
    app.command(name="import")(import_)


def import_(
    file: Annotated[str, typer.Argument(help="A CSV file; - reads standard input.")],
    organization: Annotated[str, typer.Option(help="Whose catalogue it goes into.")],
    create_organization: Annotated[bool, typer.Option(help="Make the organization where there is none.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Store nothing; say what would be.")] = False,
    map: Annotated[
        list[str] | None, typer.Option(help='Which column holds what, e.g. title="Album name"; repeat it.')
    ] = None,
    type: Annotated[str, typer.Option(help="Product type where no column says it.")] = "physical",
    currency: Annotated[str, typer.Option(help="What a Discogs seller's file has its prices in.")] = USD,
    encoding: Annotated[str | None, typer.Option(help="Where it is not found out rightly, e.g. cp1250.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Where it is not found out rightly; or tab.")] = None,
    rejects: Annotated[Path | None, typer.Option(help="Where refused rows go [FILE-rejects.csv here].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one object.")] = False,
) -> None:
    """Import a Discogs export or any CSV. What is in the catalogue already stays as it is: run it again at any time."""
    if type not in PRODUCT_TYPES:
        raise typer.BadParameter(f"{type}: expected {', '.join(PRODUCT_TYPES)}", param_hint="--type")
    currency = currency.upper()
    if currency not in CURRENCIES:
        raise typer.BadParameter(f"{currency}: expected a currency code such as USD", param_hint="--currency")
    if rejects is not None and file != STDIN and rejects.absolute() == Path(file).absolute():
        raise typer.BadParameter("the file that is imported is not written over", param_hint="--rejects")
    options = Options(type=type, currency=currency, mapping=_mapping(map or []), encoding=encoding, delimiter=delimiter)
    with _opened(file) as opened, tempfile.TemporaryFile() as refused:
        source = Source(opened, options)
        with database() as url, opened_store(url) as store:
            summary = _import(source, store, _owner(url, store, organization, create_organization), refused, dry_run)
        # A dry run writes nothing that it was not asked for.
        path = rejects or (None if dry_run else Path(f"{_stem(file)}-rejects.csv"))
        path = path if summary.counts.rejected else None
        if as_json:
            typer.echo(msgspec.json.format(msgspec.json.encode(_report(file, source, summary, dry_run, path))).decode())
        else:
            _show(source, summary, dry_run, path)
        if path is not None:
            _write(refused, path)


def _mapping(pairs: list[str]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f'{pair}: expected FIELD="Column"', param_hint="--map")
        mapping[field] = column
    return mapping


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """Give the file in a form that can be read twice. Raises UnreadableFile."""
    try:
        if file == STDIN:
            with tempfile.TemporaryFile() as kept:
                shutil.copyfileobj(sys.stdin.buffer, kept)
                yield kept
            return
        opened = Path(file).open("rb")  # noqa: SIM115 - closed below
        if not opened.seekable():
            with opened, tempfile.TemporaryFile() as kept:
                shutil.copyfileobj(opened, kept)
                yield kept
            return
    except OSError as error:
        raise UnreadableFile(f"{file}: {error.strerror}") from error
    with opened:
        yield opened


def _stem(file: str) -> str:
    return "stdin" if file == STDIN else Path(file).stem


def _owner(url: str, store: Store, name: str, create: bool) -> UUID:
    """Return the organization's id. Raises NoSuchOrganization, naming those there are."""
    wanted = organization_name(name)
    try:
        return named_organization(url, wanted).id
    except NoSuchOrganization as error:
        if create:
            return _create(store, wanted)
        raise NoSuchOrganization(f"{error} --create-organization makes it.") from None


def _create(store: Store, name: str) -> UUID:
    from uuid_utils.compat import uuid7

    from commands.bus import Bus
    from commands.organization import CreateOrganization
    from commands.work import Context

    id = uuid7()
    Bus(store).execute(CreateOrganization(id, name), Context(id, "system", f"cli-{uuid7()}"))
    return id


def _import(source: Source, store: Store, owner: UUID, refused: BinaryIO, dry_run: bool) -> Summary:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from uuid_utils.compat import uuid7

    from commands.bus import Bus
    from commands.work import Context

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Looking" if dry_run else "Importing", total=source.count())

        def moved(counts: Counts) -> None:
            bar.update(task, completed=counts.done)

        context = Context(owner, "system", f"cli-{uuid7()}")
        return run(source, Bus(store), context, refused, dry_run=dry_run, progress=moved)


def _report(file: str, source: Source, summary: Summary, dry_run: bool, rejects: Path | None) -> dict[str, Any]:
    counts = summary.counts
    return {
        "file": file,
        "format": source.layout.name,
        "encoding": source.table.encoding,
        "delimiter": source.table.delimiter,
        "dry_run": dry_run,
        "rows_total": counts.done,
        "rows_created": counts.created,
        "rows_unchanged": counts.unchanged,
        "rows_duplicate": counts.duplicates,
        "rows_rejected": counts.rejected,
        "products_created": counts.products,
        "items_created": counts.items,
        "presences_created": counts.presences,
        "errors": [{"line": row.line, "reason": row.reason} for row in summary.errors],
        "repeats": [repeat._asdict() for repeat in summary.repeats],
        "rejects": None if rejects is None else str(rejects),
    }


def _show(source: Source, summary: Summary, dry_run: bool, rejects: Path | None) -> None:
    counts = summary.counts
    typer.echo(f"{TITLES[source.layout.name]}, {source.table.encoding}, {counts.done:,} rows")
    made = (("  products", counts.products), ("  items", counts.items), ("  presences", counts.presences))
    rows = (
        ("would be created" if dry_run else "created", counts.created),
        *(made if source.layout.item else ()),
        ("unchanged", counts.unchanged),
        ("duplicates in the file", counts.duplicates),
        ("rejected", counts.rejected),
    )
    for name, count in rows:
        typer.echo(f"  {name:<24}{count:>10,}")
    listed = [f"line {row.line}: {row.reason}" for row in summary.errors[:SHOWN]]
    listed += [f"line {again.line}: the same as line {again.first_line}" for again in summary.repeats[:SHOWN]]
    for line in listed:
        typer.echo(f"  {line}")
    left = counts.rejected + counts.duplicates - len(listed)
    if left:
        typer.echo(f"  and {left:,} more")
    if rejects is not None:
        typer.echo(f"Rejected rows, to repair and import again: {rejects}")


def _write(refused: BinaryIO, path: Path) -> None:
    refused.seek(0)
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(refused, file)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise RejectsNotWritten(f"The rejected rows could not be written to {path}: {error.strerror}") from error
