"""What happens to incidents although nothing new is known of them: reminders, escalation, the end of what mutes."""

from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from prober.clock import Clock
from prober.incidents.policy import AlertPolicy
from prober.storage import incidents, outages

EVERY_S: Final = 1.0
RELEASE_EVERY_S: Final = 30.0
"""How often it is made sure that no incident waits for the end of an outage that is over."""
_AT_ONCE: Final = 100


class Attending:
    """Looks at incidents and outages when their time has come. Any number of workers share them."""

    def __init__(self, db: AsyncEngine, *, policy: Callable[[], AlertPolicy], clock: Clock) -> None:
        self._db = db
        self._policy = policy
        self._clock = clock
        self._released_at = clock.monotonic()

    async def attend(self) -> None:
        """Look at everything that is due. Raises what the database raises: what was not done is due again."""
        while await incidents.attend(self._db, self._policy(), self._clock.now(), limit=_AT_ONCE) == _AT_ONCE:
            pass
        await outages.attend(self._db, self._policy(), self._clock.now())
        if self._clock.monotonic() - self._released_at >= RELEASE_EVERY_S:
            await outages.release(self._db)
            self._released_at = self._clock.monotonic()
