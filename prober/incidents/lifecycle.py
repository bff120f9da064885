"""The state machine of one endpoint: verdicts go in one by one, and transitions worth telling somebody come out.

One principle holds throughout: nothing is told before enough verdicts confirm it (`Rules`), and nothing is told twice.
So an incident worsens at most once while it does not flap, and each cause is announced at most once per incident.

An endpoint that fails now and then is flaky: an incident of its own kind, which lasts until its first attempts succeed
again. One whose incidents open and close all the time flaps: one incident then stays open until the endpoint has stayed
up, or down, for long enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

from pydantic import TypeAdapter

from checks.model import Diagnosis, Effect, Outcome, ProbeReport, Verdict
from checks.text import clean, storable
from prober.incidents.rules import Rules, Severity, Window

FLAKY: Final = "flaky"
"""The cause of an incident whose probes fail now and then, at the first attempt, without a row that is long enough."""

FLAP_WITHIN: Final = timedelta(hours=1)
"""Openings and closings count towards flapping for so long."""
CALM: Final = timedelta(minutes=30)
"""An endpoint that stays up, or down, for so long flaps no more."""

GAP_INTERVALS: Final = 5
"""Verdicts that are further apart than so many intervals make no row: nobody knows what was between them."""

_NAMESPACE: Final = UUID("6f6a3a52-9f0e-5b8e-9d0b-2d1f4f7d8c11")
"""Ids are derived from the report that caused them, so that a step computed twice names the same things."""

_EVIDENCE_KEPT: Final = 5
_LETTERS: Final = {Verdict.UP: "u", Verdict.DEGRADED: "g", Verdict.DOWN: "d"}


class TransitionKind(StrEnum):
    """What happened to an incident."""

    OPENED = "opened"
    WORSENED = "worsened"
    CAUSE_CHANGED = "cause-changed"
    FLAPPING = "flapping"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one probe says about its endpoint, as far as incidents care."""

    verdict: Verdict
    """What decides about telling: of the repetition, where a bad probe was repeated."""
    first: Verdict | None = None
    """Of the first attempt, by which an endpoint is flaky. None: there was no other."""
    cause_id: str | None
    """Id of the diagnosis that weighs most; None when the endpoint is well or nothing explains its state."""
    cause_summary: str
    fix: str
    evidence: tuple[str, ...] = ()
    report_id: UUID
    at: datetime
    until: datetime | None = None
    """The last slot of a run that it stands for; None where it is about one slot."""
    interval_s: float | None = None
    """How often the endpoint is probed; None where nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The time between the first bad probe and the first good one, once enough probes confirm it."""

    id: UUID
    verdict: Verdict
    """`down` once enough verdicts were down, `degraded` before; it never falls back."""
    severity: Severity
    since: datetime
    """Of the first bad probe."""
    opened_at: datetime
    """When it was confirmed."""
    shown: Seen
    """The probe whose cause the incident bears: the one that opened it, or that confirmed worse or another cause."""
    before: Seen | None = None
    """What it bore before the newest change."""
    announced: tuple[str, ...] = ()
    """Causes that were news once."""
    news: tuple[TransitionKind, ...] = (TransitionKind.OPENED,)
    """What there has been to tell of it so far, oldest first."""
    flaky: bool = False
    """Whether it is only known to fail now and then."""
    flapping_since: datetime | None = None
    """Of the first of the openings and closings that are too many; None where it does not flap."""
    flaps: int = 0
    """How many they were."""
    restless_at: datetime | None = None
    """While it flaps: of the newest probe that failed, be it at its first attempt alone."""
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
    until: datetime | None = None
    """Of the newest."""

    def is_broken_off(self, seen: Seen) -> bool:
        """Whether too much time has passed since then for `seen` to continue the row."""
        if self.until is None or seen.interval_s is None:
            return False
        return (seen.at - self.until).total_seconds() > GAP_INTERVALS * seen.interval_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The newest verdicts, good and bad, a letter each; none older than the last incident."""

    letters: str = ""
    since: datetime | None = None
    """Of the first bad one since none of them was bad."""

    def grown(self, verdict: Verdict, at: datetime, window: Window | None) -> "Marks":
        """With one more, and only as many as the window needs."""
        if window is None:
            return Marks()
        letters = (self.letters + _LETTERS[verdict])[-window.of :]
        clear = letters == "u" * len(letters)
        return Marks(letters=letters, since=None if clear else self.since or at)

    @property
    def bad(self) -> int:
        return len(self.letters) - self.letters.count("u")

    @property
    def down(self) -> int:
        return self.letters.count("d")


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentState:
    """Everything `step` remembers of an endpoint between two probes."""

    streak: Streak | None = None
    incident: Incident | None = None
    verdicts: Marks = Marks()
    """For `Rules.window`."""
    firsts: Marks = Marks()
    """First attempts, for `Rules.flaky`."""
    changes: tuple[datetime, ...] = ()
    """The openings and closings of the last hour."""

    @property
    def is_recovering(self) -> bool:
        """Whether the newest verdict was good, and more are needed to end the incident. One that is flaky or flaps is
        known by its good verdicts, too."""
        incident = self.incident
        is_known_by_rows = incident is not None and not incident.flaky and incident.flapping_since is None
        return is_known_by_rows and self.streak is not None and not self.streak.bad

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


def seen_of(report: ProbeReport, report_id: UUID, *, confirmed: Verdict | None = None) -> Seen:
    """A report reduced to what incidents care about, its texts cleaned and bounded. `confirmed` is the verdict of the
    repetition of a bad probe."""
    cause = _cause_of(report)
    failed = next((result for result in report.results if result.outcome is Outcome.FAIL), None)
    summary = cause.summary if cause else failed.summary if failed else ""
    return Seen(
        verdict=confirmed or report.verdict,
        first=report.verdict,
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
    bad nor of good verdicts. Nor does a report that was the last one already. After a gap all rows begin anew, and an
    open incident stays open.
    """
    if seen.verdict is Verdict.UNKNOWN or (state.streak and state.streak.last_report == seen.report_id):
        return state, ()
    if state.streak and state.streak.is_broken_off(seen):
        state = replace(state, streak=None) if state.incident else IncidentState(changes=state.changes)
    first = seen.verdict if seen.first in (None, Verdict.UNKNOWN) else seen.first
    grown = replace(
        state,
        streak=_grown(state.streak, seen),
        verdicts=state.verdicts.grown(seen.verdict, seen.at, rules.window),
        firsts=state.firsts.grown(first or seen.verdict, seen.at, rules.flaky),
        changes=tuple(each for each in state.changes if seen.at - each < FLAP_WITHIN),
    )
    after, kind = (_outside if grown.incident is None else _inside)(grown, seen, rules, now)
    if kind is None or after.incident is None:
        return after, ()
    transition = Transition(
        id=uuid5(after.incident.id, f"{kind}:{seen.report_id}"),
        kind=kind,
        at=now,
        report_id=seen.report_id,
        incident=after.incident,
    )
    if kind is TransitionKind.CLOSED:
        after = replace(after, incident=None, verdicts=Marks(), firsts=Marks())
    return after, (transition,)


