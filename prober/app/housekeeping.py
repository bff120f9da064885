"""Keeps the database in order while a worker works: partitions, what is no longer kept, figures by the hour and day."""

import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from prober.clock import Clock
from prober.settings import Retention, Settings
from prober.storage import access_history, retention, rollups, set_back
from prober.storage.partitions import TablesLocked, ensure_partitions

log = logging.getLogger(__name__)

LOOKS_EVERY_S: Final = 5.0
"""How soon an edit of what is kept counts."""

KEEPS_EVERY_S: Final = 3600.0
ROLLS_UP_EVERY_S: Final = 300.0
UNLOCKED_AFTER_S: Final = 60.0
"""When tables that somebody holds are asked for again: a backup may hold them for an hour."""


class Housekeeping:
    """What any worker may do for all; where several do it at once, one waits or leaves it to the other."""

    def __init__(self, db: AsyncEngine, *, settings: Callable[[], Settings], clock: Clock) -> None:
        """`settings` gives those that count at the moment."""
        self._db = db
        self._settings = settings
        self._clock = clock
        self._kept: Retention | None = None
        self._keeps_at = 0.0
        self._rolls_up_at = 0.0

    async def begin(self) -> None:
        """Make the partitions that are needed at once; the others come with the first look, when probes have begun.

        Raises what the database raises.
        """
        try:
            await ensure_partitions(self._db, days_ahead=1)
        except TablesLocked as locked:
            log.warning("partitions are made later: %s", locked)

    async def keep(self) -> None:
        """Make partitions and drop what is too old: once an hour, and as soon as `retention` is another.

        Raises what the database raises.
        """
        kept, now = self._settings().retention, self._clock.monotonic()
        if kept == self._kept and now < self._keeps_at:
            return
        try:
            await ensure_partitions(self._db)
            expired = await retention.expire(self._db, kept)
            await access_history.forget(self._db, now=self._clock.now())
        except TablesLocked as locked:
            log.warning("partitions are made and dropped later: %s", locked)
            self._kept, self._keeps_at = kept, now + UNLOCKED_AFTER_S
            return
        self._kept, self._keeps_at = kept, now + KEEPS_EVERY_S
        if expired.partitions or expired.rows:
            rows = expired.rows
            log.info("no longer kept: %d partitions, and %d rows of other tables", len(expired.partitions), rows)

    async def follow_clock(self) -> None:
        """Let nothing wait for the former time after the clock of the database was set back.

        Raises what the database raises.
        """
        back = await set_back.realign(self._db)
        if back is not None:
            log.warning(
                "the clock of the database was set back by %.0f s: no notice, reminder or channel waits longer for it",
                back.total_seconds(),
            )

    async def roll_up(self) -> None:
        """Bring the figures up to date every five minutes, unless another worker does.

        Raises what the database raises.
        """
        now = self._clock.monotonic()
        if now < self._rolls_up_at:
            return
        settings = self._settings()
        await rollups.roll_up(
            self._db,
            lag_ms=settings.observer.lag_ms,
            # A day is made of its hours: where those go first, a late report would leave it with its own hour alone.
            reports_days=min(settings.retention.reports_days, settings.retention.hours_days),
            every_s=ROLLS_UP_EVERY_S * 0.9,
        )
        self._rolls_up_at = now + ROLLS_UP_EVERY_S
