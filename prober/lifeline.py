"""Ties a child process to its parent, so that a killed prober leaves nothing running behind it.

`tied` wraps a command in this very file, run as a script by the standard library alone. It does the work of a
`preexec_fn`, but after `exec`: code between fork and exec may deadlock in a process with threads.

    python -I -S lifeline.py PARENT_PID SIGNAL UID:GID PROGRAM ARGUMENT…      (UID:GID `-` keeps the user)
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
NOT_FOUND: Final = 127
"""What a shell answers for a program that cannot be executed."""


def tied(
    command: Sequence[str],
    *,
    death_signal: signal.Signals = signal.SIGTERM,
    user: tuple[int, int] | None = None,
) -> list[str]:
    """`command` as one that receives `death_signal` when this process dies, by SIGKILL too; it keeps its process id.

    `user` is the uid and gid to run as, where that is not ours. Linux only; elsewhere a killed parent leaves its
    children to be found by hand. The signal follows the thread that starts the child (prctl(2)).
    """
    owner = "-" if user is None else f"{user[0]}:{user[1]}"
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(death_signal.value), owner, *command]


def main(arguments: Sequence[str]) -> None:
    """Tie this process to its parent and become the program."""
    parent, death_signal, owner, *command = arguments
    if owner != "-":
        uid, gid = (int(part) for part in owner.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user, which would clear it (prctl(2)).
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != int(parent):
        sys.exit("the prober that wanted this process has ended")
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the program that our own code named, without a shell
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(NOT_FOUND)


if __name__ == "__main__":
    main(sys.argv[1:])
