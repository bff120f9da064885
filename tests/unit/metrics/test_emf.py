"""Lines of a log that CloudWatch reads metrics from."""

import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.metrics.catalog import UNITS
from prober.metrics.emf import EmbeddedMetrics, lines
from prober.metrics.pending import Pending, Series
from prober.vitals import Vitals
from tests.unit.metrics.emf_schema import checked
from tests.unit.metrics.reports import NOW

MINUTE = NOW.replace(second=0)
SERIES = st.builds(
    Series,
    st.just(MINUTE),
    st.sampled_from(["Endpoint", "Location"]),
    st.text("ab~", min_size=1, max_size=3),
    st.sampled_from(sorted(UNITS)),
)
VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=250)


def pending_of(values: dict[Series, list[float]]) -> Pending:
    pending = Pending()
    for series, each in values.items():
        pending.add(series, *each)
    return pending


def read(text: bytes) -> dict[tuple[str, str, str], Counter[float]]:
    """What CloudWatch would find: values by dimension, its value and the metric."""
    found: dict[tuple[str, str, str], Counter[float]] = {}
    for line in text.splitlines(keepends=True):
        event = checked(line)
        (directive,) = event["_aws"]["CloudWatchMetrics"]
        ((dimension,),) = directive["Dimensions"]
        for metric in directive["Metrics"]:
            key = (dimension, event[dimension], metric["Name"])
            found.setdefault(key, Counter()).update(event[metric["Name"]])
    return found


@given(values=st.dictionaries(SERIES, VALUES, max_size=6))
def test_every_line_is_as_the_specification_says_and_no_value_is_lost(values: dict[Series, list[float]]) -> None:
    text = b"".join(line.text for line in lines(pending_of(values), "McpProber"))
    expected = {(series.dimension, series.value, series.metric): Counter(each) for series, each in values.items()}
    assert read(text) == expected


def test_what_is_measured_at_one_thing_in_one_minute_is_one_event() -> None:
    values = {Series(MINUTE, "Endpoint", "orders", name): [1.0, 1.0] for name in ("Up", "WarmWaitMs")}
    (line,) = lines(pending_of(values), "McpProber")
    event = checked(line.text)
    assert event["_aws"]["Timestamp"] == int(MINUTE.timestamp() * 1000)
    assert event["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [
        {"Name": "Up", "Unit": "None"},
        {"Name": "WarmWaitMs", "Unit": "Milliseconds"},
    ]
    assert (event["Endpoint"], event["Up"]) == ("orders", [1.0, 1.0])


def test_lines_are_appended_and_nothing_waits_any_longer(tmp_path: Path) -> None:
    file = tmp_path / "metrics.log"
    sink = EmbeddedMetrics(file, "McpProber", Vitals())
    for value in (1.0, 0.0):
        pending = pending_of({Series(MINUTE, "Endpoint", "orders", "Up"): [value]})
        assert sink.send(pending) == 0
        assert not pending
    assert read(file.read_bytes()) == {("Endpoint", "orders", "Up"): Counter([1.0, 0.0])}


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "metrics.log"
    sink = EmbeddedMetrics(file, "McpProber", Vitals())
    sink.send(pending_of({Series(MINUTE, "Endpoint", "orders", "Up"): [1.0]}))
    file.rename(tmp_path / "metrics.log.1")
    sink.send(pending_of({Series(MINUTE, "Endpoint", "orders", "Up"): [0.0]}))
    assert read(file.read_bytes()) == {("Endpoint", "orders", "Up"): Counter([0.0])}


def test_what_cannot_be_written_waits(tmp_path: Path) -> None:
    vitals = Vitals()
    sink = EmbeddedMetrics(tmp_path / "missing" / "metrics.log", "McpProber", vitals)
    pending = pending_of({Series(MINUTE, "Endpoint", "orders", "Up"): [1.0]})
    sink.send(pending)
    assert pending
    assert vitals.counters["metrics_failures", ""] == 1
    (tmp_path / "missing").mkdir()
    sink.send(pending)
    assert not pending


@pytest.fixture
def room() -> Iterator[int]:
    """How large a file may get, whatever is written to it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield 1000
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_line_that_the_disk_cut_is_written_again_whole(tmp_path: Path, room: int) -> None:
    file = tmp_path / "metrics.log"
    sink = EmbeddedMetrics(file, "McpProber", Vitals())
    names = [f"orders-{number}" for number in range(20)]
    pending = pending_of({Series(MINUTE, "Endpoint", name, "Up"): [1.0] for name in names})
    sink.send(pending)
    assert file.stat().st_size == room
    assert pending
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    sink.send(pending)
    assert not pending
    whole = [line for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"}\n")]
    assert len(file.read_bytes().splitlines()) == len(names) + 1, "the cut line stays, and stands alone"
    assert sorted(key[1] for key in read(b"".join(whole))) == sorted(names)
