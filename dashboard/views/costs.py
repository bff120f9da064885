"""What probing an endpoint costs a month, as far as that follows from its timetable and from what its probes meet.

Prices are AWS's list prices of one region for x86, without the free tier: an order of magnitude and no bill.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any, Final

from checks.costs import Kind, requests_of
from checks.front_door import LAMBDA_DOORS, FrontDoor, front_door_of
from checks.model import Endpoint, Exchange, Profile
from checks.proofs import milliseconds
from dashboard.views.stored import LONG, read_items, read_mapping, read_pairs, read_text
from prober import values
from prober.storage.cold_starts import FirstAnswers

MONTH_S: Final = 30.44 * 86_400
MEMORY_GB: Final = 0.5
"""What a function is taken to have: nothing tells it from outside."""

_ANY: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When something was is no matter here."""

PRICED_AT: Final = "November 2026"
"""When the prices here were looked at last."""
PRICED_IN: Final = "us-east-1"
SOURCES: Final = (
    ("AWS Lambda pricing", "https://aws.amazon.com/lambda/pricing/"),
    ("Amazon API Gateway pricing", "https://aws.amazon.com/api-gateway/pricing/"),
)
PER_REQUEST: Final = 0.20e-6
PER_GB_S: Final = 0.0000166667
PER_DOOR_REQUEST: Final[Mapping[FrontDoor, float]] = {FrontDoor.HTTP_API: 1.00e-6, FrontDoor.REST_API: 3.50e-6}
"""US dollars. Function URLs and Web Functions cost nothing of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Figures of a month; money in US dollars."""

    requests: float
    gb_s: float
    for_requests: float
    for_time: float
    for_door: float

    @property
    def whole(self) -> float:
        return self.for_requests + self.for_time + self.for_door


@dataclass(frozen=True, slots=True, kw_only=True)
class CostView:
    summary: str
    facts: tuple[tuple[str, str], ...]
    assumptions: str
    sources: tuple[tuple[str, str], ...] = SOURCES
    """Where the prices stand: names and addresses."""


def cost_view(endpoint: Endpoint, kind: Kind, answers: FirstAnswers, detail: Mapping[str, Any] | None) -> CostView:
    """The section of the page; `detail` is the newest stored report."""
    door = _door(detail)
    wait_ms = answers.warm_ms[0] if answers.warm_ms else _median(answers.cold_ms) or 0.0
    cost = cost_of(endpoint, kind, door, answers)
    facts = {
        "Requests": f"{_round(cost.requests)} a month: {_dollars(cost.for_requests)}",
        "Duration": f"{_round(cost.gb_s)} GB-seconds a month: {_dollars(cost.for_time)}",
        "Front door": f"{door}: {_dollars(cost.for_door)}" if cost.for_door else "",
    }
    return CostView(
        summary=f"About {_dollars(cost.whole)} a month.",
        facts=tuple((term, text) for term, text in facts.items() if text),
        assumptions=f"{_assumptions(door, wait_ms)} {_prices(endpoint.url)}",
    )


def cost_of(endpoint: Endpoint, kind: Kind, door: FrontDoor, answers: FirstAnswers) -> Cost:
    """What a month comes to. The first request of a probe is as often cold as those of the last days were."""
    standard, full = probes_a_month(endpoint)
    requests = standard * requests_of(Profile.STANDARD, kind, endpoint)
    requests += full * requests_of(Profile.FULL, kind, endpoint)
    asked = answers.warm + answers.probes_cold
    cold = (standard + full) * answers.probes_cold / asked if asked else 0.0
    cold_ms = _median(answers.cold_ms) or 0.0
    warm_ms = answers.warm_ms[0] if answers.warm_ms else cold_ms
    gb_s = ((requests - cold) * warm_ms + cold * cold_ms) / 1000 * MEMORY_GB
    return Cost(
        requests=requests,
        gb_s=gb_s,
        for_requests=requests * PER_REQUEST,
        for_time=gb_s * PER_GB_S,
        for_door=requests * PER_DOOR_REQUEST.get(door, 0.0),
    )


def probes_a_month(endpoint: Endpoint) -> tuple[float, float]:
    """How many of the standard profile, and how many full ones take the place of one."""
    if not endpoint.enabled:
        return 0.0, 0.0
    awake = MONTH_S
    if endpoint.cold_every_s is not None:
        awake *= endpoint.cold_every_s / (endpoint.cold_every_s + endpoint.cool_down_s)
    whole = awake / endpoint.interval_s
    full = 0.0 if endpoint.full_every_s is None else min(awake / endpoint.full_every_s, whole)
    return whole - full, full


def _door(detail: Mapping[str, Any] | None) -> FrontDoor:
    """The front door that answered first."""
    for result in read_items((detail or {}).get("results")):
        for each in map(read_mapping, read_items(read_mapping(result).get("exchanges"))):
            url, headers = read_text(each.get("url"), LONG), read_pairs(each.get("headers"))
            seen = Exchange(id="", method="POST", url=url, headers=headers, started_at=_ANY)
            return front_door_of(seen)
    return FrontDoor.UNKNOWN


def _assumptions(door: FrontDoor, wait_ms: float) -> str:
    behind = "" if door in LAMBDA_DOORS else "that a Lambda function is behind it, "
    return (
        f"Taken for granted: {behind}{MEMORY_GB * 1024:.0f} MB of memory, and {milliseconds(wait_ms)} for a request, "
        "which is the usual wait and has the network in it."
    )


def _prices(url: str) -> str:
    region = _region(url)
    elsewhere = "other regions may ask for more" if region is None else f"this is in {region}, which may ask for more"
    stand = f"List prices of {PRICED_IN} for x86 as of {PRICED_AT}"
    without = "without the free tier, logs and what the tools themselves call"
    return f"{stand}, {without}." if region == PRICED_IN else f"{stand}, {without}; {elsewhere}."


def _region(url: str) -> str | None:
    """As the host name of a Function URL or an API Gateway stage tells it."""
    try:
        return values.signing_scope(url, service="lambda")[1]
    except (values.Refused, ValueError):
        return None


def _median(values: tuple[float, ...]) -> float | None:
    return median(values) if values else None


def _round(figure: float) -> str:
    """About three figures: `87,700`, `412`, `3.2`."""
    if figure >= 1000:
        return f"{round(figure, -2):,.0f}"
    return f"{figure:.0f}" if figure >= 10 else f"{figure:.1f}"


def _dollars(sum_: float) -> str:
    return "less than $0.01" if sum_ < 0.01 else f"${sum_:,.2f}"
