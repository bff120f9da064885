"""The state machine of one endpoint: verdicts go in one by one, and transitions worth telling somebody come out.

One principle holds throughout: nothing is told before enough verdicts in a row confirm it (`Rules`), and nothing is
told twice. So an incident worsens at most once, and each cause is announced at most once per incident.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

from pydantic import TypeAdapter

from checks.model import Diagnosis, Effect, Outcome, ProbeReport, Verdict
from checks.text import clean, storable
from prober.incidents.rules import Rules, Severity

_NAMESPACE: Final = UUID("6f6a3a52-9f0e-5b8e-9d0b-2d1f4f7d8c11")
"""Ids are derived from the report that caused them, so that a step computed twice names the same things."""

_EVIDENCE_KEPT: Final = 5


class TransitionKind(StrEnum):
    """What happened to an incident."""

    OPENED = "opened"
    WORSENED = "worsened"
    CAUSE_CHANGED = "cause-changed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one probe says about its endpoint, as far as incidents care."""

    verdict: Verdict
    cause_id: str | None
    """Id of the diagnosis that weighs most; None when the endpoint is well or nothing explains its state."""
    cause_summary: str
    fix: str
    evidence: tuple[str, ...] = ()
    report_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The time between the first bad probe and the first good one, once enough probes confirm it."""

    id: UUID
    verdict: Verdict
    """`down` once `fail_after` verdicts in a row were down, `degraded` before; it never falls back."""
    severity: Severity
    since: datetime
    """Of the first bad probe."""
    opened_at: datetime
    """When it was confirmed."""
    shown: Seen
    """The probe whose cause the incident bears: the one that opened it, or that confirmed worse or another cause."""
    announced: tuple[str, ...] = ()
    """Causes that somebody has been told about."""
    ended_at: datetime | None = None
    """Of the first good probe; set once it is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """The newest verdicts, as far back as all of them were bad, or all good."""

    bad: bool
    since: datetime
    first_report: UUID
    last_report: UUID
    length: int = 1
    down: int = 0
    """`down` verdicts in a row at its end."""
    cause_id: str | None = None
    same_cause: int = 1
    """Verdicts in a row at its end that bear `cause_id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentState:
    """Everything `step` remembers of an endpoint between two probes."""

    streak: Streak | None = None
    incident: Incident | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON value that PostgreSQL accepts and `from_json` reads back to an equal state."""
        plain: dict[str, Any] = storable(_STATE.dump_python(self, mode="json"))
        return plain

    @staticmethod
    def from_json(value: Mapping[str, Any] | None) -> "IncidentState":
        """The state that `to_json` wrote, or a fresh one for None. Raises ValueError for anything else."""
        return IncidentState() if value is None else _STATE.validate_python(dict(value))


_STATE: Final = TypeAdapter(IncidentState)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change of an endpoint's state. The id is the same however often the step is computed."""

    id: UUID
    kind: TransitionKind
    at: datetime
    report_id: UUID
    """The probe that tipped it."""
    incident: Incident
    """As it is after the change."""
    before: Seen | None = None
    """What the incident bore before, where its cause changed."""


def seen_of(report: ProbeReport, report_id: UUID) -> Seen:
    """A report reduced to what incidents care about, its texts cleaned and bounded."""
    cause = _cause_of(report)
    failed = next((result for result in report.results if result.outcome is Outcome.FAIL), None)
    summary = cause.summary if cause else failed.summary if failed else ""
    return Seen(
        verdict=report.verdict,
        cause_id=cause.id if cause else None,
        cause_summary=clean(summary, 500),
        fix=clean(cause.fix, 2000, keep_lines=True) if cause else "",
        evidence=tuple(clean(proof.text, 300) for proof in cause.evidence[:_EVIDENCE_KEPT]) if cause else (),
        report_id=report_id,
        at=report.slot,
    )


