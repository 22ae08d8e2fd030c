"""The house as a person meets it: `deadwax serve`, really started, in a folder of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from commands.settings import Settings, declared
from engines.folder import Running, is_held, published
from engines.reach import reached
from engines.sockets import free_port

DEADWAX = (sys.executable, "-m", "api.cli")
BANNER = "Try it:"
CHILDREN = {"postgres", "valkey", "s3", "api", "worker"}


class House:
    """`deadwax serve` on a free port; `processes` are all that it has started."""

    def __init__(self, data: Path, **environ: str) -> None:
        self.data, self.port = data, free_port()
        self.log = data.with_suffix(f".{self.port}.log")
        self.environ = {**bare_environment(), "DEADWAX_DATA": str(data), "DEADWAX_PORT": str(self.port), **environ}
        with self.log.open("w") as log:
            self.supervisor = subprocess.Popen(
                [*DEADWAX, "serve"], env=self.environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        eventually(lambda: BANNER in self.said or self.supervisor.poll() is not None)
        assert BANNER in self.said, self.said
        self.processes = psutil.Process(self.supervisor.pid).children(recursive=True)

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def key(self) -> str:
        found = re.search(r"dw_[\w-]{43}", self.said)
        assert found, self.said
        return found[0]

    def pids(self) -> dict[str, int]:
        running: dict[str, tuple[int, str]] = json.loads((self.data / "running.json").read_text())
        return {name: pid for name, (pid, _) in running.items()}

    def client(self, key: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=10)

    def end(self, number: int) -> float:
        """Send the signal; return how long it took until nothing of the house was left."""
        before = time.monotonic()
        self.supervisor.send_signal(number)
        self.supervisor.wait(timeout=15)
        _, alive = psutil.wait_procs(self.processes, timeout=10)
        assert not alive
        return time.monotonic() - before


def bare_environment() -> dict[str, str]:
    ours = {setting.variable for _, setting in declared().values()}
    return {name: value for name, value in os.environ.items() if name not in ours}


def eventually(holds: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.05)


def refused(**environ: str) -> str:
    """Return the one line with which `serve` refuses to start."""
    done = subprocess.run(
        [*DEADWAX, "serve"],
        env={**bare_environment(), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    return line


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def begin(**environ: str) -> House:
        houses.append(House(tmp_path / "data", **environ))
        return houses[-1]

    yield begin
    for house in houses:
        if house.supervisor.poll() is None:
            house.end(signal.SIGTERM)


def test_a_first_start_gives_a_key_and_no_acknowledged_write_is_lost_when_the_supervisor_is_killed(
    start: Callable[..., House],
) -> None:
    first = start()
    key = first.key
    assert f"http://127.0.0.1:{first.port}" in first.said
    assert set(first.pids()) == CHILDREN
    with first.client(key) as client:
        answers = [client.post("/api/v1/products/", json={"title": f"Record {n}"}) for n in range(20)]
    assert {answer.status_code for answer in answers} == {201}
    first.end(signal.SIGKILL)

    before = time.monotonic()
    second = start()
    assert time.monotonic() - before < 10  # below 2 on an idle machine
    assert "dw_" not in second.said
    assert "deadwax key create" in second.said
    with second.client(key) as client:
        assert client.get("/api/v1/products/").json()["count"] == 20
    assert second.end(signal.SIGTERM) < 10
    assert second.supervisor.returncode == 0
    assert not is_held(second.data)


def test_whatever_dies_comes_back_and_ctrl_c_ends_it_all(start: Callable[..., House]) -> None:
    house = start()
    before = house.pids()
    for name in ("postgres", "valkey", "s3", "worker", "api"):
        os.kill(before[name], signal.SIGKILL)
        eventually(lambda name=name: re.search(rf"{name} \| is back", house.said))  # type: ignore[misc]
    after = house.pids()
    assert all(after[name] != before[name] for name in CHILDREN)
    with house.client(house.key) as client:
        eventually(lambda: client.get("/api/v1/products/").status_code == 200, seconds=10)
    house.processes += psutil.Process(house.supervisor.pid).children(recursive=True)
    assert house.end(signal.SIGINT) < 10


def test_a_folder_or_a_port_in_use_is_one_line(start: Callable[..., House]) -> None:
    house = start()
    assert "is in use by another" in refused(DEADWAX_DATA=str(house.data), DEADWAX_PORT=str(free_port()))
    line = refused(DEADWAX_DATA=f"{house.data}-2", DEADWAX_PORT=str(house.port))
    assert f"cannot listen on 127.0.0.1:{house.port}: address already in use" in line
    # A shell command finds the engines that run already.
    with reached(Settings.load({"DEADWAX_DATA": str(house.data)})) as settings:
        assert settings.database_url == (published(house.data) or {})["DATABASE_URL"]


def test_what_cannot_be_reached_or_read_is_one_line(tmp_path: Path) -> None:
    closed, data = free_port(), {"DEADWAX_DATA": str(tmp_path / "data"), "DEADWAX_PORT": str(free_port())}
    nowhere = f"127.0.0.1:{closed}"
    assert (
        refused(**data, DATABASE_URL=f"postgresql://{nowhere}/d")
        == f"deadwax: DATABASE_URL: nothing answers at {nowhere}"
    )
    assert refused(**data, REDIS_URL=f"redis://{nowhere}") == f"deadwax: REDIS_URL: nothing answers at {nowhere}"
    s3 = {"S3_ENDPOINT_URL": f"http://{nowhere}", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"}
    assert refused(**data, **s3) == f"deadwax: S3_ENDPOINT_URL: nothing answers at {nowhere}"
    assert refused(DEADWAX_PORT="http").startswith("deadwax: DEADWAX_PORT: expected a number")
    (tmp_path / "file").touch()
    assert "DEADWAX_DATA: cannot use" in refused(**{**data, "DEADWAX_DATA": str(tmp_path / "file")})
    assert "DEADWAX_HOST" in refused(**data, DEADWAX_HOST="no-such-host.invalid")


def test_an_engine_given_by_url_is_used_and_its_twin_does_not_start(
    settings: Settings, start: Callable[..., House]
) -> None:
    given = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    house = start(**given)
    assert set(house.pids()) == {"s3", "api", "worker"}
    assert set(published(house.data) or {}) == {"S3_ENDPOINT_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"}


def test_a_shell_command_without_a_supervisor_has_engines_for_as_long_as_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in os.environ.keys() - bare_environment().keys():
        monkeypatch.delenv(name)
    # Longer than a unix socket's path may be: the sockets move to a short private folder.
    data = tmp_path / ("long" * 25) / "data"
    with reached(Settings.load({"DEADWAX_DATA": str(data)})) as settings:
        assert len(settings.database_url) < 100
        [sockets] = Path(settings.redis_url.removeprefix("unix://")).parents[:1]
        assert sockets.stat().st_mode & 0o077 == 0
        assert is_held(data)
    assert not sockets.exists()
    assert not is_held(data)
    assert published(data) is None


def test_leftovers_of_a_killed_supervisor_are_ended_and_a_pid_given_away_is_not(tmp_path: Path) -> None:
    left, other = (subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2))
    try:
        running = Running(tmp_path)
        running.add("left", left.pid)
        running.add("other", other.pid)
        path = tmp_path / "running.json"
        processes = json.loads(path.read_text())
        processes["other"][1] = "another time"
        path.write_text(json.dumps(processes))
        assert Running(tmp_path).end_leftovers() == ["left"]
        assert left.wait(timeout=5) == -signal.SIGINT
        assert other.poll() is None
        assert Running(tmp_path).end_leftovers() == []
    finally:
        other.kill()
        other.wait()


def test_the_api_reports_a_port_that_is_taken(settings: Settings) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        given = {"DATABASE_URL": settings.database_url, "DEADWAX_SECRET_KEY": settings.secret_key}
        environ = {**bare_environment(), **given, "DEADWAX_PORT": str(port)}
        done = subprocess.run([*DEADWAX, "api"], env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"deadwax: cannot listen on 127.0.0.1:{port}: address already in use (DEADWAX_HOST, DEADWAX_PORT)\n"
    )
