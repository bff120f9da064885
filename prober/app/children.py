"""The processes that a prober starts beside itself: the dashboard and, for the demo, the lab."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from prober.lifeline import tied

STOP_GRACE_S: Final = 3.0


class Child:
    """One child process, stopped politely and then firmly; it dies with its parent in any case."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self._process = process
        self.name = name

    @classmethod
    async def start(
        cls,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        piped: bool = False,
    ) -> "Child":
        """Run this interpreter with `arguments`. With `piped`, `first_line` reads its standard output."""
        process = await asyncio.create_subprocess_exec(
            # -P: a folder `dashboard` where the user happens to stand is not ours.
            *tied([sys.executable, "-P", *arguments]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if piped else None,
            env={**os.environ, **(environment or {})},
            pass_fds=tuple(pass_fds),
            # A Ctrl-C at the terminal reaches the whole process group: the parent alone decides the order of the end.
            start_new_session=True,
        )
        return cls(process, name)

    async def first_line(self, timeout_s: float) -> bytes:
        """The first line of a piped child's output. Raises TimeoutError, or ChildProcessError when it ended first."""
        if self._process.stdout is None:
            raise ValueError(f"the output of {self.name} is not piped")
        async with asyncio.timeout(timeout_s):
            line = await self._process.stdout.readline()
        if not line:
            raise ChildProcessError(f"{self.name} ended with status {await self._process.wait()} before it was ready")
        return line

    async def wait(self) -> int:
        """The exit status, once it ends."""
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL after a grace of `STOP_GRACE_S` seconds. Harmless when it has ended already."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