def step(state: IncidentState, seen: Seen, rules: Rules, now: datetime) -> tuple[IncidentState, tuple[Transition, ...]]:
    """The state after one more probe, and what is to be told.

    `down` and `degraded` are bad. `unknown` means that we could not observe: it changes nothing, neither a count of
    bad nor of good verdicts. Nor does a report that was the last one already.
    """
    if seen.verdict is Verdict.UNKNOWN or (state.streak and state.streak.last_report == seen.report_id):
        return state, ()
    streak = _grown(state.streak, seen)
    if state.incident is None:
        incident, transition = _outside(streak, seen, rules, now)
    else:
        incident, transition = _inside(state.incident, streak, seen, rules, now)
    return IncidentState(streak=streak, incident=incident), (transition,) if transition else ()


def _grown(streak: Streak | None, seen: Seen) -> Streak:
    bad = seen.verdict is not Verdict.UP
    is_down = seen.verdict is Verdict.DOWN
    if streak is None or streak.bad is not bad:
        return Streak(
            bad=bad,
            since=seen.at,
            first_report=seen.report_id,
            last_report=seen.report_id,
            down=int(is_down),
            cause_id=seen.cause_id,
        )
    return replace(
        streak,
        last_report=seen.report_id,
        length=streak.length + 1,
        down=streak.down + 1 if is_down else 0,
        cause_id=seen.cause_id,
        same_cause=streak.same_cause + 1 if streak.cause_id == seen.cause_id else 1,
    )


def _outside(streak: Streak, seen: Seen, rules: Rules, now: datetime) -> tuple[Incident | None, Transition | None]:
    if not streak.bad or streak.length < rules.fail_after:
        return None, None
    verdict = Verdict.DOWN if streak.down >= rules.fail_after else Verdict.DEGRADED
    incident = Incident(
        id=uuid5(_NAMESPACE, str(streak.first_report)),
        verdict=verdict,
        severity=rules.severity_of(verdict, seen.cause_id),
        since=streak.since,
        opened_at=now,
        shown=seen,
        announced=_with((), seen.cause_id),
    )
    return incident, _transition(TransitionKind.OPENED, incident, seen, now)


def _inside(
    incident: Incident, streak: Streak, seen: Seen, rules: Rules, now: datetime
) -> tuple[Incident | None, Transition | None]:
    if not streak.bad:
        if streak.length < rules.recover_after:
            return incident, None
        return None, _transition(TransitionKind.CLOSED, replace(incident, ended_at=streak.since), seen, now)
    if incident.verdict is Verdict.DEGRADED and streak.down >= rules.fail_after:
        after = _bearing(replace(incident, verdict=Verdict.DOWN), seen, rules)
        return after, _transition(TransitionKind.WORSENED, after, seen, now, before=incident.shown)
    confirmed = seen.cause_id is not None and streak.same_cause >= rules.fail_after
    if not confirmed or seen.cause_id == incident.shown.cause_id:
        return incident, None
    after = _bearing(incident, seen, rules)
    if seen.cause_id in incident.announced:
        return after, None
    return after, _transition(TransitionKind.CAUSE_CHANGED, after, seen, now, before=incident.shown)


def _bearing(incident: Incident, seen: Seen, rules: Rules) -> Incident:
    severity = max(incident.severity, rules.severity_of(incident.verdict, seen.cause_id), key=lambda each: each.weight)
    return replace(incident, shown=seen, severity=severity, announced=_with(incident.announced, seen.cause_id))


def _with(announced: tuple[str, ...], cause_id: str | None) -> tuple[str, ...]:
    return announced if cause_id is None or cause_id in announced else (*announced, cause_id)


def _transition(
    kind: TransitionKind, incident: Incident, seen: Seen, now: datetime, *, before: Seen | None = None
) -> Transition:
    return Transition(
        id=uuid5(incident.id, f"{kind}:{seen.report_id}"),
        kind=kind,
        at=now,
        report_id=seen.report_id,
        incident=incident,
        before=before,
    )


def _cause_of(report: ProbeReport) -> Diagnosis | None:
    """The diagnosis that explains the verdict; one that weighs otherwise (an observation of ours) explains nothing."""
    if report.verdict not in (Verdict.DOWN, Verdict.DEGRADED):
        return None
    bad = [each for each in report.diagnoses if each.effect in (Effect.DOWN, Effect.DEGRADED)]
    return max(bad, key=lambda each: (each.effect is Effect.DOWN, each.confidence), default=None)