_Stepped = tuple[IncidentState, TransitionKind | None]
"""The state with the incident as it is after a change, also where the change is its end; and the change."""


def _grown(streak: Streak | None, seen: Seen) -> Streak:
    bad = seen.verdict is not Verdict.UP
    is_down = seen.verdict is Verdict.DOWN
    if streak is None or streak.bad is not bad:
        return Streak(
            bad=bad,
            since=seen.at,
            first_report=seen.report_id,
            last_report=seen.report_id,
            until=seen.until or seen.at,
            down=int(is_down),
            cause_id=seen.cause_id if bad else None,
        )
    cause_id = seen.cause_id if bad else None
    return replace(
        streak,
        last_report=seen.report_id,
        until=seen.until or seen.at,
        length=streak.length + 1,
        down=streak.down + 1 if is_down else 0,
        cause_id=cause_id,
        same_cause=streak.same_cause + 1 if streak.cause_id == cause_id else 1,
    )


def _streak(state: IncidentState) -> Streak:
    if state.streak is None:
        raise ValueError("no verdict has been counted yet")
    return state.streak


def _outside(state: IncidentState, seen: Seen, rules: Rules, now: datetime) -> _Stepped:
    """Whether an incident opens, by a row of bad verdicts, by the window, or because the endpoint is flaky."""
    streak, verdicts, firsts = _streak(state), state.verdicts, state.firsts
    if streak.bad and streak.length >= rules.fail_after:
        verdict = Verdict.DOWN if streak.down >= rules.fail_after else Verdict.DEGRADED
        return _opened(state, seen, rules, now, verdict=verdict, since=streak.since)
    if rules.window and streak.bad and verdicts.bad >= rules.window.bad:
        verdict = Verdict.DOWN if verdicts.down >= rules.window.bad else Verdict.DEGRADED
        return _opened(state, seen, rules, now, verdict=verdict, since=verdicts.since or seen.at)
    if rules.flaky and firsts.bad >= rules.flaky.bad:
        shown = _flaky(seen, firsts)
        return _opened(state, shown, rules, now, verdict=Verdict.DEGRADED, since=firsts.since or seen.at)
    return state, None


