"""PostgreSQL refuses to run as root: the user it runs as then, and that user's way to its files."""

import os
import pwd
import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

from engines.program import EngineError

_USER = "pgserver"
_ACCESS = "system.posix_acl_access"
_OWNER, _ONE_USER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NOBODY, _ENTER = 0xFFFFFFFF, 0x01


def service_user() -> tuple[int, int] | None:
    """Return the (uid, gid) that PostgreSQL runs as when we are root, made where it is missing; else None."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_USER)
    except KeyError:
        if shutil.which("useradd") is None:
            raise EngineError(
                f"PostgreSQL does not run as root: make a user {_USER}, or start as another user"
            ) from None
        shell = ("--no-create-home", "--shell", "/bin/false")
        subprocess.run(["useradd", "--system", *shell, _USER], check=True, capture_output=True)
        entry = pwd.getpwnam(_USER)
    return entry.pw_uid, entry.pw_gid


def readable(*packages: Path) -> None:
    """Open installed packages to every user: under a strict umask pip installs them for root alone."""
    for package in packages:
        if package.stat().st_mode & 0o005 == 0o005:
            continue
        for path in (package, *package.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | 0o004 | (mode >> 6 & 0o001))


def walkable(path: Path, user: tuple[int, int]) -> None:
    """Let the user enter each folder above `path`, and nobody else: an access list where the file system has them."""
    for folder in reversed(path.absolute().parents):
        state = folder.stat()
        if state.st_mode & 0o001 or state.st_uid == user[0]:
            continue
        try:
            os.setxattr(folder, _ACCESS, _access_list(folder, state.st_mode, user[0]))
        except (OSError, AttributeError):
            folder.chmod(state.st_mode | 0o001)


def _access_list(folder: Path, mode: int, uid: int) -> bytes:
    """Return the folder's access list with "may enter" for `uid`: a version, then (tag, rights, id) sorted by tag."""
    try:
        raw = os.getxattr(folder, _ACCESS)
        entries = {(tag, who): rights for tag, rights, who in struct.iter_unpack("<HHI", raw[4:])}
    except OSError:
        group = mode >> 3 & 7
        plain = {_OWNER: mode >> 6 & 7, _GROUP: group, _MASK: group, _OTHER: mode & 7}
        entries = {(tag, _NOBODY): rights for tag, rights in plain.items()}
    entries[_ONE_USER, uid] = _ENTER
    entries[_MASK, _NOBODY] = entries.get((_MASK, _NOBODY), 0) | _ENTER
    return struct.pack("<I", 2) + b"".join(_packed(sorted(entries.items())))


def _packed(entries: Iterable[tuple[tuple[int, int], int]]) -> Iterable[bytes]:
    return (struct.pack("<HHI", tag, rights, who) for (tag, who), rights in entries)
