"""Our own wall clock, held against one that cannot jump."""

import logging
from typing import Final

from prober.clock import Clock
from prober.vitals import Vitals

log = logging.getLogger(__name__)

JUMP_S: Final = 2.0
"""By less, clocks are set right all the time."""


class ClockWatch:
    """Notices that the wall clock was set. Timetables follow the database's clock and durations the monotonic one, so
    that a jump moves neither: what it spoils are stamps and signatures."""

    def __init__(self, clock: Clock, vitals: Vitals) -> None:
        self._clock = clock
        self._vitals = vitals
        self._apart_s = self._measure()

    def look(self) -> float:
        """By how many seconds the wall clock has jumped since the last look; 0 where it has not."""
        before, self._apart_s = self._apart_s, self._measure()
        jump = self._apart_s - before
        if abs(jump) <= JUMP_S:
            return 0.0
        self._vitals.add("clock_jumps")
        log.warning("the clock of this machine was set %s by %.1f s", "forward" if jump > 0 else "back", abs(jump))
        return jump

    def _measure(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()
