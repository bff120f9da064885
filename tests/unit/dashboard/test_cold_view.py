"""The section on cold starts says what was seen, how sure that is, and what nobody can know."""

from dataclasses import replace
from typing import Any

import pytest

from checks.model import Endpoint
from dashboard.views.cold_starts import Outlasted, Percentiles, cold_view
from dashboard.views.probe import probe_view
from tests.unit.dashboard.rows import NOW, first_answers, probe_page, report_row

PATIENT = Endpoint(name="orders", url="https://orders.example/mcp", timeout_s=90.0, interval_s=120.0)


def test_cold_and_warm_stand_in_rows_of_their_own() -> None:
    view = cold_view(first_answers(), PATIENT)

    assert view.summary == ("3 of 9,003 probes in the last 7 days met a cold start, 1 confirmed by the function's log.")
    assert view.rows == (
        Percentiles("cold", 3, ("1.80 s", "6.20 s", "6.20 s")),
        Percentiles("warm", 9000, ("40 ms", "90 ms", "140 ms")),
        Percentiles("start of the instance, by the log", 1, ("1.29 s", "1.29 s", "1.29 s")),
    )
    assert view.outlasted[0] == Outlasted("5 s", "33 %", "6 % to 79 %")
    assert [each.limit for each in view.outlasted] == ["5 s", "10 s", "30 s", "60 s"]
    assert view.unseen == ""


def test_what_a_probe_does_not_wait_for_is_not_known() -> None:
    view = cold_view(first_answers(), Endpoint(name="orders", url="https://orders.example/mcp"))

    assert [each.limit for each in view.outlasted] == ["5 s"]
    assert view.unseen == "Nothing is known of 10 s, 30 s, 60 s: a probe gives up after 10 s."


def test_without_a_cold_start_there_are_no_tables() -> None:
    view = cold_view(first_answers(cold_ms=(), probes_cold=0, confirmed=0, start_ms=()), PATIENT)

    assert view.summary == "None of 9,000 probes in the last 7 days met a cold start."
    assert (view.rows, view.outlasted, view.unseen) == ((), (), "")


def test_an_endpoint_that_never_answered_is_not_said_to_be_warm() -> None:
    view = cold_view(first_answers(warm=0, cold_ms=(), probes_cold=0, confirmed=0, start_ms=()), PATIENT)

    assert view.summary == "No first answer was seen in the last 7 days."


def test_forced_cold_starts_are_told_apart() -> None:
    view = cold_view(first_answers(cold_ms=(1400.0, 1500.0), probes_cold=1, confirmed=0), PATIENT)

    assert view.summary == "1 of 9,001 probes in the last 7 days met a cold start. 1 more was forced by bursts."


def test_how_far_the_share_of_probes_is_that_of_clients_is_said() -> None:
    cooled = replace(PATIENT, cold_every_s=21_600.0)
    rare = Endpoint(name="orders", url="https://orders.example/mcp", interval_s=3600.0)

    assert cold_view(first_answers(), PATIENT).caveat.startswith("A probe every 2 min keeps one instance awake.")
    assert "more often than busy clients" in cold_view(first_answers(), rare).caveat
    assert cold_view(first_answers(), cooled).caveat.startswith("Every 6 h probes pause for 30 min,")


@pytest.mark.parametrize(
    ("row", "facts"),
    [
        ({}, ()),
        (
            {"cold": True, "cold_confirmed": True, "init_ms": 812.0},
            (("Cold start", "confirmed by the function's log: 812 ms to start the instance"),),
        ),
        ({"cold": True, "cold_confirmed": False}, (("Cold start", "none, by the function's log"),)),
        (
            {"cold_confirmed": False, "restore_ms": 300.0},
            (("Cold start", "none, by the function's log; the instance was started ahead of time, in 300 ms"),),
        ),
    ],
)
def test_the_page_of_a_probe_says_what_the_log_said(row: dict[str, Any], facts: tuple[tuple[str, str], ...]) -> None:
    view = probe_view(probe_page(report=report_row(**row), detail=None), {}, NOW)

    assert view.facts == facts