def _opened(
    state: IncidentState, seen: Seen, rules: Rules, now: datetime, *, verdict: Verdict, since: datetime
) -> _Stepped:
    incident = Incident(
        id=uuid5(_NAMESPACE, str(seen.report_id)),
        verdict=verdict,
        severity=rules.severity_of(verdict, seen.cause_id),
        since=since,
        opened_at=now,
        shown=seen,
        announced=_with((), seen.cause_id),
        flaky=seen.cause_id == FLAKY,
    )
    changes = (*state.changes, seen.at)
    if len(changes) >= rules.flap_changes:
        return _flapping(state, incident, changes, seen, news=())
    return replace(state, incident=incident, changes=changes), TransitionKind.OPENED


def _flapping(
    state: IncidentState,
    incident: Incident,
    changes: tuple[datetime, ...],
    seen: Seen,
    *,
    news: tuple[TransitionKind, ...],
) -> _Stepped:
    after = replace(
        incident,
        news=(*news, TransitionKind.FLAPPING),
        flapping_since=changes[0],
        flaps=len(changes),
        restless_at=seen.at,
        flaky=False,
    )
    return replace(state, incident=after, changes=()), TransitionKind.FLAPPING


def _flaky(seen: Seen, firsts: Marks) -> Seen:
    evidence = f"The newest of them: {seen.cause_summary}" if seen.cause_summary else ""
    return replace(
        seen,
        cause_id=FLAKY,
        cause_summary=f"{firsts.bad} of the last {len(firsts.letters)} probes failed at the first attempt",
        evidence=(evidence,) if evidence else (),
        fix="Read the evidence of the probes that failed: faults that come and go are often a limit (concurrency, "
        "connections, memory), one bad instance among several, or a dependency that does not always answer in time.",
    )


def _inside(state: IncidentState, seen: Seen, rules: Rules, now: datetime) -> _Stepped:
    """Whether the open incident ends, gets worse or has another cause."""
    del now
    incident, streak = state.incident, _streak(state)
    assert incident is not None
    if incident.flapping_since is not None:
        return _inside_flapping(state, incident, seen, rules)
    if not streak.bad:
        return _recovering(state, incident, seen, rules)
    if incident.verdict is Verdict.DEGRADED and streak.down >= rules.fail_after:
        after = _bearing(replace(incident, verdict=Verdict.DOWN), seen, rules, TransitionKind.WORSENED)
        return replace(state, incident=after), TransitionKind.WORSENED
    if not _is_another_cause(incident, streak, seen, rules):
        return state, None
    is_news = seen.cause_id not in incident.announced
    kind = TransitionKind.CAUSE_CHANGED if is_news else None
    return replace(state, incident=_bearing(incident, seen, rules, kind)), kind


