"""Every metric there is, once: what is published, exported, charted, alarmed on, documented and paid for is made of it.

A metric of CloudWatch costs money for every combination of its dimensions, so there is one dimension each: `Endpoint`
for what is measured at one endpoint, `Location` for what a prober says of its whole fleet and of itself. Causes, tools
and addresses belong into notices and pages.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from checks.model import ProbeReport, Timings, Verdict
from checks.protocol.sentinel_call import Called
from checks.timing import first_wait_ms
from prober.settings import MetricSet
from prober.storage.census import Census

ENDPOINT_DIMENSION: Final = "Endpoint"
LOCATION_DIMENSION: Final = "Location"

LARGEST: Final = 2.0**360
"""CloudWatch API reference, MetricDatum: beyond it, as for NaN and infinity, the whole call is refused."""

COLD_START: Final = "cold-start"
"""The diagnosis whose presence marks a probe as one that met a cold start."""

_SETS: Final = (MetricSet.NONE, MetricSet.MINIMAL, MetricSet.STANDARD, MetricSet.FULL)


class Unit(StrEnum):
    """As CloudWatch names them (API reference, MetricDatum)."""

    NONE = "None"
    COUNT = "Count"
    MILLISECONDS = "Milliseconds"
    SECONDS = "Seconds"
    BYTES = "Bytes"


class Kind(StrEnum):
    """How Prometheus reads it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    AGE = "age"
    """A gauge of the seconds since something was done last."""


_ENDINGS: Final = {Kind.GAUGE: "", Kind.COUNTER: "", Kind.AGE: "_age"}

