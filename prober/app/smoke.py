"""What a smoke check asks of endpoints beside being up, and what the answers mean for the pipeline that waits for them.

Pure: `prober.app.once` asks, this judges, `prober.cli` reports.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from checks.full_profile import unobserved
from checks.inventory import Inventory
from checks.model import (
    CheckResult,
    Endpoint,
    Evidence,
    Exchange,
    Failure,
    OnRequest,
    Outcome,
    ProbeReport,
    Profile,
    Verdict,
)
from checks.proofs import counted, listed, milliseconds
from checks.protocol.sentinel_call import Called
from checks.text import clean
from checks.tool_lists import listings
from prober.app.baseline_file import BaselineFile, Saved, compared

AUTHENTICATION: Final = frozenset({"auth-required", "auth-rejected", "signature-rejected"})
"""Causes of which the credentials are to blame, and not what was deployed."""

_DIGITS: Final = re.compile(r"[0-9]+(?P<dot>\.?)")
_ON_REQUEST: Final = {
    OnRequest.TASKS: "tasks",
    OnRequest.SUBSCRIPTIONS: "subscriptions",
    OnRequest.COLD_STARTS: "cold_starts",
}
"""The check that asks for it."""


_WAITED_FOR: Final = frozenset({"lifecycle", "tools_list", "sentinel_call"})
"""Checks that ask as clients do; others ask for what is refused, or for much at once."""


class FailOn(StrEnum):
    """From where on an endpoint has failed."""

    DOWN = "down"
    DEGRADED = "degraded"
    WARNING = "warning"


class Conclusion(StrEnum):
    """What a run says of an endpoint, or of all of them; the worst last."""

    PASSED = "passed"
    WARNINGS = "warnings"
    """Passed, and something should be looked at."""
    UNOBSERVED = "unobserved"
    """We could not ask all that was asked for."""
    AUTHENTICATION = "authentication"
    """Our credentials are refused, or missing: the rest could not be seen."""
    FAILED = "failed"


_ORDER: Final = tuple(Conclusion)
PASSING: Final = frozenset({Conclusion.PASSED, Conclusion.WARNINGS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a run asks of each of its endpoints."""

    profile: Profile = Profile.STANDARD
    passes: int = 1
    """Probes in a row that must pass."""
    wait_s: float | None = None
    """For how long an endpoint that does not pass is asked again; all of the run ends then. None: it is not."""
    cold: int = 0
    """Requests at once in the last probe, for which the function has to start as many instances."""
    tools: tuple[str, ...] = ()
    version: str | None = None
    """Version of the server, or its beginning."""
    answer_within_s: float | None = None
    """How long an answer that clients wait for may take to begin, from connecting on. None: as long as it likes."""
    baseline: BaselineFile | None = None
    fail_on: FailOn = FailOn.DEGRADED
    strict: bool = False
    """Warnings have an exit code of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One probe of several."""

    at_ms: float
    """Since the run began."""
    ms: float
    verdict: Verdict
    cause: str | None
    """Id of the diagnosis that weighs most; None where nothing is wrong, or nothing is known of it."""
    conclusion: Conclusion
    missed: tuple[str, ...] = ()
    """As in `Judged`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one report is worth."""

    conclusion: Conclusion
    demands: tuple[CheckResult, ...] = ()
    """What was asked beside the checks of the profile, in their form."""
    why: tuple[str, ...] = ()
    """Why it did not simply pass."""
    missed: tuple[str, ...] = ()
    """Ids of the demands and checks that made it fail, where the verdict would have passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a run found of one endpoint."""

    endpoint: Endpoint
    report: ProbeReport | None
    """Of the last probe. None where the time was up before the first."""
    attempts: tuple[Attempt, ...]
    judged: Judged

    @property
    def conclusion(self) -> Conclusion:
        return self.judged.conclusion

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """All answers: of the checks, then to the demands."""
        return (*(() if self.report is None else self.report.results), *self.judged.demands)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that one run found. Every report is made of this value."""

    examined: tuple[Examined, ...]
    demands: Demands
    started_at: datetime
    duration_ms: float
    version: str
    """Of the prober."""

    @property
    def conclusion(self) -> Conclusion:
        """That of the endpoint that weighs most."""
        return worst(each.conclusion for each in self.examined)


def worst(conclusions: Iterable[Conclusion]) -> Conclusion:
    """The one that decides. A failure outweighs what could not be seen elsewhere: it has been seen."""
    return max(conclusions, key=_ORDER.index, default=Conclusion.UNOBSERVED)


def judge(endpoint: Endpoint, report: ProbeReport, demands: Demands, *, with_burst: bool) -> Judged:
    """What one report is worth. `with_burst`: it is of a probe that sent `demands.cold` requests at once."""
    asked = tuple(_demanded(endpoint, report, demands))
    results = (*report.results, *asked)
    unanswered = tuple(_unanswered(endpoint, report, asked, with_burst=with_burst))
    failed = [f"{each.check}: {each.summary}" for each in asked if each.outcome is Outcome.FAIL]
    warned = [f"{each.check}: {each.summary}" for each in results if each.outcome is Outcome.WARN]
    bad = _is_bad(report.verdict, demands.fail_on)
    if bad or failed or (warned and demands.fail_on is FailOn.WARNING):
        cause = report.cause
        refused = bad and cause is not None and cause.id in AUTHENTICATION
        conclusion = Conclusion.AUTHENTICATION if refused else Conclusion.FAILED
        said = (_verdict_line(report),) if report.verdict is not Verdict.UP else ()
        missed = () if bad else _missed(asked, results, demands.fail_on)
        return Judged(conclusion=conclusion, demands=asked, why=(*said, *failed, *warned, *unanswered), missed=missed)
    if report.verdict is Verdict.UNKNOWN or unanswered:
        unknown = (_verdict_line(report),) if report.verdict is Verdict.UNKNOWN else ()
        return Judged(conclusion=Conclusion.UNOBSERVED, demands=asked, why=(*unknown, *unanswered, *warned))
    degraded = (_verdict_line(report),) if report.verdict is not Verdict.UP else ()
    conclusion = Conclusion.WARNINGS if degraded or warned else Conclusion.PASSED
    return Judged(conclusion=conclusion, demands=asked, why=(*degraded, *warned))


def concluded(attempts: Sequence[Attempt], judged: Judged | None, demands: Demands) -> Judged:
    """The last judgement in the light of all attempts. None: the time was up before there was any."""
    if judged is None:
        why = "not asked: the time was up before it came to that"
        return Judged(conclusion=Conclusion.UNOBSERVED, why=(why,))
    if demands.wait_s is None and demands.passes == 1:
        return judged
    ready = _readiness(attempts, demands)
    conclusion = judged.conclusion
    if ready.outcome is not Outcome.PASS and conclusion in PASSING:
        conclusion = Conclusion.FAILED if ready.outcome is Outcome.FAIL else Conclusion.UNOBSERVED
    not_ready = () if ready.outcome is Outcome.PASS else (f"ready: {ready.summary}",)
    return replace(judged, conclusion=conclusion, demands=(ready, *judged.demands), why=(*not_ready, *judged.why))


def in_brief(attempt: Attempt) -> str:
    """What came of one probe, in few words."""
    found = attempt.cause or attempt.verdict.value
    if attempt.missed:
        return f"{found}, but {listed(attempt.missed)} did not pass"
    is_blind = attempt.conclusion is Conclusion.UNOBSERVED and attempt.verdict is not Verdict.UNKNOWN
    return f"{found}, but not all was observed" if is_blind else found


def inventory_of_report(endpoint: Endpoint, report: ProbeReport) -> Inventory | None:
    """The list of tools that a probe read to its end. None where it did not, or different lists took turns."""
    found = listings(Evidence(endpoint=endpoint, opening=report.opening, results=report.results))
    return found[0].inventory if len(found) == 1 else None


def _readiness(attempts: Sequence[Attempt], demands: Demands) -> CheckResult:
    """Whether enough probes in a row passed, and what became of those before: a deploy warms up."""
    passed = [each.conclusion in PASSING for each in attempts]
    streak = next((at for at, good in enumerate(reversed(passed)) if not good), len(passed))
    before = attempts[: len(attempts) - streak]
    summary = f"{streak} of {counted(demands.passes, 'probe')} in a row passed"
    if demands.passes == 1:
        summary = "no probe passed" if not streak else "a probe passed" if before else "the first probe passed"
    if before:
        since = milliseconds(before[-1].at_ms + before[-1].ms)
        joint = ":" if demands.passes == 1 and not streak else ", after"
        summary += f"{joint} {counted(len(before), 'probe')} in {since} ({_tally(before)})"
    if streak >= demands.passes:
        outcome = Outcome.PASS
    else:
        limit = "" if demands.wait_s is None else f"; {demands.wait_s:g} s leave no time for another"
        outcome, summary = (Outcome.FAIL if before else Outcome.SKIP), f"{summary}{limit}"
    ms = attempts[-1].at_ms + attempts[-1].ms if attempts else 0.0
    return CheckResult(
        check="ready",
        outcome=outcome,
        summary=summary,
        ms=ms,
        facts={"passed_in_a_row": streak, "asked": demands.passes, "before": len(before)},
    )


def _tally(attempts: Sequence[Attempt]) -> str:
    counts = Counter(in_brief(each) if each.cause is None else f"{each.verdict}: {in_brief(each)}" for each in attempts)
    return ", ".join(word if number == 1 else f"{word} ({number} times)" for word, number in counts.items())


def _demanded(endpoint: Endpoint, report: ProbeReport, demands: Demands) -> Iterator[CheckResult]:
    if demands.tools:
        yield _tools(report, demands.tools)
    if demands.version is not None:
        yield _version(report, demands.version)
    if demands.answer_within_s is not None:
        yield _within(report, demands.answer_within_s)
    if demands.baseline is not None:
        now = Saved(
            name=endpoint.name,
            url=endpoint.url,
            server=report.opening.server_name,
            server_version=report.opening.server_version,
            inventory=inventory_of_report(endpoint, report),
        )
        yield compared(demands.baseline, now)


def _tools(report: ProbeReport, wanted: Sequence[str]) -> CheckResult:
    listing = report.result("tools_list")
    if listing is None or not listing.facts.get("complete"):
        return CheckResult(check="expect_tool", outcome=Outcome.SKIP, summary="the tools were not read to their end")
    missing = [clean(each, 60) for each in wanted if each in listing.facts["missing"]]
    if missing:
        return CheckResult(check="expect_tool", outcome=Outcome.FAIL, summary=f"not listed: {listed(missing)}")
    return CheckResult(check="expect_tool", outcome=Outcome.PASS, summary=f"{counted(len(wanted), 'tool')} listed")


def _version(report: ProbeReport, wanted: str) -> CheckResult:
    found, shown = report.opening.server_version, clean(wanted, 60)
    if not report.opening.established:
        outcome, said = Outcome.SKIP, "no conversation is open"
    elif found is None:
        outcome, said = Outcome.FAIL, f"the server names no version, {shown} was expected"
    elif begins_with(found, wanted):
        outcome, said = Outcome.PASS, f"the server is of version {clean(found, 60)}"
    else:
        outcome, said = Outcome.FAIL, f"the server is of version {clean(found, 60)}, {shown} was expected"
    return CheckResult(check="expect_version", outcome=outcome, summary=said)


def _within(report: ProbeReport, limit_s: float) -> CheckResult:
    """The answer that kept a client waiting longest, among those that every client waits for."""
    waits = [
        (waited_ms, each)
        for result in report.results
        if result.check in _WAITED_FOR
        for each in result.exchanges
        if (waited_ms := _waited_ms(each, limit_s)) is not None
    ]
    if not waits:
        return CheckResult(check="answer_within", outcome=Outcome.SKIP, summary="nothing was answered")
    longest_ms, exchange = max(waits, key=lambda each: each[0])
    is_late = longest_ms > limit_s * 1000
    if is_late and report.observer.is_late:
        held_up = f"our own machine was held up for {milliseconds(report.observer.lag_ms)}: nothing can be timed by it"
        return CheckResult(check="answer_within", outcome=Outcome.SKIP, summary=held_up)
    if report.verdict is Verdict.UNKNOWN or not (is_late or report.opening.established):
        why = "nothing is said about the endpoint" if report.verdict is Verdict.UNKNOWN else "no conversation is open"
        return CheckResult(check="answer_within", outcome=Outcome.SKIP, summary=why)
    method, longest = clean(exchange.rpc_method or exchange.method, 60), milliseconds(longest_ms)
    said = f"the answer to {method} began after {longest}"
    if exchange.timings.first_byte_ms is None:
        said = f"{method} was not answered within {longest}"
    return CheckResult(
        check="answer_within",
        outcome=Outcome.FAIL if is_late else Outcome.PASS,
        summary=said + (f", {milliseconds(limit_s * 1000)} were demanded" if is_late else ", the longest wait"),
        facts={"longest_ms": longest_ms, "limit_ms": limit_s * 1000},
    )


def _waited_ms(exchange: Exchange, limit_s: float) -> float | None:
    """How long a client waits for the answer to begin, or in vain beyond the limit. None: neither of them."""
    timings = exchange.timings
    in_vain = exchange.transport_error is not None and timings.first_byte_ms is None and timings.sent_ms is not None
    return timings.total_ms if in_vain and timings.total_ms > limit_s * 1000 else timings.first_byte_ms


def begins_with(version: str, wanted: str) -> bool:
    """Whether a version is the wanted one or begins with it: 1.4 stands for 1.4.2 and not for 1.40, nor 1 for 10.2. The
    beginning of a commit may end anywhere."""
    if not version.startswith(wanted):
        return False
    cut = _DIGITS.match(version, len(wanted)) if wanted[-1:].isdigit() else None
    return cut is None or not ("." in wanted or cut["dot"])


def _unanswered(
    endpoint: Endpoint, report: ProbeReport, asked: Sequence[CheckResult], *, with_burst: bool
) -> Iterator[str]:
    """What was asked for and has no answer: such a run must not look like a pass."""
    wanted = {"sentinel_call"} if endpoint.sentinels else set()
    wanted |= {"streaming"} if endpoint.streaming else set()
    wanted |= {_ON_REQUEST[each] for each in endpoint.on_request}
    wanted |= {"cors"} if endpoint.browser_origins else set()
    wanted |= {"cold_starts"} if with_burst else set()
    for result in report.results:
        if result.outcome is Outcome.ERROR:
            yield f"{result.check}: {result.summary}"
        elif result.outcome is Outcome.SKIP and result.check in wanted:
            yield f"{result.check} was asked for: {result.summary}"
        elif left := _left_open(result):
            yield f"{result.check} {left}: {result.summary}"
        for fact in result.facts.get("sentinels", ()) if result.outcome is not Outcome.SKIP else ():
            if fact["outcome"] == Called.SKIPPED:
                yield f"the sentinel {clean(fact['tool'], 60)} was asked for: {fact['summary']}"
    for result in asked:
        if result.outcome is Outcome.SKIP:
            yield f"{result.check} was asked for: {result.summary}"
    if with_burst and report.result("cold_starts") is None:
        yield "cold_starts was asked for, and there was no room for it"


def _left_open(result: CheckResult) -> str:
    """How the answer of a check falls short of its question; empty where it does not."""
    if _was_cut_short(result):
        return "was not asked to its end"
    burst = result.facts if result.check == "cold_starts" else {}
    return "was not answered in full" if burst.get("answered", 0) < burst.get("asked", 0) else ""


def _was_cut_short(result: CheckResult) -> bool:
    """Whether the time ran out before all of a check was asked, or nothing came of what it asked."""
    for exchange in result.exchanges:
        lost = exchange.transport_error
        if lost is None or lost.failure is Failure.BLOCKED:  # what is never asked for was no question of this run
            continue
        is_out_of_time = lost.failure is Failure.DEADLINE and lost.reason == "exhausted"
        if is_out_of_time or (result.outcome is Outcome.SKIP and unobserved(exchange) is not None):
            return True
    return False


def _missed(asked: Sequence[CheckResult], results: Sequence[CheckResult], fail_on: FailOn) -> tuple[str, ...]:
    failed = [each.check for each in asked if each.outcome is Outcome.FAIL]
    warned = [each.check for each in results if each.outcome is Outcome.WARN] if fail_on is FailOn.WARNING else []
    return tuple(dict.fromkeys([*failed, *warned]))


def _is_bad(verdict: Verdict, fail_on: FailOn) -> bool:
    return verdict is Verdict.DOWN or (verdict is Verdict.DEGRADED and fail_on is not FailOn.DOWN)


def _verdict_line(report: ProbeReport) -> str:
    cause = report.cause
    return f"the verdict is {report.verdict}" + ("" if cause is None else f": {cause.id}")
