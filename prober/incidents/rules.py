"""What it takes to believe a change of an endpoint, and how much each kind of trouble weighs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from checks.model import Verdict


class Severity(StrEnum):
    """How much an incident weighs for whoever is told, as PagerDuty and others use the words."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def weight(self) -> int:
        """Greater is worse."""
        return _WEIGHTS[self]


_WEIGHTS: Final = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@dataclass(frozen=True, slots=True)
class Window:
    """`bad` of the last `of` verdicts; another way to say that it is enough. Raises ValueError for nonsense."""

    bad: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.bad <= self.of:
            raise ValueError(f"{self.bad} of {self.of} verdicts can never be bad")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When verdicts are enough to speak of an incident. Raises ValueError for counts below one."""

    fail_after: int = 3
    """Bad verdicts in a row that open an incident, confirm that it got worse, or confirm another cause."""
    recover_after: int = 2
    """Good verdicts in a row that close it."""
    window: Window | None = None
    """Opens an incident as well, whatever lies between the bad verdicts."""
    flaky: Window | None = Window(5, 20)
    """Bad first attempts among the last that make an endpoint flaky, although no row of them is long enough."""
    flap_changes: int = 4
    """So many openings and closings within an hour are flapping: one summary speaks for the last and what follows."""
    severities: Mapping[str, Severity] = field(default_factory=dict)
    """By the id of a diagnosis, over the usual: down is critical, degraded a warning."""

    def __post_init__(self) -> None:
        for name in ("fail_after", "recover_after", "flap_changes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")

    def severity_of(self, verdict: Verdict, cause_id: str | None) -> Severity:
        """What an incident weighs that shows this verdict and cause."""
        usual = Severity.CRITICAL if verdict is Verdict.DOWN else Severity.WARNING
        return usual if cause_id is None else self.severities.get(cause_id, usual)

    def of_endpoint(self, *, fail_after: int | None, recover_after: int | None) -> "Rules":
        """The same with what an endpoint decides for itself."""
        if fail_after is None and recover_after is None:
            return self
        return replace(
            self, fail_after=fail_after or self.fail_after, recover_after=recover_after or self.recover_after
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """When somebody is told, beside the rules by which incidents open and close."""

    mass_after: int | None = 5
    """So many endpoints of a group that begin to fail together are one outage, and one notice. None: each is told."""
    group_by: tuple[str, ...] = ()
    """Labels whose values make the groups; none: all endpoints are one group."""
    confirm_after_s: float | None = None
    """A bad probe is repeated once after so many seconds, which decides about telling alone. None: never."""
    deploy_mute_s: float = 600.0
    """For how long nobody is told after a deploy that somebody marked."""

    def are_one_outage(self, failing: int) -> bool:
        """Whether so many endpoints of a group that fail together are told in one notice."""
        return self.mass_after is not None and failing >= self.mass_after
