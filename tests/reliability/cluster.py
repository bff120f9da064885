"""PostgreSQL and workers as real processes that tests stop, kill, freeze and start again."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import yaml
from sqlalchemy.engine import make_url

from prober.storage import migrations
from prober.storage.embedded import EmbeddedPostgres
from prober.storage.embedded.directory import pid_file, server_owner
from prober.storage.embedded.programs import as_owner, binaries_for, environment
from prober.storage.embedded.server import PORT, SETTINGS
from tests.ports import free_ports

ROOT: Final = Path(__file__).parents[2]
READY_WITHIN_S: Final = 60.0
POLL_S: Final = 0.05


def until(condition: Callable[[], Any], within_s: float, what: str) -> Any:
    """The first true value of `condition`, asked again and again."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(POLL_S)
    return value


class Database:
    """A PostgreSQL server that nobody but the test starts again."""

    def __init__(self, directory: Path, url: str) -> None:
        self.url = url
        self._directory = directory
        self._cluster = directory / "cluster"
        self._owner = server_owner(self._cluster)
        self._binaries = binaries_for(self._owner, directory)
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers."""
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "max_connections": "100"}.items()]
        command = [str(self._binaries / "postgres"), "-D", str(self._cluster), "-k", str(self._directory / "run")]
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)
            with (self._directory / "server.log").open("ab") as log:
                self._server = subprocess.Popen(
                    as_owner(self._owner, [*command, "-p", str(PORT), *settings]),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._directory,
                    env=environment(),
                    start_new_session=True,
                )
            while self._server.poll() is None and time.monotonic() < deadline:
                lines = pid_file(self._cluster)
                if len(lines) >= 8 and lines[0] == str(self._server.pid) and lines[7] == "ready":
                    return
                time.sleep(0.02)
            time.sleep(0.1)  # one that was just killed may hold its shared memory a moment longer
        raise AssertionError(f"PostgreSQL does not start: {self._directory / 'server.log'}")

    def stop_immediately(self) -> None:
        """As `pg_ctl stop -m immediate`."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """SIGKILL to the postmaster and all that it has started."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._server is not None:
            with suppress(ProcessLookupError):
                if how is signal.SIGKILL:
                    os.killpg(self._server.pid, how)
                else:
                    self._server.send_signal(how)
            self._server.wait(30)
            self._server = None

    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement, past the prober."""
        plain = make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as connection:
            found = connection.execute(statement, values)  # type: ignore[arg-type]  # statements are written out here
            return found.fetchall() if found.description else []

    def one(self, statement: str, *values: Any) -> Any:
        """The single value of a statement."""
        ((value,),) = self.ask(statement, *values)
        return value

    def tool(self, name: str, *arguments: str, given: bytes = b"") -> bytes:
        """What one of PostgreSQL's programs prints, such as pg_dump."""
        command = [str(self._binaries / name), "-h", str(self._directory / "run"), "-U", "prober", *arguments]
        ran = subprocess.run(command, input=given, capture_output=True, check=False, env=environment(), cwd="/")
        assert ran.returncode == 0, ran.stderr.decode()[-500:]
        return ran.stdout


def make_template(directory: Path) -> str:
    """An empty, migrated database below that directory, to be copied. Returns its address."""
    directory.mkdir(mode=0o711)
    with EmbeddedPostgres(directory) as server:
        migrations.upgrade(server.url)
        return server.url


@contextmanager
def database(directory: Path, template: Path, template_url: str) -> Iterator[Database]:
    """A server over a copy of the template."""
    subprocess.run(["cp", "-a", str(template), str(directory)], check=True)
    address = make_url(template_url).update_query_dict({"host": str(directory / "run")})
    server = Database(directory, address.render_as_string(hide_password=False))
    server.start()
    try:
        yield server
    finally:
        server.stop_immediately()
        shutil.rmtree(directory, ignore_errors=True)


@dataclass
class Worker:
    """`mcp-prober up` or `worker`, which can be started again and again."""

    words: Sequence[str]
    env: Mapping[str, str]
    log: Path
    status_port: int
    prefix: Sequence[str] = ()
    stderr: int | None = None
    """Where its log goes instead of the file."""
    module: str = "prober.cli"
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Worker":
        """Returns once it probes."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-P", "-m", self.module, *self.words],
                stdout=subprocess.PIPE,
                stderr=log if self.stderr is None else self.stderr,
                cwd=self.log.parent,
                env={**os.environ, **self.env, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == b"probing", self.said
        return self

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def end(self, within_s: float = 15.0) -> tuple[int, float]:
        """SIGTERM: the exit status, and how long it took in seconds."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(within_s), time.monotonic() - began

    def status(self, path: str, within_s: float = 5.0) -> tuple[int, str]:
        """What the worker says of itself; 0 where it says nothing in time."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}{path}", timeout=within_s) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    @property
    def cpu_s(self) -> float:
        """CPU time until now, of user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def resident_mib(self) -> float:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


@dataclass
class Workers:
    """Makes workers on one database, each with a configuration, a spool and a status of its own."""

    directory: Path
    made: list[Worker] = field(default_factory=list)

    def make(self, document: Mapping[str, Any], database_url: str, *, prefix: Sequence[str] = (), **env: str) -> Worker:
        """One that is not started yet. The first brings the endpoints; the others find them in the database."""
        number, port = len(self.made), free_ports()
        place = self.directory / f"worker-{number}"
        place.mkdir()
        config = place / "prober.yaml"
        config.write_text(yaml.safe_dump({**document, "status": {"port": port}}))
        words = ["worker"] if number else ["up", "--no-dashboard"]
        known = {"DATABASE_URL": database_url, "PROBER_DATA_DIR": str(place / "data"), **env}
        worker = Worker([*words, "--config", str(config)], known, place / "log", port, prefix)
        self.made.append(worker)
        return worker

    def start(self, document: Mapping[str, Any], database_url: str, **more: Any) -> Worker:
        return self.make(document, database_url, **more).start()

    def kill_all(self) -> None:
        for each in self.made:
            with suppress(ProcessLookupError):
                each.kill()


def document(endpoints: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """A configuration for servers on loopback, asked every second."""
    return {
        "defaults": {"interval": "1s", "timeout": "1s", "full_every": "never", **more.pop("defaults", {})},
        "network": {"allow_cidrs": ["127.0.0.0/8", "10.0.0.0/8"]},
        "endpoints": [*endpoints],
        **more,
    }
