"""Runs one command after another, each in a forked process of its own: importing what they need costs a second, once.

Reads a JSON line per command from standard input, and writes its exit status to standard output. What the command says
goes to the files that the line names. Its environment, directory and arguments are its own; a command that has not
ended after `PATIENCE_S` is killed by SIGALRM.
"""

import importlib
import json
import os
import signal
import sys
from typing import Any

from prober.cli.dispatch import COMMANDS, main

PATIENCE_S = 60


def become(task: dict[str, Any]) -> None:
    """Take over what a process of its own would have been started with."""
    for number, path in ((0, os.devnull), (1, task["out"]), (2, task["err"])):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(task["env"])
    os.chdir(task["cwd"])
    sys.argv = ["mcp-prober", *task["words"]]
    signal.alarm(PATIENCE_S)


def serve() -> None:
    """One command after another, until no more are wanted."""
    answers = os.fdopen(os.dup(1), "w")
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if not child:
            become(json.loads(line))
            sys.exit(main())
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    for name in COMMANDS:
        importlib.import_module(f"prober.cli.{name.replace('-', '_')}")
    serve()
