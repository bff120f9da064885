"""What a worker does again and again, at its own pace, whatever becomes of the wall clock."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One thing that is done, and how often."""

    every_s: float
    name: str
    """As the log calls it."""
    work: Callable[[], Awaitable[Any]]
    jitter_s: float | None = None
    """Every run comes up to this much later, by chance."""
    begins_at_once: bool = False
    """Whether the first run comes without a pause."""

    @property
    def trigger(self) -> "_Pause":
        """From now on."""
        return _Pause(self)


class _Pause(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """The next run comes so long from now.

    APScheduler's own counts from the run before, one by one: after a jump of the wall clock by a year it would count
    tens of millions of runs that nobody missed, and hold up the event loop for minutes.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        if previous is None and self._job.begins_at_once:
            return now
        chance_s = random.uniform(0.0, self._job.jitter_s or 0.0)  # noqa: S311 - no secret
        return now + timedelta(seconds=self._job.every_s + chance_s)


class Timer:
    """Runs jobs between `start` and `stop`, none of them twice at once."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job) -> None:
        """Do this, too. The name is the job's own."""
        self._jobs[job.name] = job
        # No misfire grace: a tick that comes late is still the tick that claims what is due.
        self._scheduler.add_job(
            _steady(job), job.trigger, id=job.name, max_instances=1, coalesce=True, misfire_grace_time=None
        )

    def start(self) -> None:
        """Begin; the first run of a job comes after its pause, unless it says otherwise."""
        self._scheduler.start()

    def pause(self) -> None:
        """Begin nothing more."""
        self._scheduler.pause()

    def stop(self) -> None:
        """End at once."""
        self._scheduler.shutdown(wait=False)

    def begin_anew(self) -> None:
        """Count all pauses from now, after a jump of the wall clock: APScheduler keeps the moments of the next runs by
        it, so that after an hour back nothing would be done for an hour."""
        for name, job in self._jobs.items():
            self._scheduler.reschedule_job(name, trigger=job.trigger)


def _steady(job: Job) -> Callable[[], Awaitable[None]]:
    """The job with its failures logged once when they begin and once when they end, instead of at every tick."""
    failing = False

    async def run() -> None:
        nonlocal failing
        try:
            await job.work()
        except asyncio.CancelledError:
            return  # the worker stops; APScheduler would log a traceback
        except Exception as failure:  # whatever fails must not end the timetable; the log says what it was
            if not failing:
                log.error("%s failed and is tried again: %s", job.name, _brief(failure))  # noqa: TRY400 - a database that is away is no bug
            failing = True
        else:
            if failing:
                log.warning("%s works again", job.name)
            failing = False

    return run


def _brief(failure: Exception) -> str:
    """Kind and first line: a database driver's text goes on with the whole statement and its values."""
    lines = str(failure).splitlines()
    return f"{type(failure).__name__}: {lines[0][:200]}" if lines else type(failure).__name__
