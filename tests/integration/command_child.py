"""Runs commands, each in a forked process of its own: importing what they need costs more than a second, once.

Reads a JSON line per command from standard input, and the next one after it has answered with the command's process id.
Writes that id again, with the exit status, when the command has ended. What the command says goes to the files that the
line names. Its environment, directory, session and arguments are its own; one that has not ended after `PATIENCE_S` is
ended by SIGALRM.
"""

import gc
import importlib
import json
import os
import selectors
import signal
import sys
from typing import Any

from prober.cli.dispatch import COMMANDS, main

PATIENCE_S = 150


def become(task: dict[str, Any]) -> None:
    """Take over what a process of its own would have been started with."""
    os.setsid()
    for number, path in ((0, os.devnull), (1, task["out"]), (2, task["err"])):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(task["env"])
    os.chdir(task["cwd"])
    sys.argv = ["mcp-prober", *task["words"]]
    signal.alarm(PATIENCE_S)


def serve() -> dict[str, Any] | None:
    """Start commands until no more are wanted. In the process of a command, what it is to do."""
    with selectors.DefaultSelector() as waiting, os.fdopen(os.dup(1), "w") as answers:
        waiting.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is not sys.stdin:
                    child, status = os.waitpid(key.data, 0)
                    waiting.unregister(key.fileobj)
                    os.close(key.fd)
                    print(child, os.waitstatus_to_exitcode(status), file=answers, flush=True)
                elif line := sys.stdin.readline():
                    child = os.fork()
                    if not child:
                        return dict(json.loads(line))
                    waiting.register(os.pidfd_open(child), selectors.EVENT_READ, child)
                    print(child, file=answers, flush=True)
                else:
                    return None


if __name__ == "__main__":
    for name in COMMANDS:
        importlib.import_module(f"prober.cli.{name.replace('-', '_')}")
    # No process of a command looks through, and so copies, what all of them have: that took a second each.
    gc.collect()
    gc.freeze()
    if wanted := serve():
        become(wanted)
        sys.exit(main())
