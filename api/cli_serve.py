"""The commands that run processes: serve (all of it under one supervisor), api, worker, migrate.

What a command does not need it does not import: a second start is counted in seconds.
"""

import http.client
import multiprocessing
import os
import signal
import sys

import typer

from api.signals import END_STREAMS
from commands.settings import ANYWHERE, Settings
from engines.program import Program


def register(app: typer.Typer) -> None:
    for command in (serve, api, worker, migrate):
        app.command()(command)


def serve() -> None:
    """Start everything: the embedded engines that no URL replaces, migrations, the API and the workers."""
    from engines.secret import kept_secret
    from engines.sockets import require_free
    from engines.supervisor import Supervisor

    settings = Settings.load()

    def prepare(environ: dict[str, str]) -> str | None:
        from api.first_key import first_key
        from commands.migrate import migrate as migrated
        from commands.seals.key import make_seal_key
        from projections.version import bring_up_to_date

        if not settings.secret_key:
            # The processes are started with these variables; nothing else gets to know them.
            environ["DEADWAX_SECRET_KEY"] = kept_secret(settings.data)
        there = settings.replaced(environ)
        make_seal_key(settings)
        migrated(there.database_url)
        bring_up_to_date(there.database_url)
        return first_key(there.database_url)

    Supervisor(settings).run(
        prepare,
        services=lambda _: (_api_program(settings), _worker_program()),
        serving=lambda key: typer.echo(_welcome(settings, key)),
        check=lambda: require_free(settings.host, settings.port),
    )


def api() -> None:
    """Answer HTTP; the engines are those that the environment names."""
    from engines.reach import require_reachable
    from engines.sockets import require_free

    settings = Settings.load()
    settings.require("database_url", "secret_key")
    require_reachable(settings)
    require_free(settings.host, settings.port)

    # A worker is forked with the main process's handlers, which would let it outlive a signal until it has its own.
    os.register_at_fork(after_in_child=_die_of_signals)

    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.log import LogLevels
    from granian.server import Server

    class EndingStreams(Server):  # type: ignore[misc, valid-type] # a name for one of three classes
        def shutdown(self, exit_code: int = 0) -> None:
            # A process that is asked to end waits for its answers: those that have no end are told before.
            for process in multiprocessing.active_children():
                if process.pid is not None:
                    os.kill(process.pid, END_STREAMS)
            super().shutdown(exit_code)

    EndingStreams(
        "api.server:application",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=settings.api_processes,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=2048,
        log_level=LogLevels.warning,
        log_access=False,
        respawn_failed_workers=True,
        workers_kill_timeout=4,
    ).serve()


def worker() -> None:
    """Run the tasks that the log owes; the engines are those that the environment names."""
    from engines.reach import require_reachable

    settings = Settings.load()
    settings.require("database_url", "redis_url", "s3_endpoint_url", "secret_key")
    require_reachable(settings)
    # In this process's place, so that whoever supervises it supervises the workers.
    os.execv(sys.executable, (sys.executable, "-I", "-m", "workers.main"))


def migrate() -> None:
    """Bring the database to the newest form and say which migrations ran and what was rebuilt from the log."""
    from commands.migrate import give_rights
    from commands.migrate import migrate as migrated
    from engines.reach import reached
    from projections.version import bring_up_to_date

    with reached(Settings.load(), "database_url") as settings:
        for name in migrated(settings.database_url):
            typer.echo(name)
        for rebuilt in bring_up_to_date(settings.database_url):
            typer.echo(f"{rebuilt.name}: {rebuilt.objects:,} {rebuilt.units} from {rebuilt.events:,} events")
        if role := settings.database_runtime_role:
            made = give_rights(settings.database_url, role)
            typer.echo(f"{role}: {'made, without a password' if made else 'has its rights'}")


def _die_of_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _api_program(settings: Settings) -> Program:
    return Program(
        name="api",
        command=(sys.executable, "-I", "-u", "-m", "api.cli", "api"),
        ready=lambda: _healthy(settings.host, settings.port),
    )


def _worker_program() -> Program:
    return Program(name="worker", command=(sys.executable, "-I", "-u", "-m", "api.cli", "worker"), ready=lambda: True)


def _healthy(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(ANYWHERE.get(host, host), port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _welcome(settings: Settings, key: str | None) -> str:
    base = settings.base_url
    lines = ["", f"  Deadwax is at {base}   (API reference: {base}/schema, stop: Ctrl-C)", ""]
    if key is None:
        lines += ["  A new API key:  deadwax key create --organization NAME", ""]
        key = "KEY"
    else:
        lines += [f"  Your first API key (organization Demo), shown this once:  {key}", ""]
    lines += ["  Try it:", f"  curl -H 'Authorization: Bearer {key}' {base}/api/v1/products/", ""]
    return "\n".join(lines)
