"""Fabricated reports: what the renderers are given without any probe."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from checks.model import (
    CheckResult,
    Diagnosis,
    Effect,
    Endpoint,
    Exchange,
    Failure,
    Finding,
    Irregularity,
    Message,
    Opener,
    Opening,
    Outcome,
    ProbeReport,
    Proof,
    Timings,
    TransportError,
    Verdict,
)
from checks.spec import Era, Transport
from prober.app.smoke import Attempt, Demands, Examined, Run, judge

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint(name="orders.example.com", url="https://orders.example.com/mcp?key=hunter2")


@pytest.fixture
def healthy() -> ProbeReport:
    opening = Exchange(
        id="x1", method="POST", url="https://orders.example.com/mcp", rpc_method="server/discover", rpc_id="1",
        started_at=AT, status=200, remote_address="93.184.215.14", headers=(("Content-Type", "application/json"),),
        messages=(Message(data={"jsonrpc": "2.0", "id": "1", "result": {}}, at_ms=80.0),),
        timings=Timings(dns_ms=2.04, connect_ms=11.0, tls_ms=20.0, sent_ms=33.5, first_byte_ms=80.0, total_ms=81.26),
    )  # fmt: skip
    listing = Exchange(
        id="x2", method="POST", url=opening.url, rpc_method="tools/list", rpc_id="2", started_at=AT, offset_ms=82.0,
        status=200, timings=Timings(first_event_ms=20.0, total_ms=40.0),
        headers=(("Content-Type", "text/event-stream"),),
        messages=(Message(data={"jsonrpc": "2.0", "id": "2", "result": {"tools": []}}, at_ms=20.0),),
        irregularities=(Irregularity(code="bom", detail="a byte order mark before the JSON"),),
    )  # fmt: skip
    opener = Opener(
        transport=Transport.STREAMABLE_HTTP,
        era=Era.STATELESS,
        protocol_version="2026-07-28",
        reason="answered server/discover",
        chosen_at=AT,
    )
    return ProbeReport(
        endpoint="orders.example.com",
        slot=AT,
        started_at=AT,
        duration_ms=122.4,
        verdict=Verdict.UP,
        opening=Opening(
            exchanges=(opening,),
            opener=opener,
            server_name="orders",
            server_version="1.2.0",
            capabilities={"tools": {}, "prompts": {}},
        ),
        results=(
            CheckResult(
                check="lifecycle", outcome=Outcome.PASS, summary="orders 1.2.0 speaks 2026-07-28", ms=81.26,
                exchanges=(opening,),
            ),
            CheckResult(
                check="tools_list", outcome=Outcome.PASS, summary="2 tools: find, list", ms=40.0, exchanges=(listing,),
                facts={"tools": ["find", "list"], "tool_count": 2},
            ),
            CheckResult(check="sentinel_call", outcome=Outcome.SKIP, summary="no sentinel is configured"),
            CheckResult(
                check="streaming", outcome=Outcome.SKIP, summary="not measured", facts={"first_event_ms": 61.23}
            ),
        ),
    )  # fmt: skip


@pytest.fixture
def broken() -> ProbeReport:
    failed = Exchange(
        id="x1", method="POST", url="https://orders.example.com/mcp", rpc_method="server/discover", rpc_id="1",
        started_at=AT,
        transport_error=TransportError(failure=Failure.DEADLINE, reason="read", detail="nothing came"),
    )  # fmt: skip
    return ProbeReport(
        endpoint="orders.example.com",
        slot=AT,
        started_at=AT,
        duration_ms=15_000.0,
        verdict=Verdict.DOWN,
        opening=Opening(exchanges=(failed,)),
        results=(
            CheckResult(
                check="lifecycle",
                outcome=Outcome.FAIL,
                summary="no conversation could be opened: server/discover → deadline (read): nothing came",
                ms=15_000.0,
                exchanges=(failed,),
                findings=(Finding(text="the answer never came", rule="https://spec.example/lifecycle"),),
            ),
            CheckResult(check="tools_list", outcome=Outcome.SKIP, summary="not asked"),
        ),
        diagnoses=(
            Diagnosis(
                id="cold-start",
                effect=Effect.INFORMATION,
                confidence=0.6,
                summary="The first request waited for a new instance.",
                evidence=(Proof(text="the first wait was long"),),
                fix="",
            ),
            Diagnosis(
                id="response-timeout",
                effect=Effect.DOWN,
                confidence=0.9,
                summary="No answer came within the deadline, although the connection stood. " * 2,
                evidence=(Proof(text="server/discover → nothing in 15 s", exchange="x1"),),
                fix="Give the function more time:\n  aws lambda update-function-configuration --timeout 30 "
                + "--function-name a-name-that-makes-this-line-longer-than-eighty-columns\nand look at its log.",
                reproduce="curl -sS -i -N --globoff -H 'X-Api-Key: ${API_KEY}' --url https://orders.example.com/mcp",
                alternatives=("A security group drops packets: then no connection stands.",),
            ),
        ),
    )


@pytest.fixture
def hostile(healthy: ProbeReport) -> ProbeReport:
    """A report in which every text that a server can influence wants to act."""
    return spoilt(healthy, "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\r\nverdict: UP\x00\ud800")


@pytest.fixture
def run_of(endpoint: Endpoint) -> Callable[..., Run]:
    """A run that came to these reports, judged by `demands`."""

    def judged(*reports: ProbeReport, **asked: Any) -> Run:
        demands = Demands(**asked)
        return Run(
            examined=tuple(_examined(endpoint, each, demands) for each in reports),
            demands=demands,
            started_at=AT,
            duration_ms=130.0,
            version="9.9",
        )

    return judged


def _examined(endpoint: Endpoint, report: ProbeReport, demands: Demands) -> Examined:
    judged = judge(endpoint, report, demands, with_burst=False)
    cause = None if report.cause is None or report.verdict is Verdict.UP else report.cause.id
    attempt = Attempt(
        at_ms=0.0, ms=report.duration_ms, verdict=report.verdict, cause=cause, conclusion=judged.conclusion
    )
    return Examined(endpoint=endpoint, report=report, attempts=(attempt,), judged=judged)


@pytest.fixture
def lists_tools(healthy: ProbeReport) -> Callable[..., ProbeReport]:
    """The healthy report, with the given tools in its listing and an address behind its first exchange."""

    def with_tools(
        *tools: dict[str, Any], address: str = "93.184.215.14", server: str | None = "orders"
    ) -> ProbeReport:
        opening, listing = healthy.results[0].exchanges[0], healthy.results[1].exchanges[0]
        message = Message(data={"jsonrpc": "2.0", "id": "2", "result": {"tools": list(tools)}}, at_ms=1.0)
        opening, listing = replace(opening, remote_address=address), replace(listing, messages=(message,))
        return replace(
            healthy,
            opening=replace(healthy.opening, exchanges=(opening,), server_name=server),
            results=(
                replace(healthy.results[0], exchanges=(opening,)),
                replace(healthy.results[1], exchanges=(listing,)),
            ),
        )

    return with_tools


def spoilt(report: ProbeReport, text: str) -> ProbeReport:
    assert report.opening.opener is not None
    results = tuple(
        replace(each, summary=text, findings=(Finding(text=text, rule=text),), facts={"tools": [text]})
        for each in report.results
    )
    diagnosis = Diagnosis(
        id="not-mcp", effect=Effect.DOWN, confidence=0.5, summary=text, evidence=(Proof(text=text),), fix=text,
        reproduce=text, alternatives=(text,),
    )  # fmt: skip
    opening = replace(
        report.opening,
        server_name=text,
        server_version=text,
        opener=replace(report.opening.opener, protocol_version=text),
        capabilities={text: {}},
    )
    return replace(report, endpoint=text, results=results, diagnoses=(diagnosis,), opening=opening)
