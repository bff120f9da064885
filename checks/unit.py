"""How a check and a detector are declared: an id, and a function whose docstring is the public description."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from checks.model import CheckResult, Diagnosis, Effect, Endpoint, Evidence, Profile, Proof, nothing
from checks.spec import Chapter
from checks.wire import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCaps:
    """How much of one list a check reads."""

    pages: int = 50
    items: int = 5000
    bytes: int = 1024 * 1024
    """Of all its pages together."""


T = TypeVar("T")


class Apart(Protocol):
    """Does work that may take long where it holds up nobody else."""

    async def __call__(self, size: int, work: Callable[[], T]) -> T:
        """What `work` returns. `size` is how many bytes of answers it looks at: little is done at once."""
        ...


async def at_once(size: int, work: Callable[[], T]) -> T:
    """Does it here and now, however much it is."""
    return work()


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a check is given: the endpoint, the wire, and the results of the checks before it."""

    endpoint: Endpoint
    wire: Wire
    results: tuple[CheckResult, ...] = ()
    caps: ListCaps = ListCaps()
    apart: Apart = at_once

    def result(self, check: str) -> CheckResult | None:
        return next((result for result in self.results if result.check == check), None)


@dataclass(frozen=True, slots=True)
class Check:
    """Asks one question over the wire."""

    id: str
    question: str
    profiles: frozenset[Profile]
    run: Callable[[CheckContext], Awaitable[CheckResult]]
    chapters: tuple[Chapter, ...] = ()
    """Where the specification says what it asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What a detector found. The detector's declaration adds the id and the usual effect."""

    confidence: float
    summary: str
    evidence: tuple[Proof, ...]
    fix: str
    reproduce: str = ""
    alternatives: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=nothing)
    effect: Effect | None = None
    """Set where this finding weighs other than the diagnosis usually does."""


@dataclass(frozen=True, slots=True)
class Detector:
    """Names one cause from evidence, without any input or output of its own."""

    id: str
    fault: str
    effect: Effect
    fallback: bool
    """Asked only when no other detector explains why the endpoint is not up."""
    find: Callable[[Evidence], Cause | None]
    timed: bool = False
    """It rests on our own clock, so that a delay of ours can make it: not asked where the prober was held up."""

    def diagnose(self, evidence: Evidence) -> Diagnosis | None:
        cause = self.find(evidence)
        if cause is None:
            return None
        return Diagnosis(
            id=self.id,
            effect=cause.effect or self.effect,
            confidence=cause.confidence,
            summary=cause.summary,
            evidence=cause.evidence,
            fix=cause.fix,
            reproduce=cause.reproduce,
            alternatives=cause.alternatives,
            facts=cause.facts,
        )


def check(
    check_id: str, *chapters: Chapter, profiles: frozenset[Profile] = frozenset(Profile)
) -> Callable[[Callable[[CheckContext], Awaitable[CheckResult]]], Check]:
    """Declare a check. The first line of the docstring is the question that it asks."""

    def declare(run: Callable[[CheckContext], Awaitable[CheckResult]]) -> Check:
        return Check(id=check_id, question=_first_line(run.__doc__), profiles=profiles, run=run, chapters=chapters)

    return declare


def detector(
    diagnosis_id: str, *, effect: Effect, fallback: bool = False, timed: bool = False
) -> Callable[[Callable[[Evidence], Cause | None]], Detector]:
    """Declare a detector. The first line of the docstring is the fault in plain words."""

    def declare(find: Callable[[Evidence], Cause | None]) -> Detector:
        fault = _first_line(find.__doc__)
        return Detector(id=diagnosis_id, fault=fault, effect=effect, fallback=fallback, find=find, timed=timed)

    return declare


def _first_line(docstring: str | None) -> str:
    if not docstring or not docstring.strip():
        raise ValueError("a unit needs a docstring: its first line is shown to users")
    return docstring.strip().splitlines()[0]
