"""Commands as real processes, the lab as another one, and the questions that the tests ask the database."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from sqlalchemy.engine import make_url

from tests.integration.commands import Commands, Forked

ROOT = Path(__file__).parents[3]
POLL_S = 0.1


def until(condition: Callable[[], Any], within_s: float, what: str) -> Any:
    """The first true value of `condition`, asked again and again for at most `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(POLL_S)
    return value


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass
class Running:
    """A command that runs until it is stopped."""

    process: Forked
    out: Path
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def said(self) -> str:
        return self.log.read_text()

    def first_line(self) -> str:
        until(lambda: "\n" in self.out.read_text() or self.process.poll() is not None, 60, "a first line")
        return self.out.read_text().partition("\n")[0].strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self, number: signal.Signals = signal.SIGTERM, within_s: float = 30) -> tuple[int, float]:
        """The exit status after a signal, and how long it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(within_s), time.monotonic() - began


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path, commands: Commands) -> Iterator[Start]:
    """Starts `mcp-prober` with the given words in an empty directory; `env` is added to the environment."""
    with ExitStack() as ending:

        def begin(*words: str, **env: str) -> Running:
            log = tmp_path / f"{words[0]}-{time.monotonic_ns()}.log"
            out = log.with_suffix(".out")
            own = {"PROBER_DATA_DIR": str(tmp_path / "data"), **env}
            running = Running(commands.start(words, own, tmp_path, out, log), out, log)
            ending.callback(running.kill)
            return running

        yield begin


@dataclass
class Configuration:
    """A configuration file for endpoints on loopback."""

    path: Path
    document: dict[str, Any] = field(default_factory=dict)

    def write(self, urls: Mapping[str, str], *, interval: str = "1s", **more: Any) -> Path:
        self.document = {
            "defaults": {"interval": interval, "timeout": "1s"},
            "network": {"allow_cidrs": ["127.0.0.0/8"]},
            "endpoints": [{"name": name, "url": url} for name, url in urls.items()],
            **more,
        }
        self.path.write_text(yaml.safe_dump(self.document))
        return self.path


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration(tmp_path / "prober.yaml")


class Question:
    """Asks the database that the processes share."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    def __call__(self, statement: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            found = connection.execute(statement, values)  # type: ignore[arg-type]  # statements are written out here
            return found.fetchall() if found.description else []

    def one(self, statement: str, *values: Any) -> Any:
        ((value,),) = self(statement, *values)
        return value


@pytest.fixture
def ask(database_url: str) -> Question:
    return Question(database_url)
