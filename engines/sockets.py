"""Where servers listen: unix sockets with short enough paths, loopback ports that are free."""

import hashlib
import os
import socket
import tempfile
from pathlib import Path

from engines.program import EngineError

_LONGEST_SOCKET_PATH_BYTES = 100  # 103 on macOS, 107 on Linux


def socket_folder(folder: Path, name: str, user: tuple[int, int] | None) -> Path:
    """Return a private folder in which a socket called `name` fits: `folder`, or a short one under /tmp."""
    if len(os.fsencode(folder / name)) <= _LONGEST_SOCKET_PATH_BYTES:
        return folder
    uid, gid = user or (os.getuid(), os.getgid())
    digest = hashlib.sha256(f"{uid} {folder}".encode()).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"deadwax-{digest}"
    if len(os.fsencode(short / name)) > _LONGEST_SOCKET_PATH_BYTES:
        short = Path("/tmp") / short.name  # noqa: S108 - it is made private below
    try:
        short.mkdir(mode=0o700)
        os.chown(short, uid, gid)
    except FileExistsError:
        # /tmp is everyone's: a folder that somebody else laid there would hand them the database.
        if short.is_symlink() or short.stat().st_uid != uid or short.stat().st_mode & 0o077:
            raise EngineError(f"{short} is not a private folder of user {uid}: remove it") from None
    return short


def free_port(preferred: int = 0) -> int:
    """Return a free loopback port: `preferred` where it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(address: str | tuple[str, int], timeout_seconds: float = 1.0) -> bool:
    """Tell whether something accepts connections on a unix socket's path or a (host, port)."""
    try:
        if not isinstance(address, str):
            socket.create_connection(address, timeout_seconds).close()
            return True
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(timeout_seconds)
            probe.connect(address)
            return True
    except OSError:
        return False


def require_free(host: str, port: int) -> None:
    """Raise EngineError when the API could not listen on `host`:`port`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise EngineError(f"DEADWAX_HOST: {host} is not an address of this machine") from None
    except OSError as error:
        reason = error.strerror.lower() if error.strerror else "cannot be used"
        raise EngineError(f"cannot listen on {host}:{port}: {reason} (DEADWAX_HOST, DEADWAX_PORT)") from None
