"""How a server streams and keeps sessions, and who takes care of an endpoint."""

from typing import Any
from uuid import UUID

import pytest

from checks.protocol.session import Ended
from dashboard.views.behaviour import STREAM_HEIGHT, session_view, streaming_view
from dashboard.views.care import asked_view, kept_view
from prober.storage.probe_requests import Stage
from prober.storage.queries import ProbePage
from tests.unit.dashboard.rows import ID, NOW, fleet_row, probe_page, probe_request, report_row


def found(check: str, **facts: Any) -> ProbePage:
    result = {"check": check, "outcome": "pass", "summary": "as it should be", "facts": facts}
    return probe_page(detail={"results": [result]})


def test_events_one_by_one_make_a_tall_bar_and_a_burst_a_flat_one() -> None:
    reports = (
        report_row(first_event_ms=1000.0, last_event_ms=1001.0),
        report_row(id=UUID(int=2), first_event_ms=0.0, last_event_ms=1000.0),
        report_row(first_event_ms=None, last_event_ms=None),
    )
    view = streaming_view(None, reports, 60)
    assert view is not None
    tall, flat = view.stretches
    assert tall.href == f"/probes/{UUID(int=2)}"
    assert tall.height > STREAM_HEIGHT * 0.9
    assert flat.height == 2.0
    assert tall.x < flat.x
    assert flat.title.endswith("events from 1.00 s to 1.00 s")


def test_the_streaming_measure_stands_in_figures() -> None:
    page = found(
        "streaming", headers_ms=12.0, first_event_ms=60.0, last_event_ms=180.0, events=3, spread_ms=120.0, share=0.66
    )
    view = streaming_view(page, (), 60)
    assert view is not None
    assert view.facts == (
        ("Headers after", "12 ms"),
        ("First event after", "60 ms"),
        ("Last event after", "180 ms"),
        ("Events", "3"),
        ("Spread", "120 ms, 66 % of the answer's time"),
    )
    assert streaming_view(None, (), 60) is None


@pytest.mark.parametrize("ended", Ended)
def test_what_became_of_a_session_is_said(ended: Ended) -> None:
    refusals = [{"exchange": "x7", "status": 404, "said": "HTTP 404"}]
    page = found("session", asked=6, honoured=4, refused=2, throttled=0, failed=0, refusals=refusals, after_end=ended)
    view = session_view(page, None)
    assert view is not None
    facts = dict(view.facts)
    assert (facts["Connections at once"], facts["Of these"]) == ("6", "4 honour it, 2 refuse it")
    assert facts["After its end"]
    assert view.refusals == ((f"/probes/{ID}#in-x7", "HTTP 404"),)


def test_without_a_full_probe_nothing_is_said_of_sessions() -> None:
    assert session_view(None, None) is None
    assert session_view(found("streaming"), None) is None


def test_who_keeps_an_endpoint_is_said_with_the_way_to_change_it() -> None:
    by_file, by_people = kept_view(fleet_row(name="a/b")), kept_view(fleet_row(name="a/b", source="api"))
    assert (by_file.is_ours, by_people.is_ours) == (False, True)
    assert by_file.words == "The configuration file keeps this endpoint: change its entry named a/b there."
    assert by_people.resource == "/api/endpoints/a%2Fb"
    assert by_people.audit == "/settings/audit?subject=a%2Fb"


@pytest.mark.parametrize(
    ("stage", "report", "is_open", "href"),
    [
        (Stage.WAITING, None, True, ""),
        (Stage.UNDER_WAY, None, True, ""),
        (Stage.DONE, ID, False, f"/probes/{ID}"),
        (Stage.LOST, None, False, ""),
    ],
)
def test_a_probe_that_was_asked_for_says_how_far_it_is(
    stage: Stage, report: UUID | None, is_open: bool, href: str
) -> None:
    view = asked_view(probe_request(stage=stage, report_id=report), NOW)
    assert view is not None
    assert view.words.startswith("A full probe that ada asked for ")
    assert (view.is_open, view.href, view.at.relative) == (is_open, href, "3 s ago")
    assert asked_view(None, NOW) is None
