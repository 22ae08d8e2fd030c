"""Tie a process to the one that started it, so that kill -9 of the supervisor leaves nothing behind.

Run as a script it drops to another user, asks the kernel for a signal at its parent's death, and becomes the program:

    lifeline.py PARENT_PID SIGNAL UID:GID PROGRAM [ARGUMENT …]

The order matters: a change of user clears the request, so it comes after that and right before exec, which keeps it.
Only Linux has it; elsewhere the next start ends what it finds (engines/leftovers.py).
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tied(
    command: tuple[str, ...], number: int = signal.SIGTERM, user: tuple[int, int] | None = None
) -> tuple[str, ...]:
    """Return the command that runs `command` and ends with this process. To be started by the main thread: the
    kernel takes a thread's end for its process's.
    """
    uid, gid = user or (os.getuid(), os.getgid())
    return (sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(number)), f"{uid}:{gid}", *command)


def die_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel send `number` to this process when `parent` dies; exit at once where it is dead already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _become(parent: str, number: str, user: str, program: list[str]) -> None:
    uid, gid = (int(part) for part in user.split(":"))
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    die_with_parent(int(parent), int(number))
    os.execv(program[0], program)


if __name__ == "__main__":
    _become(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
