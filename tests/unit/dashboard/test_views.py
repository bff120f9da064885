"""What the pages say about what storage read."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from starlette.requests import Request

from checks.costs import COSTS, Kind
from checks.model import Outcome, Profile, Verdict
from checks.protocol.sentinel_call import Called
from checks.sentinel_states import SentinelState
from dashboard.rendering import page
from dashboard.views.common import endpoint_href
from dashboard.views.endpoint import endpoint_view
from dashboard.views.fleet import FleetRowView, FleetView, fleet_view
from dashboard.views.incidents import incidents_view
from dashboard.views.probe import probe_view
from dashboard.views.prober_state import ProberView
from tests.unit.dashboard.rows import NOW, endpoint_page, fleet_row, incident, notice, probe_page, report_row, silence


def shown(view: FleetView) -> list[FleetRowView]:
    return [row for group in view.groups for row in group.rows]


def test_a_probe_that_could_not_see_says_why_and_one_that_could_not_measure_by_how_much() -> None:
    page = probe_page(report=report_row(verdict=Verdict.UNKNOWN, unknown_reason="no-connectivity"))
    assert page.detail is not None
    late = {**page.detail, "observer": {"lag_ms": 700.0, "is_late": True, "reason": None, "detail": ""}}
    facts = dict(probe_view(replace(page, detail=late), {}, NOW).facts)
    assert facts["Not observed"] == "no-connectivity"
    assert facts["Own delay"] == "the prober was held up for 700 ms: its times count for nothing"
    assert not {"Not observed", "Own delay"} & dict(probe_view(probe_page(), {}, NOW).facts).keys()


def test_the_worst_stand_first_and_the_paused_last() -> None:
    rows = [
        fleet_row(name="paused", enabled=False, verdict=Verdict.DOWN),
        fleet_row(name="up"),
        fleet_row(name="not seen", verdict=Verdict.UNKNOWN),
        fleet_row(name="b down", verdict=Verdict.DOWN),
        fleet_row(name="degraded", verdict=Verdict.DEGRADED),
        fleet_row(name="a down", verdict=Verdict.DOWN),
    ]
    view = fleet_view(rows, NOW)
    assert [row.name for row in shown(view)] == ["a down", "b down", "degraded", "not seen", "up", "paused"]


@pytest.mark.parametrize("changes", [{}, {"reports": (), "latest": None, "full": None, "incidents": ()}, {"days": ()}])
def test_the_contents_name_every_section_that_is_there_in_its_order(changes: dict[str, Any]) -> None:
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    view = endpoint_view(endpoint_page(**changes), {}, NOW, silence())
    html = bytes(page(request, "endpoint.html", endpoint=view).body).decode()
    sections = re.findall('<h2 id="([^"]+)"', html)
    assert [anchor for anchor, _ in view.contents] == sections
    assert re.findall('<a id="to-([^"]+)" href="#', html) == sections
    assert all(words for _, words in view.contents)


def test_checks_without_a_conversation_share_a_line() -> None:
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    view = endpoint_view(endpoint_page(), {}, NOW)
    assert view.report is not None
    first = view.report.checks[0]
    unasked = tuple(
        replace(first, id=each, title=each, outcome=Outcome.SKIP, summary="not asked: no conversation is open")
        for each in ("tools_list", "streaming", "sentinel_call")
    )
    cut_off = replace(view, report=replace(view.report, checks=(first, *unasked)), full=None)
    html = bytes(page(request, "endpoint.html", endpoint=cut_off).body).decode()
    assert html.count("not asked: no conversation is open") == 1
    assert "tools_list, streaming, sentinel_call" in html
    assert cut_off.report is not None
    assert cut_off.report.outcomes.endswith("and 3 skip")
    assert first.summary in html


def test_the_checks_of_a_full_probe_are_folded_up_while_they_have_nothing_to_say() -> None:
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    view = endpoint_view(endpoint_page(), {}, NOW)
    assert view.full is not None
    full = view.full
    check = full.report.checks[0]
    for outcome, opening in ((Outcome.PASS, '"full-checks"><summary>'), (Outcome.WARN, '"full-checks" open><summary>')):
        report = replace(full.report, checks=(replace(check, outcome=Outcome.SKIP), replace(check, outcome=outcome)))
        shown = replace(view, full=replace(full, report=report))
        html = bytes(page(request, "endpoint.html", endpoint=shown).body).decode()
        assert f"{opening}Its checks: {report.outcomes}</summary>" in html
    without = replace(view, full=replace(full, report=replace(full.report, checks=())))
    assert "full-checks" not in bytes(page(request, "endpoint.html", endpoint=without).body).decode()


def test_every_sentinel_is_shown_with_its_own_state() -> None:
    state = SentinelState(key="k", tool="find", outcome="ok", since=NOW - timedelta(hours=2), at=NOW, ms=41.2)
    outcomes = [*Called, "of a later release"]
    page = endpoint_page(sentinels=tuple(replace(state, outcome=each) for each in outcomes))

    shown = endpoint_view(page, {}, NOW).sentinels

    assert [each.icon for each in shown] == ["up", *["degraded"] * 7, "unknown", "unknown"]
    assert len({each.word for each in shown}) == len(outcomes)
    assert (shown[0].tool, shown[0].word, shown[0].took) == ("find", "works", "41 ms")
    assert shown[0].since.iso != shown[0].at.iso


@pytest.mark.parametrize(
    ("verdicts", "headline"),
    [
        ([Verdict.UP], "The one endpoint is up"),
        ([Verdict.UP, Verdict.UP], "All 2 endpoints are up"),
        ([Verdict.UP, Verdict.DOWN, Verdict.DEGRADED], "1 down and 1 degraded of 3 endpoints"),
        ([Verdict.UP, Verdict.UNKNOWN], "1 of 2 endpoints not observed yet"),
    ],
)
def test_the_headline_says_how_the_fleet_is(verdicts: list[Verdict], headline: str) -> None:
    assert fleet_view([fleet_row(verdict=verdict) for verdict in verdicts], NOW).headline == headline


def test_a_paused_endpoint_counts_for_nobody() -> None:
    view = fleet_view([fleet_row(), fleet_row(enabled=False, verdict=Verdict.DOWN)], NOW)
    assert {verdict: count for verdict, count, _ in view.counts} == {
        Verdict.UP: 1,
        Verdict.DEGRADED: 0,
        Verdict.DOWN: 0,
        Verdict.UNKNOWN: 0,
    }
    assert shown(view)[1].word == "paused"
    assert shown(view)[1].icon == "skip"


def test_only_the_worst_and_newest_incidents_stand_above_the_fleet() -> None:
    rows = [
        fleet_row(incident=incident(endpoint_name=name, verdict=verdict, opened_at=NOW - timedelta(minutes=age)))
        for name, verdict, age in [
            ("degraded", Verdict.DEGRADED, 1),
            ("old", Verdict.DOWN, 50),
            ("older", Verdict.DOWN, 60),
            ("new", Verdict.DOWN, 2),
        ]
    ]
    view = fleet_view(rows, NOW)
    assert [each.endpoint for each in view.incidents] == ["new", "old", "older"]
    assert view.more_incidents == "and 1 more open incident"
    assert fleet_view(rows[:3], NOW).more_incidents == ""


def test_the_shares_of_the_proportion_bar_fill_it() -> None:
    view = fleet_view([fleet_row(verdict=verdict) for verdict in Verdict], NOW)
    assert [share.x for share in view.proportions] == [0, 25, 50, 75]
    assert sum(share.width for share in view.proportions) == 100


def test_a_fleet_that_nobody_probes_any_more_is_said_to_be_stale() -> None:
    old = fleet_row(slot=NOW - timedelta(minutes=10))
    stale = fleet_view([old], NOW)
    assert "No probe saved since 2026-11-20 11:50:00 UTC: the prober does not run" in stale.stale
    assert shown(stale)[0].overdue == "no probe for 10 min"


def test_a_prober_that_is_there_and_late_is_not_said_to_be_gone() -> None:
    old = fleet_row(slot=NOW - timedelta(minutes=10))
    late = fleet_view([old], NOW, prober=ProberView(workers="Probed by one at home."))
    assert late.stale == (
        "No probe saved since 2026-11-20 11:50:00 UTC: the prober is there, and late with probes or with saving them. "
        "What you see is from then."
    )


def test_one_late_endpoint_is_not_a_prober_that_stopped() -> None:
    view = fleet_view([fleet_row(slot=NOW - timedelta(minutes=10)), fleet_row(name="current")], NOW)
    assert view.stale == ""
    assert [bool(row.overdue) for row in shown(view)] == [False, True]


def test_endpoints_that_wait_for_their_first_probe_or_are_paused_are_not_stale() -> None:
    waiting = fleet_row(slot=None, since=None, verdict=Verdict.UNKNOWN)
    paused = fleet_row(enabled=False, slot=NOW - timedelta(days=3))
    view = fleet_view([waiting, paused], NOW)
    assert view.stale == ""
    assert shown(view)[0].summary == "Waiting for its first probe."


def test_an_endpoint_without_a_diagnosis_still_gets_a_sentence() -> None:
    view = fleet_view([fleet_row(verdict=Verdict.DOWN), fleet_row()], NOW)
    assert [row.summary for row in shown(view)] == [
        "No known cause explains it; the exchanges show what came back.",
        "Works as a client expects.",
    ]


@pytest.mark.parametrize(
    ("name", "href"),
    [
        ("orders", "/endpoints/orders"),
        ("a/b?c#d", "/endpoints/a%2Fb%3Fc%23d"),
        ("//evil", "/endpoints/%2F%2Fevil"),
        ("ü ", "/endpoints/%C3%BC%20"),
    ],
)
def test_a_name_stays_inside_the_path_of_its_address(name: str, href: str) -> None:
    assert endpoint_href(name) == href


def test_bars_and_columns_of_the_history_belong_to_the_same_probes() -> None:
    reports = (report_row(verdict=Verdict.DOWN, wait_ms=None), report_row(cold=True, id=UUID(int=2)), report_row())
    history = endpoint_view(endpoint_page(reports=reports), {}, NOW).history
    assert [bar.verdict for bar, _, _ in history.bars] == [Verdict.UP, Verdict.UP, Verdict.DOWN]
    (first, _), (second, cold), (missing, _) = history.columns
    assert missing is None
    assert first is not None
    assert second is not None
    assert (first.x, second.x) == (history.bars[0][0].x, history.bars[1][0].x)
    assert cold.cold
    assert history.bars[1][1] == f"/probes/{UUID(int=2)}"
    assert history.phases == ("dns", "connect", "tls", "wait")
    assert history.any_cold


def test_slots_without_a_probe_lead_to_no_probe() -> None:
    page = endpoint_page(reports=(report_row(missed=3, cause_summary="no prober was running"),))
    view = endpoint_view(page, {}, NOW)
    assert view.probes[0].row.href is None
    assert view.probes[0].row.summary == "3 slots without a probe: no prober was running"
    assert view.history.bars[0][1] == "/endpoints/orders"


def test_an_endpoint_that_was_never_probed_has_a_page() -> None:
    row = fleet_row(slot=None, since=None, verdict=Verdict.UNKNOWN, spark=(), marks=(), tool_count=None)
    view = endpoint_view(endpoint_page(fleet=row, reports=(), latest=None, incidents=()), {}, NOW)
    assert view.subject.word == "waiting"
    assert view.report is None
    assert view.history.chart is None
    assert view.no_report == "The first probe has not ended yet."


def test_a_probe_that_did_not_happen_says_so() -> None:
    page = probe_page(report=report_row(missed=2, verdict=Verdict.UNKNOWN), detail=None)
    view = probe_view(page, {}, NOW)
    assert view.headline == "2 probes did not happen"
    assert view.report is None


def test_incidents_say_how_long_they_lasted() -> None:
    over = incident(ended_at=NOW - timedelta(minutes=4))
    view = incidents_view([incident(), over], [], NOW)
    assert view.headline == "1 open incident"
    assert [each.lasted for each in view.items] == ["9 min", "5 min"]


def test_a_notice_is_sent_waiting_told_by_another_or_given_up() -> None:
    waiting = notice()
    sent, failed = replace(waiting, sent_at=NOW), replace(waiting, failed_at=NOW)
    needless, handed = replace(failed, superseded_by=waiting.id, last_error=None), replace(failed, handed_to="mail")
    view = incidents_view([], [sent, waiting, failed, needless, handed], NOW)
    assert [each.state for each in view.notices] == [
        "sent",
        "waiting",
        "given up",
        "told by a newer one",
        "handed over",
    ]
    assert [each.error for each in view.notices] == ["", "HTTP 500", "HTTP 500", "", "to mail · HTTP 500"]
    assert view.notices[0].attempts == "2 attempts"


def test_the_five_axes_stand_among_the_facts() -> None:
    facts = dict(probe_view(probe_page(), {}, NOW).facts)
    told = {name: facts[name] for name in ("Era", "Protocol version", "Transport", "Session", "Answers")}
    assert told == {
        "Era": "stateless",
        "Protocol version": "2026-07-28",
        "Transport": "Streamable HTTP",
        "Session": "none",
        "Answers": "JSON to tools/list; events to tools/call",
    }
    assert dict(endpoint_view(endpoint_page(), {}, NOW).facts)["Session"] == "none"


def test_a_probe_says_by_which_trace_it_is_found_at_the_server() -> None:
    page = probe_page()
    assert dict(probe_view(page, {}, NOW).facts)["Trace id"].startswith(f"{page.report.id.hex}: ")
    assert "Trace id" not in dict(probe_view(probe_page(detail=None), {}, NOW).facts)


def test_an_endpoint_shows_what_its_last_full_probe_asked_beyond_the_others() -> None:
    view = endpoint_view(endpoint_page(), {}, NOW)
    assert view.full is not None
    full = view.full.report
    assert [check.id for check in full.checks] == ["capabilities", "eras"]
    assert full.checks[0].findings[0].text == "prompts/list is refused"
    assert full.matrix is not None
    assert [(each.revision, each.said) for each in full.matrix.revisions] == [
        ("2025-11-25", "refused"),
        ("2026-07-28", "served"),
    ]
    assert view.full.at.relative == "3 h ago"
    facts = dict(view.facts)
    assert (facts["A probe may take"], facts["A full probe may take"]) == ("10.0 s", "30.0 s")
    assert facts["Probed in full every"] == "1 d"


def test_an_endpoint_says_when_its_first_full_probe_comes() -> None:
    facts = dict(endpoint_view(replace(endpoint_page(), full=None), {}, NOW).facts)
    assert facts["Probed in full every"] == "1 d, the first within an hour of the first probe"


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        ({}, Kind.STATELESS),
        ({"era": "handshake"}, Kind.HANDSHAKE),
        ({"transport": "sse"}, Kind.SSE),
        ({"era": "a later one"}, None),
        ({"era": None, "transport": None}, None),
    ],
)
def test_an_endpoint_says_what_its_probes_cost(known: dict[str, str | None], kind: Kind | None) -> None:
    told = None
    if kind is not None:
        standard, full = COSTS[kind][Profile.STANDARD], COSTS[kind][Profile.FULL]
        told = f"about {standard.requests} a probe, about {full.requests} in full"
    facts = dict(endpoint_view(endpoint_page(fleet=fleet_row(**known)), {}, NOW).facts)
    assert facts.get("Requests") == told


def test_an_endpoint_without_a_full_probe_says_nothing_of_one() -> None:
    assert endpoint_view(endpoint_page(full=None), {}, NOW).full is None


def test_a_full_probe_is_marked_in_the_list() -> None:
    page = endpoint_page(reports=(report_row(profile="full"), report_row()))
    probes = endpoint_view(page, {}, NOW).probes
    assert [probe.row.full for probe in probes] == [True, False]
    assert "full profile" in probes[0].row.title


def test_a_diagnosis_that_is_carried_on_says_when_it_was_seen() -> None:
    report = probe_view(probe_page(), {}, NOW).report
    assert report is not None
    assert [(each.id, each.seen) for each in report.diagnoses] == [
        ("adapter-missing", ""),
        ("session-lost", "Nov 20, 09:03:00"),
    ]


def test_what_is_odd_about_the_bytes_of_an_answer_stands_beside_it() -> None:
    report = probe_view(probe_page(), {}, NOW).report
    assert report is not None
    assert [text for each in report.exchanges for text in each.irregularities] == [
        "a byte order mark before the JSON (bom)"
    ]
