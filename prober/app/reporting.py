"""How this worker does: looked at every few seconds, written to the database, and told where it cannot do its work."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.observing import LAG, held_up_for
from prober.clock import Clock
from prober.incidents import impairment
from prober.incidents.impairment import TOLD_AFTER, Impairments, Trouble
from prober.incidents.notice import Notice, NoticeKind, Route
from prober.incidents.wording import impairment_notice
from prober.net.client import VERSION
from prober.notifiers.delivery import Channel, attempt
from prober.probing.loop_lag import LoopLag
from prober.probing.observer import WRONG_CLOCK_S, Vantage
from prober.settings import Settings
from prober.storage import migrations, workers
from prober.storage.in_force import InForce
from prober.vitals import Vitals

log = logging.getLogger(__name__)

EVERY_S: Final = 10.0
WITHIN_S: Final = 5.0
"""A database that takes longer is away."""
SEND_WITHIN_S: Final = 12.0

AWAY: Final = "database-away"
WRONG_CLOCK: Final = "clock"
OTHER_RELEASE: Final = "migrations"
WITHOUT_REPORTS: Final = "database"
"""The trouble of a database that takes no reports (see `prober.probing.recorder`)."""


@dataclass(frozen=True, slots=True)
class _Straight:
    """A notice that went to a channel past the outbox."""

    row: UUID
    """Of the outbox, where it is to be written later."""
    trouble: UUID


class Reporting:
    """Turns the vitals of this process into troubles, and these into rows and notices.

    While there is no database for longer than a trouble waits to be told, channels are told without one; the notice
    gets its row later, marked as sent, so that nobody hears of it twice.
    """

    def __init__(
        self,
        *,
        db: AsyncEngine,
        settings: Callable[[], Settings],
        channels: Callable[[], Sequence[Channel]],
        vantage: Vantage,
        lag: LoopLag,
        vitals: Vitals,
        clock: Clock,
        worker: str,
    ) -> None:
        """`settings` and `channels` give those that count at the moment."""
        self._db = db
        self._settings = settings
        self._channels = channels
        self._vantage = vantage
        self._lag = lag
        self._vitals = vitals
        self._clock = clock
        self._worker = worker
        self._started_at = clock.now()
        self._head: str | None = None
        self._looked_at = clock.monotonic()
        self._impairments = Impairments(worker=worker)
        self._straight: set[_Straight] = set()

    async def look(self) -> None:
        """Look how this worker does, and tell. Never raises for a database that is away: that is a trouble itself."""
        self._look_at_the_loop()
        if self._head is None:
            self._head = await asyncio.to_thread(migrations.head)
        await self._vantage.look_again()
        try:
            async with asyncio.timeout(WITHIN_S), self._db.begin() as connection:
                await self._greet(connection)
                self._step()
                saved = await self._save(connection)
        except (SQLAlchemyError, OSError) as away:
            self._vitals.trouble(AWAY, f"The database cannot be reached ({type(away).__name__}).")
            self._step()
            await self._tell_straight()
        else:
            self._impairments = impairment.settled(self._impairments, saved)
            over = {trouble.id for trouble, kind in saved if kind is NoticeKind.RESTORED}
            self._straight = {each for each in self._straight if each.trouble not in over}

    def _look_at_the_loop(self) -> None:
        since, self._looked_at = self._looked_at, self._clock.monotonic()
        lag_ms = self._lag.worst_ms(since)
        is_late = lag_ms > self._settings().observer.lag_ms
        self._vitals.trouble(LAG, f"Answers cannot be timed: {held_up_for(lag_ms)}." if is_late else None)

    def _step(self) -> None:
        reasons = dict(self._vitals.troubles)
        if WITHOUT_REPORTS in reasons:
            reasons.pop(AWAY, None)  # the same trouble, told once
        self._impairments = impairment.step(self._impairments, reasons, self._clock.now())

    async def _greet(self, connection: AsyncConnection) -> None:
        settings = self._settings()
        greeting = workers.Greeting(
            name=self._worker,
            location=settings.location,
            version=VERSION,
            started_at=self._started_at,
            vitals=_written(self._vitals),
            in_force=InForce(lag_ms=settings.observer.lag_ms, deploy_mute_s=settings.alerting.deploy_mute_s),
        )
        greeted = await workers.greet(connection, greeting)
        now = self._clock.monotonic()
        self._vitals.happened("database", now)
        if greeted.is_idle:
            self._vitals.happened("idle", now)
        self._vitals.trouble(AWAY, None)
        text = f"The database has the tables of another release: {greeted.revision}, and not {self._head}."
        self._vitals.trouble(OTHER_RELEASE, text if greeted.revision != self._head else None)
        apart_s = (self._clock.now() - greeted.now).total_seconds()
        self._vantage.set_clock_apart(apart_s)
        text = f"The clocks of this machine and of the database are {abs(apart_s):.0f} s apart."
        self._vitals.trouble(WRONG_CLOCK, text if abs(apart_s) > WRONG_CLOCK_S else None)

    async def _save(self, connection: AsyncConnection) -> tuple[tuple[Trouble, NoticeKind], ...]:
        now = self._clock.now()
        due = impairment.to_save(self._impairments, now)
        for trouble, kind in due:
            told = [each.row for each in self._straight if each.trouble == trouble.id]
            await workers.impaired(connection, trouble, self._notices(trouble, kind, now), told=told)
        for trouble in await workers.orphaned(connection):
            identity = _notice_id(trouble, NoticeKind.RESTORED)
            notice = impairment_notice(identity, trouble, NoticeKind.RESTORED, now, is_gone=True)
            heard = await workers.told_of(connection, trouble.id)
            await workers.impaired(connection, trouble, [(channel, notice) for channel in sorted(heard)])
        return due

    def _notices(self, trouble: Trouble, kind: NoticeKind, now: datetime) -> list[tuple[str, Notice]]:
        """What each channel is told. Where it went out past the outbox, its row is written all the same."""
        kinds = [kind]
        if kind is NoticeKind.RESTORED and any(each.trouble == trouble.id for each in self._straight):
            kinds.insert(0, NoticeKind.IMPAIRED)
        return [(route.channel, _worded(trouble, each, now)) for each in kinds for route in _routes(self._settings())]

    async def _tell_straight(self) -> None:
        now = self._clock.now()
        routed = {route.channel for route in _routes(self._settings())}
        done = {each.row for each in self._straight}
        waiting = [
            (channel, trouble)
            for trouble in self._impairments.current
            if not trouble.saved and now - trouble.since >= TOLD_AFTER
            for channel in self._channels()
            if channel.name in routed and _row(trouble, channel.name) not in done
        ]
        sent = await asyncio.gather(*(self._send(channel, trouble, now) for channel, trouble in waiting))
        for (channel, trouble), went in zip(waiting, sent, strict=True):
            if went:
                self._straight.add(_Straight(_row(trouble, channel.name), trouble.id))

    async def _send(self, channel: Channel, trouble: Trouble, now: datetime) -> bool:
        failure = await attempt(channel, _worded(trouble, NoticeKind.IMPAIRED, now), timeout_s=SEND_WITHIN_S)
        if failure is not None:
            log.warning("channel %s could not be told that the prober is impaired: %s", channel.name, failure)
        return failure is None


def _routes(settings: Settings) -> list[Route]:
    """Who hears of troubles of the prober: not those to whom only what nobody acknowledges is escalated."""
    routes = (replace(each.route, channel=each.name) for each in settings.notifiers)
    return [route for route in routes if route.impairments and route.after_s is None]


def _worded(trouble: Trouble, kind: NoticeKind, now: datetime) -> Notice:
    return impairment_notice(_notice_id(trouble, kind), trouble, kind, now)


def _notice_id(trouble: Trouble, kind: NoticeKind) -> UUID:
    return uuid5(trouble.id, kind)


def _row(trouble: Trouble, channel: str) -> UUID:
    """As `prober.storage.outbox.put` derives it."""
    return uuid5(_notice_id(trouble, NoticeKind.IMPAIRED), channel)


def _written(vitals: Vitals) -> dict[str, Any]:
    counters: Mapping[tuple[str, str], int] = vitals.counters
    return {
        "gauges": dict(vitals.gauges),
        "counters": {f"{name} {label}".rstrip(): count for (name, label), count in counters.items()},
        "troubles": dict(vitals.troubles),
    }
