"""Sizes, figures and the real processes that the tests of the scorecard share."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from tests.reliability import cluster, fleet, sink
from tests.reliability.cluster import Database, Worker, Workers
from tests.reliability.fleet import Fleet
from tests.reliability.noise import TOO_MUCH_MS, Noise, measured
from tests.reliability.scorecard import LINES
from tests.reliability.sink import Inbox

SIZES: Final = ("short", "full", "soak")
FIGURES: Final = Path(__file__).parents[2] / ".build" / "reliability"
MARKS: Final = {line.number: line.mark for line in LINES}
_T = TypeVar("_T")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--size", choices=SIZES, default="short", help="how much of each fault is injected")
    parser.addoption("--minutes", type=float, default=360.0, help="how long a soak lasts")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "number(n): the line of the scorecard that a test proves")
    config.addinivalue_line("markers", "full: runs in the full size alone")
    config.addinivalue_line("markers", "soak: runs in a soak alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    size = config.getoption("--size")
    for item in items:
        if (item.get_closest_marker("soak") is not None) is not (size == "soak"):
            item.add_marker(pytest.mark.skip(reason="a soak runs by itself: --size soak"))
        elif item.get_closest_marker("full") is not None and size == "short":
            item.add_marker(pytest.mark.skip(reason="runs with --size full"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Every figure beside its mark."""
    for report in (each for word in ("passed", "failed", "skipped") for each in terminalreporter.getreports(word)):
        for name, value in getattr(report, "user_properties", ()):
            if name == "figure":
                terminalreporter.write_line(value)


@dataclass(frozen=True)
class Size:
    """How much of each fault."""

    name: str

    def __call__(self, short: _T, full: _T) -> _T:
        return short if self.name == "short" else full


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> Size:
    return Size(request.config.getoption("--size"))


Score = Callable[..., None]


@pytest.fixture
def score(request: pytest.FixtureRequest, size: Size, noise: Noise) -> Score:
    """Prints and keeps a figure, and fails the test where it misses its mark.

    `timely` is the part of the mark that is about lateness. A short run does not fail for it on a machine that holds
    up every other process as well; the figure is shown as missed all the same.
    """
    marker = request.node.get_closest_marker("number")
    number = marker.args[0] if marker is not None else 0

    began = time.monotonic()

    def write(conditions: str, figure: str, sound: bool, *, timely: bool | None = None, number: int = number) -> None:
        passed, held_up_ms = sound and timely is not False, noise.p99_ms(began)
        if timely is not None:
            conditions += f"; the machine held up other processes by p99 {held_up_ms:.0f} ms"
        word = "met" if passed else "MISSED"
        line = f"{number:3}  {word:6}  {figure}  [{conditions}; {size.name}]  mark: {MARKS[number]}"
        print(line)
        request.node.user_properties.append(("figure", line))
        FIGURES.mkdir(parents=True, exist_ok=True)
        kept = {
            "number": number,
            "test": request.node.name,
            "size": size.name,
            "conditions": conditions,
            "figure": figure,
            "passed": passed,
            "day": f"{datetime.now(UTC):%Y-%m-%d}",
        }
        (FIGURES / f"{number:02}-{request.node.name}-{size.name}.json").write_text(json.dumps(kept))
        if sound and not passed and size.name == "short" and held_up_ms > TOO_MUCH_MS:
            pytest.skip(f"the machine is too busy to judge times: {figure}")
        assert passed, f"{figure}; it must be: {MARKS[number]}"

    return write


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noise]:
    with measured(tmp_path_factory.mktemp("noise") / "late") as made:
        yield made


@pytest.fixture(scope="session")
def template() -> Iterator[tuple[Path, str]]:
    # Not pytest's own directory: as root, the server runs as another user, who could not enter that.
    directory = Path(tempfile.mkdtemp(prefix="rel-"))
    directory.chmod(0o711)
    try:
        yield directory / "pg", cluster.make_template(directory / "pg")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short name, for sockets, logs and spools. Kept after a failure where PROBER_KEEP is set."""
    directory = Path(tempfile.mkdtemp(prefix="rel-"))
    directory.chmod(0o711)
    yield directory
    if "PROBER_KEEP" not in os.environ:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def database(template: tuple[Path, str], place: Path) -> Iterator[Database]:
    with cluster.database(place / "pg", *template) as server:
        yield server


@pytest.fixture
def servers(place: Path) -> Iterator[Fleet]:
    with fleet.running(place) as running:
        yield running


@pytest.fixture
def workers(place: Path) -> Iterator[Workers]:
    made = Workers(place)
    try:
        yield made
    finally:
        made.kill_all()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with sink.inbox() as made:
        yield made


@pytest.fixture
def inboxes() -> Iterator[Callable[[str], Inbox]]:
    """Makes receivers by name."""
    with ExitStack() as ending:
        yield lambda name: ending.enter_context(sink.inbox(name))


@pytest.fixture
def probing(database: Database, servers: Fleet) -> Callable[[int], Any]:
    """Whether so many endpoints have a state."""
    return lambda count: database.one("select count(*) from endpoint_state") >= count


__all__ = ["Score", "Size", "Worker"]
