"""Commands as processes that are forked from one which has imported them."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Commands:
    """The process that all commands are forked from."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._asked = process.stdin
        self._answers = process.stdout.fileno()
        self._unread = b""
        self._statuses: dict[int, int] = {}

    def start(self, words: Sequence[str], env: Mapping[str, str], cwd: Path, out: Path, err: Path) -> "Forked":
        """Run `mcp-prober` with the given words; what it says goes to the two files."""
        for path in (out, err):
            path.touch()
        task = {"words": words, "env": {**os.environ, "PYTHONPATH": str(ROOT), **env}, "cwd": str(cwd)}
        self._asked.write(json.dumps({**task, "out": str(out), "err": str(err)}).encode() + b"\n")
        self._asked.flush()
        while (pid := self._started()) is None:
            pass
        return Forked(pid, self)

    def status(self, pid: int, within_s: float | None) -> int | None:
        """The exit status of a command, or None if it has none within the time."""
        deadline = None if within_s is None else time.monotonic() + within_s
        while pid not in self._statuses:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._unread and not select.select([self._answers], [], [], left)[0]:
                return None
            self._started()
        return self._statuses[pid]

    def _started(self) -> int | None:
        """The id of a command that was started, if that is what the next line tells; else it tells a status."""
        while b"\n" not in self._unread:
            read = os.read(self._answers, 4096)
            assert read, "the process that forks commands has ended"
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        pid, *status = map(int, line.split())
        if not status:
            return pid
        self._statuses[pid] = status[0]
        return None


class Forked:
    """One command, with the part of `subprocess.Popen` that tests need."""

    def __init__(self, pid: int, commands: Commands) -> None:
        self.pid = pid
        self._commands = commands

    def poll(self) -> int | None:
        """The exit status, if it has ended."""
        return self._commands.status(self.pid, 0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended. Raises TimeoutExpired."""
        status = self._commands.status(self.pid, timeout)
        if status is None:
            raise subprocess.TimeoutExpired("mcp-prober", timeout or 0)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Signal a command that has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@contextmanager
def forking() -> Iterator[Commands]:
    """A process to fork commands from."""
    line = [sys.executable, "-m", "tests.integration.command_child"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        yield Commands(process)
        process.communicate(timeout=10)
