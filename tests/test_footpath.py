import os
import stat
import subprocess
from pathlib import Path

import pytest

from engines.footpath import readable, walkable

STRANGER, OTHER = (64_001, 64_001), (64_002, 64_002)
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for PostgreSQL")


def may(user: tuple[int, int], test: str, path: Path) -> bool:
    command = ["test", test, str(path)]
    return subprocess.run(command, user=user[0], group=user[1], extra_groups=(), check=False).returncode == 0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder as strict as root's own."""
    folder = tmp_path / "home"
    (folder / "data").mkdir(parents=True, mode=0o755)
    (folder / "data" / "file").touch()
    folder.chmod(0o700)
    walkable(folder, STRANGER)
    walkable(folder, OTHER)
    return folder


def test_the_user_may_pass_and_nobody_else_and_nothing_can_be_listed(home: Path) -> None:
    assert not may(STRANGER, "-e", home / "data" / "file")
    walkable(home / "data" / "file", STRANGER)
    assert may(STRANGER, "-e", home / "data" / "file")
    assert not may(STRANGER, "-r", home)
    assert not may(OTHER, "-e", home / "data" / "file")


def test_a_second_user_is_added_to_an_access_list(home: Path) -> None:
    for user in (STRANGER, OTHER, STRANGER):
        walkable(home / "data" / "file", user)
    assert may(STRANGER, "-e", home / "data" / "file")
    assert may(OTHER, "-e", home / "data" / "file")


def test_packages_installed_under_a_strict_umask_are_opened(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir(mode=0o700)
    (package / "library.so").touch(mode=0o600)
    (package / "program").touch(mode=0o700)
    readable(package)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) & 0o007 for path in (package, *package.iterdir())}
    assert modes == {"package": 5, "library.so": 4, "program": 5}
