"""A burst of requests at once: how long do new instances of the function take to answer?"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from checks.front_door import LAMBDA_DOORS, front_door_of
from checks.full_profile import harmless_method, skipped, why_not
from checks.instances import ALONE_EXCESS_MS, ALONE_RATIO, Age, age_of, waits_when_warm
from checks.messages import result_of
from checks.model import CheckResult, Exchange, Finding, OnRequest, Outcome, Profile
from checks.proofs import answer_line, counted, listed, milliseconds
from checks.spec import Chapter
from checks.symptoms import Symptom, symptom_of
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check

BURST: Final = 6
"""Requests at once. An instance serves one at a time, so that all but one of them need another instance, unless these
exist already or are free again before the last request comes."""
_SERVER_FAILED: Final = 500


@dataclass(frozen=True, slots=True)
class _Burst:
    """What came back."""

    exchanges: tuple[Exchange, ...]
    answered: tuple[Exchange, ...]
    cold: tuple[Exchange, ...]
    """Those answered that likely woke an instance."""
    throttled: int

    @property
    def cold_ms(self) -> list[float]:
        """How long each new instance kept its client waiting."""
        return _first_bytes(self.cold)

    @property
    def warm_ms(self) -> list[float]:
        """The same of those that met a warm one."""
        return _first_bytes(each for each in self.answered if each not in self.cold)


@check(
    "cold_starts",
    Chapter(page="https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"),
    profiles=frozenset({Profile.FULL}),
)
async def cold_starts(ctx: CheckContext) -> CheckResult:
    """Do new instances of the function answer within the time that clients wait?

    Asked on request only: sends `BURST` requests at once, each over a connection of its own, which may start as many
    instances, and takes as much of the function's concurrency. A cold start is suspected where a request waited far
    longer than those before it, which met a warm instance.
    Facts: `asked`, `answered`, `throttled` (HTTP 429), `cold_ms`, the first answers of suspected cold starts, and
    `warm_ms`, those of the other requests of the burst.
    """
    if OnRequest.COLD_STARTS not in ctx.endpoint.on_request:
        return skipped("cold_starts", "not asked: only on request")
    return await burst_of(ctx, BURST)


async def burst_of(ctx: CheckContext, count: int) -> CheckResult:
    """The result of the check with a burst of `count` requests."""
    reason = why_not(ctx) or _without_function(ctx)
    if reason is not None:
        return skipped("cold_starts", reason)
    warm = waits_when_warm(_earlier(ctx))
    if not warm:
        return skipped("cold_starts", "not asked: no warm answer was measured that it could be compared with")
    burst = _sorted(await ctx.wire.at_once(harmless_method(ctx), count), min(warm))
    findings = tuple(_findings(burst, ctx.endpoint.client_timeout_s))
    return CheckResult(
        check="cold_starts",
        outcome=_outcome(burst, findings),
        summary=_summary(burst),
        ms=elapsed_ms(burst.exchanges),
        exchanges=burst.exchanges,
        findings=findings,
        facts={
            "asked": len(burst.exchanges),
            "answered": len(burst.answered),
            "throttled": burst.throttled,
            "cold_ms": burst.cold_ms,
            "warm_ms": burst.warm_ms,
        },
    )


def _first_bytes(exchanges: Iterable[Exchange]) -> list[float]:
    """From connecting to the first byte, as a client waits."""
    return [each.timings.first_byte_ms for each in exchanges if each.timings.first_byte_ms is not None]


def _earlier(ctx: CheckContext) -> tuple[Exchange, ...]:
    return tuple(exchange for result in ctx.results for exchange in result.exchanges)


def _without_function(ctx: CheckContext) -> str | None:
    """Elsewhere than on Lambda, requests at once wait for each other, and no new instance comes."""
    known = front_door_of(ctx.wire.opening.exchanges[0]) in LAMBDA_DOORS
    return None if known else "not asked: no Lambda function is known to stand behind it"


def _sorted(exchanges: Sequence[Exchange], warm_ms: float) -> _Burst:
    answered = tuple(each for each in exchanges if result_of(each) is not None)
    return _Burst(
        exchanges=tuple(exchanges),
        answered=answered,
        cold=tuple(each for each in answered if _is_cold(each, warm_ms)),
        throttled=sum(symptom_of(each) is Symptom.THROTTLED for each in exchanges),
    )


def _is_cold(exchange: Exchange, warm_ms: float) -> bool:
    wait = exchange.timings.wait_ms
    if wait is None or age_of(exchange) is Age.THAWED:
        return False
    return wait >= warm_ms + ALONE_EXCESS_MS and wait >= warm_ms * ALONE_RATIO


def _findings(burst: _Burst, patience_s: float | None) -> Iterator[Finding]:
    late = [] if patience_s is None else [each for each in burst.cold_ms if each > patience_s * 1000]
    if late:
        yield Finding(
            text=f"{counted(len(late), 'new instance')} answered later than the {patience_s:g} s that clients wait, "
            f"the last after {milliseconds(max(late))}"
        )
    crashed = [each for each in burst.exchanges if each not in burst.answered and (each.status or 0) >= _SERVER_FAILED]
    if crashed:
        statuses = listed(sorted({f"HTTP {each.status}" for each in crashed}))
        yield Finding(
            text=f"{counted(len(crashed), 'request')} at once failed with {statuses}, such as "
            f"{answer_line(crashed[0])}, while requests one after the other are answered: new instances, or several at "
            "once, fail"
        )


def _outcome(burst: _Burst, findings: Sequence[Finding]) -> Outcome:
    if findings:
        return Outcome.WARN
    return Outcome.PASS if len(burst.answered) > 1 else Outcome.SKIP


def _summary(burst: _Burst) -> str:
    if not burst.exchanges:
        return "not asked over several connections at once"
    parts = [f"{len(burst.answered)} of {counted(len(burst.exchanges), 'request')} at once were answered"]
    if burst.cold_ms:
        slowest = milliseconds(max(burst.cold_ms))
        parts.append(f"{len(burst.cold_ms)} likely woke a new instance, the slowest after {slowest}")
        if burst.warm_ms:
            parts.append(f"the others met a warm one, the slowest after {milliseconds(max(burst.warm_ms))}")
    elif burst.answered:
        parts.append("none waited for a new instance")
        if burst.warm_ms:
            parts.append(f"the slowest answered after {milliseconds(max(burst.warm_ms))}")
    if burst.throttled:
        parts.append(f"{burst.throttled} were throttled (HTTP 429): so far reaches the function's concurrency")
    return ", ".join(parts)
