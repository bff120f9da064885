"""What storage would read, made by hand, with every text replaceable."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from checks.encode import as_json
from checks.inventory import inventory_of
from checks.model import Endpoint, Profile, Verdict
from checks.sentinel_states import SentinelState
from checks.tool_memory import Deploy, ToolMemory
from dashboard.views.silence import SilenceView, silence_view
from prober.incidents.availability import Slots
from prober.incidents.outages import Outage
from prober.incidents.rules import Severity
from prober.incidents.windows import MaintenanceWindow
from prober.storage.accepted_tools import ToolLists
from prober.storage.channels import AttemptRow, ChannelRow
from prober.storage.cold_starts import FirstAnswers
from prober.storage.comments import Comment
from prober.storage.decisions import Decision, What
from prober.storage.listings import TransitionRow
from prober.storage.mutes import MuteRow
from prober.storage.probe_requests import ProbeRequest, Stage
from prober.storage.queries import (
    DayPage,
    EndpointPage,
    FleetRow,
    IncidentRow,
    MarkedDeploy,
    NoticeRow,
    ProbePage,
    ReportRow,
)
from prober.storage.series import Day, Hour, Stats
from prober.storage.sketches import Sketch
from tests.integration.dashboard.stories import FLEET, report_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ID = UUID("7f0c0f4e-9a57-5b8e-8a53-2d1f4f7d8c11")

STATS = Stats(uptime_24h=0.9979, uptime_30d=1.0, warm_p50_ms=42.0, warm_p95_ms=84.0, cold_p95_ms=1840.0)

Say = Callable[[str], str]


def as_is(text: str) -> str:
    return text


def mute(say: Say = as_is, **changes: Any) -> MuteRow:
    return MuteRow(
        **{
            "id": ID,
            "kind": "maintenance",
            "endpoints": (say("orders"),),
            "labels": {say("team"): say("pay")},
            "starts_at": NOW - timedelta(hours=1),
            "ends_at": NOW + timedelta(hours=1),
            "reason": say("move"),
            "created_by": say("ada"),
            **changes,
        }
    )


def silence(say: Say = as_is) -> SilenceView:
    later = mute(say, starts_at=NOW + timedelta(hours=2), ends_at=NOW + timedelta(hours=3))
    window = MaintenanceWindow(name=say("night"), zone="UTC", at_minute=120, lasts_s=60)
    return silence_view([mute(say), later], [window], NOW)


def outage(say: Say = as_is, **changes: Any) -> Outage:
    return Outage(
        **{
            "id": ID,
            "group": say("team=pay"),
            "labels": {},
            "severity": Severity.CRITICAL,
            "since": NOW - timedelta(minutes=9),
            "opened_at": NOW - timedelta(minutes=7),
            "counts": (12,),
            "names": (say("orders"), say("search")),
            "causes": ((say("not-mcp"), 11),),
            "affected": 12,
            "changed_at": NOW,
            "joins_until": NOW,
            **changes,
        }
    )


def incident(say: Say = as_is, **changes: Any) -> IncidentRow:
    return IncidentRow(
        **{
            "id": ID,
            "endpoint_id": ID,
            "endpoint_name": say("orders"),
            "verdict": Verdict.DOWN,
            "severity": Severity.CRITICAL,
            "since": NOW - timedelta(minutes=9),
            "opened_at": NOW - timedelta(minutes=7),
            "ended_at": None,
            "cause": say("adapter-missing"),
            "cause_summary": say("not MCP"),
            "fix": say("mend it"),
            "report_id": ID,
            "acknowledged_at": NOW - timedelta(minutes=5),
            "acknowledged_by": say("ada"),
            "snoozed_until": None,
            "muted": say("snoozed"),
            "muted_until": None,
            "outage_id": None,
            **changes,
        }
    )


def fleet_row(say: Say = as_is, **changes: Any) -> FleetRow:
    return FleetRow(
        **{
            "id": ID,
            "name": say("orders"),
            "url": say("https://orders.example/mcp"),
            "labels": {say("team"): say("commerce")},
            "source": "file",
            "enabled": True,
            "interval_s": 60.0,
            "pause_s": 0.0,
            "next_due": NOW + timedelta(seconds=40),
            "verdict": Verdict.UP,
            "since": NOW - timedelta(hours=2),
            "cause": None,
            "cause_summary": say(""),
            "report_id": ID,
            "slot": NOW - timedelta(seconds=20),
            "era": say("stateless"),
            "protocol_version": say("2026-07-28"),
            "transport": say("streamable-http"),
            "server_name": say("orders-mcp"),
            "server_version": say("1.4.2"),
            "tool_count": 4,
            "latency_ms": 84.0,
            "spark": (80.0, None, 84.0),
            "marks": (Verdict.UP, Verdict.DOWN, Verdict.UP),
            "incident": None,
            "full_at": NOW - timedelta(hours=3),
            "full_report_id": ID,
            "stats": STATS,
            **changes,
        }
    )


def report_row(say: Say = as_is, **changes: Any) -> ReportRow:
    return ReportRow(
        **{
            "id": ID,
            "slot": NOW - timedelta(seconds=20),
            "location": say("local"),
            "profile": say("standard"),
            "verdict": Verdict.UP,
            "cause": say(""),
            "cause_summary": say(""),
            "cold": False,
            "cold_confirmed": None,
            "init_ms": None,
            "restore_ms": None,
            "missed": 0,
            "unknown_reason": None,
            "tool_count": 4,
            "duration_ms": 300.0,
            "dns_ms": 3.0,
            "connect_ms": 10.0,
            "tls_ms": 20.0,
            "wait_ms": 50.0,
            "handshake_ms": 90.0,
            "tools_list_ms": 30.0,
            "sentinel_ms": 40.0,
            "first_event_ms": 60.0,
            "last_event_ms": 180.0,
            **changes,
        }
    )


def probe_page(say: Say = as_is, **changes: Any) -> ProbePage:
    """A probe that found something, so that every part of the page is there."""
    detail = as_json(report_of(FLEET[1], "d", NOW))
    healthy = as_json(report_of(FLEET[0], "f", NOW))
    detail["results"] += healthy["results"]
    detail["diagnoses"].append({**detail["diagnoses"][0], "id": "session-lost", "seen_at": "2026-11-20T09:03:00+00:00"})
    detail["axes"] = {"session": "none", "replies": {"tools/list": ["json"], "tools/call": ["event-stream"]}}
    detail["opening"] = healthy["opening"]
    return ProbePage(
        **{
            "endpoint_id": ID,
            "endpoint_name": say("orders"),
            "report": report_row(say, verdict=Verdict.DOWN, cause=say("adapter-missing")),
            "started_at": NOW,
            "era": say("stateless"),
            "protocol_version": say("2026-07-28"),
            "transport": say("streamable-http"),
            "detail": everywhere(detail, say),
            "earlier": ID,
            "later": None,
            **changes,
        }
    )


def full_page(say: Say = as_is) -> ProbePage:
    """A full probe of an endpoint that is up."""
    detail = as_json(report_of(FLEET[0], "f", NOW - timedelta(hours=3)))
    report = report_row(say, slot=NOW - timedelta(hours=3), profile=say("full"))
    return probe_page(say, report=report, detail=everywhere(detail, say))


def first_answers(**changes: Any) -> FirstAnswers:
    return FirstAnswers(
        **{
            "since": NOW - timedelta(days=7),
            "warm": 9_000,
            "warm_ms": (40.0, 90.0, 140.0),
            "cold_ms": (1400.0, 6200.0, 1800.0),
            "probes_cold": 3,
            "confirmed": 1,
            "start_ms": (1290.0,),
            **changes,
        }
    )


def tool_lists(say: Say = as_is) -> ToolLists:
    """A list that was accepted, and another one since."""
    old = {"name": say("get_order"), "description": "Reads"}
    hints = {"readOnlyHint": True}
    new = {**old, "description": say("Reads one"), "inputSchema": {"properties": {say("id"): {}}}, "annotations": hints}
    now = inventory_of([new])
    return ToolLists(
        accepted=inventory_of([old]),
        accepted_at=NOW - timedelta(days=2),
        accepted_by=say("somebody"),
        memory=ToolMemory(
            fingerprints=(now.fingerprint,) * 3,
            lists=(now,),
            deploys=(Deploy(at=NOW - timedelta(seconds=20), what=say("version 1 → 2")),),
        ),
    )


def probe_request(say: Say = as_is, **changes: Any) -> ProbeRequest:
    return ProbeRequest(
        **{
            "id": ID,
            "endpoint_id": ID,
            "endpoint": say("orders"),
            "profile": Profile.FULL,
            "asked_at": NOW - timedelta(seconds=3),
            "asked_by": say("ada"),
            "taken_at": None,
            "report_id": None,
            "stage": Stage.WAITING,
            **changes,
        }
    )


def day_page(say: Say = as_is, **changes: Any) -> DayPage:
    nine = NOW.replace(hour=9, minute=0)
    slots = Slots(up=57, degraded=2, down=1)
    figures = Hour(hour=nine, slots=slots, warm=Sketch.of([40.0, 44.0, 90.0]), cold=Sketch.of([1800.0]))
    return DayPage(
        **{"day": NOW.date(), "hours": (figures,), "hour": nine, "reports": (report_row(say, slot=nine),), **changes}
    )


def endpoint_page(say: Say = as_is, **changes: Any) -> EndpointPage:
    return EndpointPage(
        **{
            "fleet": fleet_row(say),
            "endpoint": Endpoint(name=say("orders"), url=say("https://orders.example/mcp"), expected_tools=(say("a"),)),
            "reports": (report_row(say), report_row(say, missed=3, duration_ms=None, wait_ms=None)),
            "latest": probe_page(say),
            "full": full_page(say),
            "incidents": (incident(say),),
            "answers": first_answers(),
            "tools": tool_lists(say),
            "sentinels": (
                SentinelState(
                    key="k", tool=say("get_order"), outcome="ok", since=NOW, at=NOW, ms=20.0, summary=say("answers")
                ),
                SentinelState(key="l", tool=say("b"), outcome=say("odd"), since=NOW, at=NOW, summary=say("skipped")),
            ),
            "days": (Day(day=NOW.date(), slots=Slots(up=1430, degraded=2, down=3, unknown=4)),),
            "marked": (MarkedDeploy(at=NOW - timedelta(minutes=1), by=say("ada"), reason=say("1.4.2")),),
            "request": probe_request(say),
            "opened": day_page(say),
            **changes,
        }
    )


def transition(say: Say = as_is, **changes: Any) -> TransitionRow:
    return TransitionRow(
        **{
            "id": ID,
            "kind": "opened",
            "at": NOW - timedelta(minutes=7),
            "report_id": ID,
            "verdict": Verdict.DOWN,
            "severity": Severity.CRITICAL,
            "cause": say("adapter-missing"),
            "cause_summary": say("not MCP"),
            **changes,
        }
    )


def comment(say: Say = as_is, **changes: Any) -> Comment:
    return Comment(
        **{
            "id": ID,
            "at": NOW - timedelta(minutes=3),
            "author": say("ada"),
            "words": f"{say('rolled back')}\n{say('to 1.4.1')}",
            **changes,
        }
    )


def decision(say: Say = as_is, **changes: Any) -> Decision:
    return Decision(
        **{
            "at": NOW - timedelta(minutes=5),
            "author": say("ada"),
            "what": What.MAINTENANCE,
            "until": NOW + timedelta(hours=1),
            "reason": say("new certificate"),
            **changes,
        }
    )


def notice(say: Say = as_is, **changes: Any) -> NoticeRow:
    return NoticeRow(
        **{
            "id": ID,
            "thread": ID,
            "endpoint_name": say("orders"),
            "channel": say("slack"),
            "title": say("orders is down"),
            "kind": say("opened"),
            "verdict": Verdict.DOWN,
            "severity": Severity.CRITICAL,
            "created_at": NOW,
            "next_attempt_at": NOW,
            "attempts": 2,
            "sent_at": None,
            "failed_at": None,
            "last_error": say("HTTP 500"),
            "superseded_by": None,
            "handed_to": None,
            **changes,
        }
    )


def everywhere(value: Any, say: Say) -> Any:
    """The JSON value with every text in it put through `say`."""
    if isinstance(value, str):
        return say(value)
    if isinstance(value, dict):
        return {key: everywhere(item, say) for key, item in value.items()}
    return [everywhere(item, say) for item in value] if isinstance(value, list) else value


def channel(say: Say = as_is, **changes: Any) -> ChannelRow:
    return ChannelRow(
        **{
            "name": say("pager"),
            "kind": say("slack"),
            "fallback": say("mail"),
            "sent_at": NOW - timedelta(hours=2),
            "failing_since": NOW - timedelta(minutes=4),
            "broken_since": NOW - timedelta(minutes=3),
            "resting_until": NOW + timedelta(minutes=2),
            "last_error": say("HTTP 404"),
            "waiting": 2,
            "oldest": NOW - timedelta(minutes=4),
            "refused": 1,
            **changes,
        }
    )


def attempt(say: Say = as_is, **changes: Any) -> AttemptRow:
    return AttemptRow(
        **{
            "at": NOW,
            "channel": say("pager"),
            "notice_id": ID,
            "incident_id": ID,
            "title": say("orders is down"),
            "outcome": say("broken"),
            "reason": say("HTTP 404"),
            "took_ms": 84.0,
            **changes,
        }
    )