def _recovering(state: IncidentState, incident: Incident, seen: Seen, rules: Rules) -> _Stepped:
    streak = _streak(state)
    still_flaky = incident.flaky and rules.flaky is not None and state.firsts.bad > rules.flaky.bad // 2
    if streak.length < rules.recover_after or still_flaky:
        return state, None
    changes = (*state.changes, seen.at)
    if len(changes) >= rules.flap_changes:
        return _flapping(state, incident, changes, seen, news=incident.news)
    ended = replace(incident, ended_at=seen.at if incident.flaky else streak.since)
    return replace(state, incident=ended, changes=changes), TransitionKind.CLOSED


def _inside_flapping(state: IncidentState, incident: Incident, seen: Seen, rules: Rules) -> _Stepped:
    """It ends, or stays down, once nothing has changed for long enough; meanwhile nothing is news."""
    streak = _streak(state)
    if not streak.bad:
        if seen.first not in (None, Verdict.UP, Verdict.UNKNOWN):
            return replace(state, incident=replace(incident, restless_at=seen.at)), None
        quiet_since = max(streak.since, incident.restless_at or streak.since)
        if seen.at - quiet_since < CALM or streak.length < rules.recover_after:
            return state, None
        return replace(state, incident=replace(incident, ended_at=quiet_since), changes=()), TransitionKind.CLOSED
    incident = replace(incident, restless_at=seen.at)
    if streak.down >= rules.fail_after:
        incident = replace(incident, verdict=Verdict.DOWN)
    if seen.at - streak.since >= CALM and streak.length >= rules.fail_after:
        settled = replace(incident, flapping_since=None, flaps=0, restless_at=None)
        after = _bearing(settled, seen, rules, TransitionKind.WORSENED)
        return replace(state, incident=after, changes=()), TransitionKind.WORSENED
    confirmed = seen.cause_id is not None and streak.same_cause >= rules.fail_after
    after = _bearing(incident, seen, rules, None) if confirmed else incident
    severity = _worse(after.severity, rules.severity_of(after.verdict, after.shown.cause_id))
    return replace(state, incident=replace(after, severity=severity)), None


def _is_another_cause(incident: Incident, streak: Streak, seen: Seen, rules: Rules) -> bool:
    confirmed = seen.cause_id is not None and streak.same_cause >= rules.fail_after
    return confirmed and seen.cause_id != incident.shown.cause_id


def _bearing(incident: Incident, seen: Seen, rules: Rules, kind: TransitionKind | None) -> Incident:
    return replace(
        incident,
        shown=seen,
        before=incident.shown,
        severity=_worse(incident.severity, rules.severity_of(incident.verdict, seen.cause_id)),
        announced=_with(incident.announced, seen.cause_id),
        news=incident.news if kind is None else (*incident.news, kind),
        flaky=False,
    )


def _worse(one: Severity, other: Severity) -> Severity:
    return max(one, other, key=lambda each: each.weight)


def _with(announced: tuple[str, ...], cause_id: str | None) -> tuple[str, ...]:
    return announced if cause_id is None or cause_id in announced else (*announced, cause_id)


def _cause_of(report: ProbeReport) -> Diagnosis | None:
    """The diagnosis that explains the verdict; one that weighs otherwise (an observation of ours) explains nothing."""
    if report.verdict not in (Verdict.DOWN, Verdict.DEGRADED):
        return None
    bad = [each for each in report.diagnoses if each.effect in (Effect.DOWN, Effect.DEGRADED)]
    return max(bad, key=lambda each: (each.effect is Effect.DOWN, each.confidence), default=None)
