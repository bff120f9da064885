"""Tells an outside watchdog that everything works, so that somebody notices when it no longer does."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from prober.clock import Clock
from prober.net.client import Net
from prober.secrets.references import SecretError, is_reference
from prober.settings import WatchdogSettings
from prober.vitals import Vitals

log = logging.getLogger(__name__)

CALL_WITHIN_S: Final = 10.0

_DELIVERY: Final = "outbox"
_WORK: Final = ("probe", "commit")
_IDLE: Final = "idle"
"""When the database said last that nothing is due to be probed that nobody probes."""


class FullCycle:
    """Whether the whole of the prober's work was seen to work: never a mere timer.

    A full cycle is a probe that ended, a report that was committed and an outbox without anything overdue. Where no
    probe was due, it is a database that says so.
    """

    def __init__(self, vitals: Vitals, clock: Clock) -> None:
        self._vitals = vitals
        self._clock = clock
        self._since = clock.monotonic()

    def turned(self) -> bool:
        """Whether a full cycle has worked since the last time that this was true."""
        if not self._has_happened(_DELIVERY):
            return False
        if not (all(map(self._has_happened, _WORK)) or self._was_idle()):
            return False
        self._since = self._clock.monotonic()
        return True

    def _was_idle(self) -> bool:
        return self._has_happened(_IDLE) and not self._has_happened("probe")

    def _has_happened(self, what: str) -> bool:
        at = self._vitals.last(what)
        return at is not None and at > self._since


class Watchdog:
    """Calls the address of the configuration while full cycles work."""

    def __init__(
        self,
        *,
        settings: Callable[[], WatchdogSettings],
        net: Callable[[], Net],
        secret: Callable[[str], Awaitable[str]],
        cycle: FullCycle,
        clock: Clock,
    ) -> None:
        """`secret` resolves a reference; raises `SecretError`."""
        self._settings = settings
        self._net = net
        self._secret = secret
        self._cycle = cycle
        self._clock = clock
        self._called_at: float | None = None
        self._failing = ""

    async def keep(self) -> None:
        """Call if it is time and everything has worked since the last call. Never raises for what the other side does;
        a failure is logged once."""
        settings = self._settings()
        now = self._clock.monotonic()
        is_early = self._called_at is not None and now - self._called_at < settings.every_s
        if settings.url is None or is_early or not self._cycle.turned():
            return
        self._called_at = now
        self._say(await self._call(settings.url))

    async def _call(self, url: str) -> str:
        """What was wrong; empty for nothing."""
        try:
            address = await self._secret(url) if is_reference(url) else url
        except SecretError as unavailable:
            return str(unavailable)
        outcome = await self._net().get(address.strip(), timeout_s=CALL_WITHIN_S)
        if outcome.error is not None:
            return f"{outcome.error.failure.value} ({outcome.error.reason})"
        return "" if outcome.status is not None and outcome.status < 300 else f"HTTP {outcome.status}"

    def _say(self, failure: str) -> None:
        if failure and not self._failing:
            log.error("the watchdog cannot be told that the prober works: %s", failure)
        elif self._failing and not failure:
            log.warning("the watchdog can be told again that the prober works")
        self._failing = failure
