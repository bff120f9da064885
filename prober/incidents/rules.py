"""When bad and good verdicts are enough to speak of an incident."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """How many verdicts in a row it takes to believe a change. Raises ValueError for less than one."""

    fail_after: int = 3
    """Bad verdicts in a row that open an incident, confirm that it got worse, or confirm another cause."""
    recover_after: int = 2
    """Good verdicts in a row that close it."""

    def __post_init__(self) -> None:
        for name in ("fail_after", "recover_after"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
