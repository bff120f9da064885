"""Turns this process into a server: gives up root, ties itself to its parent, executes the program it is given.

Run as a script by `prober.storage.embedded`, with the standard library alone. It does the work of a `preexec_fn`, but
after `exec`: code between fork and exec may deadlock in a process with threads.

    python -I -S server_launcher.py PARENT_PID UID:GID PROGRAM ARGUMENT…      (UID:GID `-` keeps the user)
"""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def main(arguments: list[str]) -> None:
    parent, user, *command = arguments
    if user != "-":
        uid, gid = (int(part) for part in user.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user, which would clear it (prctl(2)).
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT))
    if os.getppid() != int(parent):
        sys.exit("the prober that wanted this server has ended")
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - the server that the supervisor named, without a shell


if __name__ == "__main__":
    main(sys.argv[1:])
