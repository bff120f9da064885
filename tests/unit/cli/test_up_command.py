"""What `up` says once it runs."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from checks.model import Endpoint, Verdict
from prober.app.first_look import FirstLook
from prober.cli.up import started_in_words, summed_up
from prober.settings import NotifierSpec, Settings
from prober.storage.latest import Latest


def latest(name: str, verdict: Verdict | None, cause: str | None = None, summary: str = "") -> Latest:
    return Latest(
        name=name,
        interval_s=60.0,
        verdict=verdict or Verdict.UNKNOWN,
        cause=cause,
        cause_summary=summary,
        slot=None if verdict is None else datetime(2026, 11, 22, tzinfo=UTC),
    )


def lines(*endpoints: Latest, width: int = 80) -> list[str]:
    return list(summed_up(FirstLook(after_s=7.6, endpoints=endpoints), "http://127.0.0.1:8080", width=width))


def test_the_summary_counts_and_names_the_worst_first_with_its_cause() -> None:
    assert lines(
        latest("ads", Verdict.UP),
        latest("cart", Verdict.DEGRADED, "streaming-buffered", "4 events arrive at once"),
        latest("late", None),
        latest("orders", Verdict.DOWN, "tools-empty", "the list is empty"),
    ) == [
        "after 8 s: 4 endpoints, 1 up, 1 degraded, 1 down, 1 not probed yet",
        "  down      orders  tools-empty: the list is empty",
        "  degraded  cart    streaming-buffered: 4 events arrive at once",
        "all of them, with evidence and fix: http://127.0.0.1:8080",
    ]
    assert lines() == []


@pytest.mark.parametrize("width", [40, 80, 100])
def test_the_summary_is_bounded_in_lines_and_width_whatever_a_server_says(width: int) -> None:
    hostile = [latest(f"{each}-{'n' * 60}", Verdict.DOWN, "tools-empty", "\x1b[2J\n" * 999) for each in range(100)]
    shown = lines(*hostile, width=width)
    assert len(shown) == 13
    assert shown[-2] == "  and 90 more that are not up"
    assert max(map(len, shown)) <= max(width, 80)
    assert "\x1b" not in "".join(shown)


def test_the_start_says_what_is_probed_and_who_is_told() -> None:
    shop = Endpoint(name="shop", url="https://shop.example/mcp")
    paused = Endpoint(name="paused", url="https://paused.example/mcp", enabled=False)
    team = NotifierSpec(name="team", kind="slack", options={})
    lines = list(started_in_words(Settings(endpoints=(shop, paused), notifiers=(team,)), Path("prober.yaml")))
    assert lines[:2] == [
        "probing 1 endpoint of prober.yaml, whose edits count at once",
        "incidents are told to team",
    ]
    assert "nobody is told of incidents" in list(started_in_words(Settings(), Path("prober.yaml")))[1]