Reading = Callable[[ProbeReport], Iterable[float]]
"""The values that a probe has of a metric: mostly one, none where it does not know it, several for several calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointMetric:
    """What is measured at one endpoint."""

    name: str
    """In CloudWatch."""
    series: str
    """In Prometheus, where times are in seconds."""
    unit: Unit
    help: str
    smallest: MetricSet
    """The smallest set that holds it."""
    read: Reading

    def values(self, report: ProbeReport) -> Iterator[float]:
        """What the report says, without what CloudWatch refuses. A probe that could not observe says nothing, and one
        of a prober that was held up nothing of times."""
        if report.verdict is Verdict.UNKNOWN or (self.unit is Unit.MILLISECONDS and report.observer.is_late):
            return iter(())
        return _published(self.read(report))


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetMetric:
    """What is said of all endpoints together: read from every report, or counted among the endpoints."""

    name: str
    series: str | None
    """In Prometheus; None where the endpoints' own series add up to it."""
    unit: Unit
    help: str
    read: Reading | None = None
    count: Callable[[Census], int] | None = None
    label: tuple[str, str] | None = None
    """Name and value of the label by which Prometheus tells metrics of one series apart."""

    def values(self, report: ProbeReport) -> Iterator[float]:
        """What the report adds to it, without what CloudWatch refuses; no times of a prober that was held up."""
        if self.unit is Unit.MILLISECONDS and report.observer.is_late:
            return iter(())
        return _published(self.read(report) if self.read is not None else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberMetric:
    """What the prober says of itself; `vital` is the name under which `prober.vitals.Vitals` has it."""

    vital: str
    kind: Kind
    unit: Unit
    help: str
    labels: tuple[str, ...] = ()
    """What tells its counts apart; of several the words stand in the label of the vital with blanks between them."""
    name: str | None = None
    """In CloudWatch; None: not published there."""

    @property
    def series(self) -> str:
        """In Prometheus."""
        suffix = {Unit.SECONDS: "_seconds", Unit.BYTES: "_bytes"}.get(self.unit, "")
        bare = self.vital.removesuffix(suffix)
        return f"mcp_prober_{bare}{_ENDINGS[self.kind]}{suffix}{'_total' if self.kind is Kind.COUNTER else ''}"


def _published(values: Iterable[float]) -> Iterator[float]:
    return (float(value) for value in values if math.isfinite(value) and abs(value) <= LARGEST)


def _is_cold(report: ProbeReport) -> bool:
    return any(each.id == COLD_START for each in report.diagnoses)


def _fact(check: str, fact: str) -> Reading:
    return lambda report: _numbers(_facts(report, check).get(fact))


def _facts(report: ProbeReport, check: str) -> Any:
    result = report.result(check)
    return {} if result is None else result.facts


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def _phase(read: Callable[[Timings], float | None]) -> Reading:
    """Of the very first exchange: later ones use its connection."""
    return lambda report: _numbers(read(report.opening.exchanges[0].timings) if report.opening.exchanges else None)


def _handshake(report: ProbeReport) -> Iterator[float]:
    result = report.result("lifecycle")
    if result is not None and report.opening.established:
        yield result.ms


def _tools_list(report: ProbeReport) -> Iterator[float]:
    result = report.result("tools_list")
    if result is not None and result.facts.get("complete"):
        yield result.ms


def _tool_count(report: ProbeReport) -> Iterator[float]:
    facts = _facts(report, "tools_list")
    if facts.get("complete"):
        yield from _numbers(facts.get("tool_count"))


def _sentinels(report: ProbeReport) -> Iterator[float]:
    for call in _facts(report, "sentinel_call").get("sentinels", ()):
        if call.get("outcome") == Called.OK:
            yield from _numbers(call.get("ms"))


def _wait(*, cold: bool) -> Reading:
    def read(report: ProbeReport) -> Iterator[float]:
        if report.opening.established and _is_cold(report) is cold:
            yield from _numbers(first_wait_ms(report.opening))

    return read


ENDPOINT_METRICS: Final[Sequence[EndpointMetric]] = (
    EndpointMetric(
        name="Up",
        series="mcp_endpoint_up",
        unit=Unit.NONE,
        help="1 where the endpoint answers as MCP, also when it is degraded; 0 where it is down.",
        smallest=MetricSet.MINIMAL,
        read=lambda report: (report.verdict is not Verdict.DOWN,),
    ),
    EndpointMetric(
        name="Degraded",
        series="mcp_endpoint_degraded",
        unit=Unit.NONE,
        help="1 where the endpoint answers, but not as it should.",
        smallest=MetricSet.MINIMAL,
        read=lambda report: (report.verdict is Verdict.DEGRADED,),
    ),
    EndpointMetric(
        name="WarmWaitMs",
        series="mcp_endpoint_warm_wait_seconds",
        unit=Unit.MILLISECONDS,
        help="From the first request's last byte to its answer's first, in probes that met no cold start.",
        smallest=MetricSet.STANDARD,
        read=_wait(cold=False),
    ),
    EndpointMetric(
        name="HandshakeMs",
        series="mcp_endpoint_handshake_seconds",
        unit=Unit.MILLISECONDS,
        help="The opening of the conversation, with its connection.",
        smallest=MetricSet.STANDARD,
        read=_handshake,
    ),
    EndpointMetric(
        name="ToolsListMs",
        series="mcp_endpoint_tools_list_seconds",
        unit=Unit.MILLISECONDS,
        help="Listing the tools, all pages together.",
        smallest=MetricSet.STANDARD,
        read=_tools_list,
    ),
    EndpointMetric(
        name="SentinelMs",
        series="mcp_endpoint_sentinel_seconds",
        unit=Unit.MILLISECONDS,
        help="Each call of a sentinel that answered as expected; in Prometheus the slowest of a probe.",
        smallest=MetricSet.STANDARD,
        read=_sentinels,
    ),
    EndpointMetric(
        name="ColdStart",
        series="mcp_endpoint_cold_start",
        unit=Unit.NONE,
        help="1 where the probe met a cold start.",
        smallest=MetricSet.STANDARD,
        read=lambda report: (_is_cold(report),),
    ),
    EndpointMetric(
        name="ToolCount",
        series="mcp_endpoint_tools",
        unit=Unit.COUNT,
        help="Tools that are listed.",
        smallest=MetricSet.STANDARD,
        read=_tool_count,
    ),
    EndpointMetric(
        name="ColdWaitMs",
        series="mcp_endpoint_cold_wait_seconds",
        unit=Unit.MILLISECONDS,
        help="From the first request's last byte to its answer's first, in probes that met a cold start.",
        smallest=MetricSet.FULL,
        read=_wait(cold=True),
    ),
    EndpointMetric(
        name="FirstEventMs",
        series="mcp_endpoint_first_event_seconds",
        unit=Unit.MILLISECONDS,
        help="From the start of a streamed tool call to its first event.",
        smallest=MetricSet.FULL,
        read=_fact("streaming", "first_event_ms"),
    ),
    EndpointMetric(
        name="DnsMs",
        series="mcp_endpoint_dns_seconds",
        unit=Unit.MILLISECONDS,
        help="Looking up the host name.",
        smallest=MetricSet.FULL,
        read=_phase(lambda timings: timings.dns_ms),
    ),
    EndpointMetric(
        name="ConnectMs",
        series="mcp_endpoint_connect_seconds",
        unit=Unit.MILLISECONDS,
        help="Opening the TCP connection.",
        smallest=MetricSet.FULL,
        read=_phase(lambda timings: timings.connect_ms),
    ),
    EndpointMetric(
        name="TlsMs",
        series="mcp_endpoint_tls_seconds",
        unit=Unit.MILLISECONDS,
        help="The TLS handshake.",
        smallest=MetricSet.FULL,
        read=_phase(lambda timings: timings.tls_ms),
    ),
    EndpointMetric(
        name="ProbeMs",
        series="mcp_endpoint_probe_duration_seconds",
        unit=Unit.MILLISECONDS,
        help="The whole probe, with all that it asked.",
        smallest=MetricSet.FULL,
        read=lambda report: (report.duration_ms,),
    ),
)


def _count(verdict: Verdict) -> Callable[[Census], int]:
    return lambda census: census.verdicts.get(verdict, 0)


_HOW: Final = {
    Verdict.UP: "are up",
    Verdict.DEGRADED: "are degraded",
    Verdict.DOWN: "are down",
    Verdict.UNKNOWN: "could not be observed, or not yet",
}

FLEET_METRICS: Final[Sequence[FleetMetric]] = (
    *(
        FleetMetric(
            name=f"Endpoints{verdict.value.capitalize()}",
            series="mcp_fleet_endpoints",
            unit=Unit.COUNT,
            help=f"Endpoints that {_HOW[verdict]}.",
            count=_count(verdict),
            label=("verdict", verdict.value),
        )
        for verdict in Verdict
    ),
    FleetMetric(
        name="IncidentsOpen",
        series="mcp_fleet_incidents_open",
        unit=Unit.COUNT,
        help="Incidents that are open.",
        count=lambda census: len(census.in_incident),
    ),
    FleetMetric(
        name="Probes",
        series=None,
        unit=Unit.COUNT,
        help="Probes that were made: their sum.",
        read=lambda _: (1,),
    ),
    FleetMetric(
        name="ProbesBad",
        series=None,
        unit=Unit.NONE,
        help="1 for a probe that found its endpoint down or degraded, 0 for a good one: the average is the share.",
        read=lambda report: (
            () if report.verdict is Verdict.UNKNOWN else (report.verdict in (Verdict.DOWN, Verdict.DEGRADED),)
        ),
    ),
    FleetMetric(
        name="ProbesUnknown",
        series=None,
        unit=Unit.NONE,
        help="1 for a probe that could not observe, 0 for any other.",
        read=lambda report: (report.verdict is Verdict.UNKNOWN,),
    ),
    FleetMetric(
        name="WarmWaitMs",
        series=None,
        unit=Unit.MILLISECONDS,
        help="The waits of all endpoints for a first answer, cold starts aside.",
        read=_wait(cold=False),
    ),
    FleetMetric(
        name="ColdWaitMs",
        series=None,
        unit=Unit.MILLISECONDS,
        help="The waits of all endpoints for a first answer in cold starts.",
        read=_wait(cold=True),
    ),
)

HEARTBEAT: Final = FleetMetric(
    name="Heartbeat",
    series=None,
    unit=Unit.NONE,
    help="1 each time that a whole cycle has worked: a probe, its commit, the delivery of notices.",
)
IMPAIRED: Final = FleetMetric(
    name="Impaired",
    series=None,
    unit=Unit.NONE,
    help="1 while something keeps the prober from its work, else 0.",
)
SIGNS: Final = (HEARTBEAT, IMPAIRED)
"""What a prober says of itself as soon as it publishes anything, because alarms wait for it."""

PROBER_METRICS: Final[Sequence[ProberMetric]] = (
    ProberMetric(
        vital="probe_lag",
        kind=Kind.GAUGE,
        unit=Unit.SECONDS,
        help="How much later than its slot the latest probe began.",
    ),
    ProberMetric(
        vital="loop_lag",
        kind=Kind.GAUGE,
        unit=Unit.SECONDS,
        help="How late the event loop comes to what is due.",
    ),
    ProberMetric(vital="in_flight", kind=Kind.GAUGE, unit=Unit.COUNT, help="Probes that are running."),
    ProberMetric(
        vital="spool_bytes",
        kind=Kind.GAUGE,
        unit=Unit.BYTES,
        help="Room on the disk that waiting reports take.",
    ),
    ProberMetric(
        vital="spool_records",
        kind=Kind.GAUGE,
        unit=Unit.COUNT,
        help="Reports that wait for the database.",
        name="SpoolRecords",
    ),
    ProberMetric(vital="outbox_waiting", kind=Kind.GAUGE, unit=Unit.COUNT, help="Notices that wait to be sent."),
    ProberMetric(
        vital="outbox_oldest",
        kind=Kind.GAUGE,
        unit=Unit.SECONDS,
        help="For how long the oldest notice has been waiting.",
        name="OutboxOldest",
    ),
    ProberMetric(vital="channels_broken", kind=Kind.GAUGE, unit=Unit.COUNT, help="Channels that somebody has to mend."),
    ProberMetric(
        vital="probes", kind=Kind.COUNTER, unit=Unit.COUNT, help="Probes that were made.", labels=("verdict",)
    ),
    ProberMetric(
        vital="unknowns",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Probes that could not observe, by what kept them from it.",
        labels=("reason",),
    ),
    ProberMetric(
        vital="spool_dropped",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Reports that were given up because there was no room for them.",
    ),
    ProberMetric(
        vital="spool_coalesced",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Reports that were joined with one that said the same, to save room.",
    ),
    ProberMetric(
        vital="spool_slimmed",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Reports that were kept without what was sent and received, to save room.",
    ),
    ProberMetric(
        vital="spool_damaged",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Reports that could not be read back from the disk.",
    ),
    ProberMetric(
        vital="reports_refused",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Reports that the database refused for what they hold, which were set aside.",
    ),
    ProberMetric(
        vital="reports_outdated",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Reports on a server that had been removed or replaced before it was probed, which were dropped.",
    ),
    ProberMetric(
        vital="reports_stumbled",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Times that saving reports met a bug of the prober, and went on.",
    ),
    ProberMetric(
        vital="outbox_attempts",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Attempts to send a notice, by the kind of the channel.",
        labels=("kind", "outcome"),
    ),
    ProberMetric(
        vital="guard_blocks",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Requests of probes that were not sent because their address is not allowed.",
    ),
    ProberMetric(
        vital="secret_failures",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Probes that were not made because a secret or a token could not be had.",
    ),
    ProberMetric(vital="clock_jumps", kind=Kind.COUNTER, unit=Unit.COUNT, help="Jumps of the wall clock."),
    ProberMetric(
        vital="metrics_failures",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Calls that CloudWatch did not take.",
    ),
    ProberMetric(
        vital="metrics_dropped",
        kind=Kind.COUNTER,
        unit=Unit.COUNT,
        help="Measurements that were not published.",
    ),
    ProberMetric(vital="tick", kind=Kind.AGE, unit=Unit.SECONDS, help="Since due endpoints were last looked for."),
    ProberMetric(vital="probe", kind=Kind.AGE, unit=Unit.SECONDS, help="Since a probe last ended."),
    ProberMetric(vital="loop", kind=Kind.AGE, unit=Unit.SECONDS, help="Since the event loop last turned."),
    ProberMetric(vital="writer", kind=Kind.AGE, unit=Unit.SECONDS, help="Since waiting reports were last looked at."),
    ProberMetric(vital="database", kind=Kind.AGE, unit=Unit.SECONDS, help="Since the database last answered."),
    ProberMetric(
        vital="idle", kind=Kind.AGE, unit=Unit.SECONDS, help="Since the database last said that nothing is due."
    ),
    ProberMetric(vital="commit", kind=Kind.AGE, unit=Unit.SECONDS, help="Since a report was last saved."),
    ProberMetric(
        vital="outbox", kind=Kind.AGE, unit=Unit.SECONDS, help="Since the notices to be sent were last looked at."
    ),
)


def metrics_of(chosen: MetricSet) -> tuple[EndpointMetric, ...]:
    """The metrics of an endpoint for which this set is chosen."""
    return tuple(each for each in ENDPOINT_METRICS if _SETS.index(each.smallest) <= _SETS.index(chosen))


PUBLISHED_GAUGES: Final = tuple(each for each in PROBER_METRICS if each.name is not None)
"""What of the prober itself goes to CloudWatch beside the signs."""

UNITS: Final[Mapping[str, Unit]] = {
    **{each.name: each.unit for each in ENDPOINT_METRICS},
    **{each.name: each.unit for each in (*FLEET_METRICS, *SIGNS)},
    **{each.name: each.unit for each in PROBER_METRICS if each.name is not None},
}
"""Of every metric in CloudWatch, by its name."""
