"""Reports as probes make them, a clock that stands still, and a client of CloudWatch that keeps what it is given."""

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from checks.model import (
    CheckResult,
    Diagnosis,
    Effect,
    Exchange,
    Opener,
    Opening,
    Outcome,
    ProbeReport,
    Timings,
    Verdict,
)
from checks.spec import Era, Transport

NOW = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
OPENER = Opener(
    transport=Transport.STREAMABLE_HTTP,
    era=Era.STATELESS,
    protocol_version="2026-07-28",
    reason="it answered",
    chosen_at=NOW,
)
TIMINGS = Timings(dns_ms=1.0, connect_ms=2.0, tls_ms=4.0, sent_ms=8.0, first_byte_ms=38.0, total_ms=40.0)
FIRST = Exchange(id="x1", method="POST", url="https://example.com/mcp", started_at=NOW, timings=TIMINGS)
COLD = Diagnosis(id="cold-start", effect=Effect.INFORMATION, confidence=0.6, summary="cold", evidence=(), fix="none")
CALLS = (
    {"tool": "ping", "outcome": "ok", "ms": 5.0},
    {"tool": "add", "outcome": "ok", "ms": 6.0},
    {"tool": "pong", "outcome": "error", "ms": 9000.0},
)


@dataclass
class Clock:
    """Stands still until it is set."""

    at: datetime = NOW
    seconds: float = 100.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds


class Calls:
    """Stands for boto3's client: keeps what it is given, or raises."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self.threads: set[int] = set()
        self.came = threading.Event()
        """A call has come."""
        self.may_go = threading.Event()
        """Calls are answered."""
        self.may_go.set()

    def put_metric_data(self, **request: Any) -> None:
        self.threads.add(threading.get_ident())
        self.came.set()
        self.may_go.wait()
        if self.failure:
            raise self.failure
        self.requests.append(request)

    @property
    def data(self) -> list[dict[str, Any]]:
        return [each for request in self.requests for each in request["MetricData"]]

    def values(self, metric: str, dimension: str = "Endpoint") -> Counter[float]:
        found: Counter[float] = Counter()
        for datum in self.data:
            if (datum["MetricName"], datum["Dimensions"][0]["Name"]) == (metric, dimension):
                found.update(dict(zip(datum["Values"], datum["Counts"], strict=True)))
        return found


def report(
    *, verdict: Verdict = Verdict.UP, endpoint: str = "orders", at: datetime = NOW, cold: bool = False, ms: float = 12.5
) -> ProbeReport:
    """A probe of a server whose tools, sentinels and streams answered."""
    return ProbeReport(
        endpoint=endpoint,
        slot=at,
        started_at=at,
        duration_ms=100,
        verdict=verdict,
        opening=Opening(exchanges=(FIRST,), opener=OPENER),
        results=(
            CheckResult(check="lifecycle", outcome=Outcome.PASS, summary="", ms=ms),
            CheckResult(
                check="tools_list", outcome=Outcome.FAIL, summary="", ms=7.0, facts={"complete": True, "tool_count": 0}
            ),
            CheckResult(check="sentinel_call", outcome=Outcome.FAIL, summary="", facts={"sentinels": CALLS}),
            CheckResult(check="streaming", outcome=Outcome.PASS, summary="", facts={"first_event_ms": 3.0}),
        ),
        diagnoses=(COLD,) if cold else (),
    )


def silent(verdict: Verdict = Verdict.DOWN) -> ProbeReport:
    """A probe that got no answer."""
    failed = CheckResult(check="lifecycle", outcome=Outcome.FAIL, summary="", ms=10_000)
    return ProbeReport(
        endpoint="orders",
        slot=NOW,
        started_at=NOW,
        duration_ms=1,
        verdict=verdict,
        opening=Opening(),
        results=(failed,),
    )
