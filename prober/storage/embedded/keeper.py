"""Starts the server, and starts it again when it dies."""

import logging
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from prober.clock import Clock
from prober.storage.embedded.directory import START_RETRIED_S, Owner, pid_file
from prober.storage.embedded.errors import EmbeddedError
from prober.storage.embedded.programs import as_owner, environment

log = logging.getLogger(__name__)

READY_WITHIN_S: Final = 120.0
"""A running server may take this long to recover what a crash left behind."""

STOP_WITHIN_S: Final = 6.0
LOG_LIMIT: Final = 1 << 20
"""Bytes above which the server's log begins anew at the next start."""

_READY_EVERY_S: Final = 0.01
_ALIVE_EVERY_S: Final = 0.5
_RESTART_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0


class Keeper:
    """Starts the server in a thread of its own and starts it again when it dies.

    The kernel ties a child to the thread that made it (prctl(2), PR_SET_PDEATHSIG): this thread lives as long as the
    server should, whichever thread asked for it.
    """

    def __init__(
        self,
        *,
        command: list[str],
        owner: Owner,
        cluster: Path,
        log_file: Path,
        lock: int,
        clock: Clock,
        stopping: threading.Event,
    ) -> None:
        self._command = command
        self._owner = owner
        self._cluster = cluster
        self._log_file = log_file
        self._lock = lock
        self._clock = clock
        self._thread = threading.Thread(target=self._keep, name="embedded-postgres", daemon=True)
        self._server: subprocess.Popen[bytes] | None = None
        self._stopping = stopping
        self._settled = threading.Event()
        self._failure: Exception | None = None

    @property
    def pid(self) -> int | None:
        return self._server.pid if self._server and self._server.poll() is None else None

    def start(self) -> None:
        """Returns once the server answers. Raises EmbeddedError, also where it is to stop before."""
        self._thread.start()
        self._settled.wait()
        if self._failure is not None:
            raise self._failure
        if self._stopping.is_set():
            raise EmbeddedError("the start of PostgreSQL was given up")

    def stop(self) -> None:
        """A fast shutdown, then an immediate one, then SIGKILL: the next start recovers from either."""
        self._stopping.set()
        self._thread.join()

    def _keep(self) -> None:
        try:
            self._bring_up()
        except (EmbeddedError, OSError) as failure:
            self._failure = failure
            return
        finally:
            self._settled.set()
        while not self._stopping.is_set():
            if self._ended():
                self._bring_up_again()
            self._stopping.wait(_ALIVE_EVERY_S)
        self._shut_down()

    def _bring_up(self) -> None:
        deadline = self._clock.monotonic() + START_RETRIED_S
        while not self._stopping.is_set():
            self._server = self._spawn()
            if self._answers_in_time():
                return
            if self._clock.monotonic() > deadline:
                raise EmbeddedError(self._why())
            self._stopping.wait(0.1)

    def _bring_up_again(self) -> None:
        pause = _RESTART_PAUSE_S
        while not self._stopping.is_set():
            log.warning("the embedded PostgreSQL server ended by itself; starting it again")
            try:
                self._bring_up()
            except (EmbeddedError, OSError) as failure:
                log.error("%s", failure)  # noqa: TRY400 - the message says it all; a traceback would not help its reader
                self._stopping.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                return

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log_file.open("ab") as output:
            if output.tell() > LOG_LIMIT:
                output.truncate(0)
            return subprocess.Popen(  # noqa: S603 - our own launcher, arguments from our own settings
                as_owner(self._owner, self._command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._log_file.parent,
                env=environment(),
                start_new_session=True,  # a Ctrl-C at the terminal is for the prober, which then stops this server
                pass_fds=(self._lock,),
            )

    def _answers_in_time(self) -> bool:
        deadline = self._clock.monotonic() + READY_WITHIN_S
        while not self._stopping.wait(_READY_EVERY_S):
            if self._ended():
                return False
            if self._is_ready():
                return True
            if self._clock.monotonic() > deadline:
                self._shut_down()
                raise EmbeddedError(
                    f"PostgreSQL in {self._cluster.parent} did not become ready within "
                    f"{READY_WITHIN_S:.0f} s. Its log is {self._log_file}"
                )
        return True

    def _is_ready(self) -> bool:
        """As pg_ctl does it: the eighth line of the server's own pid file says `ready`."""
        lines = pid_file(self._cluster)
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7] == "ready"

    def _ended(self) -> bool:
        return self._server is None or self._server.poll() is not None

    def _why(self) -> str:
        said = self._log_file.read_text(errors="replace")[-4000:].strip().splitlines()
        reasons = "; ".join(said[-3:]) or "it said nothing"
        return (
            f"PostgreSQL in {self._cluster.parent} does not start: {reasons}. "
            f"Its log is {self._log_file}; another --data-dir begins anew, and DATABASE_URL uses a server of yours"
        )

    def _shut_down(self) -> None:
        server = self._server
        if server is None:
            return
        for how, patience in ((signal.SIGINT, STOP_WITHIN_S), (signal.SIGQUIT, 2.0), (signal.SIGKILL, None)):
            if server.poll() is not None:
                return
            server.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                server.wait(patience)
