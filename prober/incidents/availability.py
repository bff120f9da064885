"""What counts as time in which an endpoint could be used."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """How many slots had which verdict, by their first attempts: a repetition makes nothing better."""

    up: int = 0
    degraded: int = 0
    down: int = 0
    unknown: int = 0
    """The prober could not observe: they count for nothing."""

    @property
    def observed(self) -> int:
        return self.up + self.degraded + self.down

    @property
    def uptime(self) -> float | None:
        """The share of observed slots in which the endpoint could be used; None where none was observed."""
        return (self.up + self.degraded) / self.observed if self.observed else None
