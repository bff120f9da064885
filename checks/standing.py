"""What only a full probe can see, between two full probes.

A full probe is rare. Without a memory, the standard probe a minute after it would call an endpoint up that it found
ailing. So what it alone finds is asked for once more at the next slot; what is found again stands, and every report
carries it, until a full probe looks for it and finds it no more.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from checks.full_profile import unobserved
from checks.judgement import diagnose, verdict_of
from checks.model import CheckResult, Diagnosis, Effect, Evidence, Outcome, ProbeReport, Profile, Proof, Verdict
from checks.text import clean
from checks.unit import Check, Detector

STANDING_KEPT: Final = 16
"""Diagnoses that may stand at once; each detector has one at most."""

_EVIDENCE_KEPT: Final = 4


class FullDue(StrEnum):
    """When an endpoint is next due for a full probe."""

    NEXT_SLOT = "next-slot"
    """Something that was found once waits to be confirmed."""
    NEXT_TURN = "next-turn"
    """Something stands, and is to vanish soon after it was mended; or it could not be confirmed at once."""
    IN_TIME = "in-time"
    """As the endpoint's owner says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A diagnosis that needs the results of the full profile's own checks."""

    diagnosis: Diagnosis
    checks: tuple[str, ...]
    """Ids of those that it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A diagnosis that two full probes in a row made, as the later one made it."""

    diagnosis: Diagnosis
    checks: tuple[str, ...]
    seen_at: datetime
    """The slot of the full probe that saw it last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FullFindings:
    """What is remembered of an endpoint's full probes."""

    suspected: tuple[str, ...] = ()
    """Ids of diagnoses that one full probe made so far."""
    postponed: bool = False
    """The probe that should have confirmed them could not look."""
    standing: tuple[Standing, ...] = ()

    @property
    def due(self) -> FullDue:
        if self.suspected and not self.postponed:
            return FullDue.NEXT_SLOT
        weighs = any(each.diagnosis.effect is not Effect.INFORMATION for each in self.standing)
        return FullDue.NEXT_TURN if self.suspected or weighs else FullDue.IN_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A report with all that stands, and what is to be remembered after it."""

    report: ProbeReport
    findings: FullFindings
    is_full: bool
    """Whether a full probe was done: one that could not look does not count."""


def tell(
    report: ProbeReport,
    evidence: Evidence,
    findings: FullFindings,
    checks: Sequence[Check],
    detectors: Sequence[Detector],
) -> Told:
    """What to save of a probe, given what is remembered. `evidence` is what the report was judged by."""
    after, is_full = findings, False
    if report.profile is Profile.FULL:
        own = own_checks(checks)
        unanswered = {result.check for result in report.results if result.check in own and _unanswered(result)}
        is_full = report.opening.established and report.verdict is not Verdict.UNKNOWN and unanswered < own
        if is_full:
            after = _after(findings, found_by(evidence, own, detectors), unanswered, report.slot)
        else:
            after = replace(findings, postponed=bool(findings.suspected))
    return Told(report=_carrying(report, after.standing), findings=after, is_full=is_full)


def own_checks(checks: Iterable[Check]) -> frozenset[str]:
    """Ids of the checks that only the full profile has."""
    return frozenset(check.id for check in checks if check.profiles == {Profile.FULL})


def found_by(evidence: Evidence, own: Collection[str], detectors: Sequence[Detector]) -> tuple[Found, ...]:
    """The diagnoses that vanish with the results of the checks in `own`, each with those that it rests on."""
    without = _ids(_with_only(evidence, own, ()), detectors)
    rare = [each for each in diagnose(evidence, detectors)[0] if each.id not in without]
    if not rare:
        return ()
    alone = {check: _ids(_with_only(evidence, own, (check,)), detectors) for check in sorted(own)}
    return tuple(
        Found(diagnosis=each, checks=tuple(check for check in alone if each.id in alone[check]) or tuple(alone))
        for each in rare
    )


def _after(before: FullFindings, found: Sequence[Found], unanswered: Collection[str], slot: datetime) -> FullFindings:
    """What is remembered after a full probe that made `found`, and whose checks `unanswered` got no answers."""
    stood = {each.diagnosis.id: each for each in before.standing}
    confirmed = [each for each in found if each.diagnosis.id in stood or each.diagnosis.id in before.suspected]
    standing = [Standing(diagnosis=_bounded(each.diagnosis), checks=each.checks, seen_at=slot) for each in confirmed]
    seen = {each.diagnosis.id for each in found}
    not_looked_for = [
        each for name, each in stood.items() if name not in seen and not set(each.checks).isdisjoint(unanswered)
    ]
    return FullFindings(
        suspected=tuple(each.diagnosis.id for each in found if each not in confirmed),
        standing=tuple([*standing, *not_looked_for][:STANDING_KEPT]),
    )


def _carrying(report: ProbeReport, standing: Sequence[Standing]) -> ProbeReport:
    """The report with the diagnoses that it could not make itself.

    Where nothing was observed, or nobody gets in, what was seen before says nothing about now.
    """
    if report.verdict is Verdict.UNKNOWN or not report.opening.established:
        return report
    made = {each.id for each in report.diagnoses}
    carried = [_carried(each) for each in standing if each.diagnosis.id not in made]
    if not carried:
        return report
    diagnoses = (*report.diagnoses, *carried)
    return replace(report, diagnoses=diagnoses, verdict=verdict_of(report.results, diagnoses))


def _carried(standing: Standing) -> Diagnosis:
    seen = f"seen at {standing.seen_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC by the last full probe that looked for it"
    diagnosis = standing.diagnosis
    return replace(diagnosis, evidence=(Proof(text=seen), *diagnosis.evidence), seen_at=standing.seen_at)


def _bounded(diagnosis: Diagnosis) -> Diagnosis:
    """The diagnosis as it is kept: its proofs name exchanges that other reports do not have."""
    return replace(
        diagnosis,
        summary=clean(diagnosis.summary, 1000),
        evidence=tuple(Proof(text=clean(proof.text, 500)) for proof in diagnosis.evidence[:_EVIDENCE_KEPT]),
        fix=clean(diagnosis.fix, 4000, keep_lines=True),
        reproduce=diagnosis.reproduce if len(diagnosis.reproduce) <= 4000 else "",  # half a command helps nobody
        alternatives=tuple(clean(each, 500) for each in diagnosis.alternatives[:_EVIDENCE_KEPT]),
    )


def _unanswered(result: CheckResult) -> bool:
    """Whether the check wanted to ask and could not, rather than found nothing to ask or nothing wrong."""
    unseen = any(unobserved(exchange) is not None for exchange in result.exchanges)
    return result.outcome is Outcome.ERROR or (result.outcome is Outcome.SKIP and unseen)


def _with_only(evidence: Evidence, own: Collection[str], kept: Collection[str]) -> Evidence:
    results = tuple(each for each in evidence.results if each.check not in own or each.check in kept)
    return replace(evidence, results=results)


def _ids(evidence: Evidence, detectors: Sequence[Detector]) -> frozenset[str]:
    return frozenset(diagnosis.id for diagnosis in diagnose(evidence, detectors)[0])
