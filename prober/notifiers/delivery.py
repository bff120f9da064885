"""Delivery: claims notices from the outbox under a lease, sends them, and marks what became of each.

What it promises, and what the tests hold it to by killing and stopping real senders:

- At least once. A notice is marked only after its channel took it; whoever dies in between leaves it to be sent again.
- Twice only after a crash, a pause beyond the lease, or an answer that was lost: one notice for each of these and each
  channel that was being sent to at that moment, and under the same id, by which a receiver can tell.
- In order. On one channel the notices of an endpoint go out as they were written; of one thread only the newest that
  still waits goes out, and stands for the others. So nobody hears "down" after "up", and an incident that ended before
  anybody could be told is one message.
- Nothing is given up but what a channel refuses for its content; that goes to the fallback channel. So does all that
  waits for a channel which somebody has to mend.
- A channel that asks for patience is left alone for that time by all workers. Any other is tried again so soon that
  what waits is delivered within a minute of its return. Channels do not wait for each other.
"""

import asyncio
import logging
import random
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

import psycopg
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.clock import Clock
from prober.incidents.notice import Notice
from prober.notifiers.contract import Notifier, NotifyError
from prober.storage import fallbacks, outbox
from prober.storage.database import listening
from prober.storage.outbox import OutboxRow, Outcome
from prober.vitals import Vitals

log = logging.getLogger(__name__)

PROMPT_S: Final = 60.0
"""The delivery works as long as nothing waits for longer."""

_AWAY: Final = (OperationalError, InterfaceError, InternalError, NoFreeConnection, OSError)
"""How a database fails that will be back. A standby that is read-only until it takes over says so by an internal error
(PostgreSQL, appendix A: 25006)."""
_LONGEST_PAUSE_S: Final = 3.0
"""Between two looks for a database that is away."""
_DOUBLINGS: Final = 16

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long things take. All are seconds."""

    send_timeout: float = 12.0
    lease: float = 6.0
    """For how long nobody else sends to a channel after its sender has died. A living one renews it."""
    first_delay: float = 2.0
    """After a failure; doubled after each that follows it directly."""
    longest_delay: float = 45.0
    """With a try that ran into its timeout just before the channel's return this is still less than a minute."""
    longest_asked_delay: float = 3600.0
    """A channel may ask for more patience than we would have had, within reason."""
    mend_every: float = 300.0
    """Between two tries of a channel that somebody has to mend."""
    poll: float = 1.0
    """Between two looks into the outbox, for what nobody announces."""
    tidy_every: float = 5.0

    def delay(self, failures: int, chance: float) -> float:
        """After so many failures in a row; up to a fifth less by chance, so that workers do not fall into step."""
        doubled = self.first_delay * 2.0 ** min(max(failures - 1, 0), _DOUBLINGS)
        return min(doubled, self.longest_delay) * (1.0 - 0.2 * chance)

    def asked_delay(self, asked_s: float | None) -> float | None:
        """For how long the channel asks to be left alone; None where it does not."""
        return min(asked_s, self.longest_asked_delay) if asked_s is not None and asked_s > 0 else None


@dataclass(slots=True)
class Channel:
    """One configured notifier."""

    name: str
    notifier: Notifier
    fallback: str | None = None
    said: str = ""
    """The failure that was logged last; empty while the channel takes notices."""


class Sender:
    """One worker's way of sending: what all of its channels share."""

    def __init__(
        self,
        db: AsyncEngine,
        *,
        worker: str,
        clock: Clock,
        vitals: Vitals,
        pace: Pace = Pace(),
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` gives numbers from 0 to 1."""
        self.db = db
        self.pace = pace
        self._worker = worker
        self._clock = clock
        self._vitals = vitals
        self._chance = chance

    async def turn(self, channel: Channel) -> bool:
        """Send the channel's next notice, if it has one and may be tried. False: there was nothing to do.

        Raises what the database raises before anything is sent; what was sent is marked, however long that takes.
        """
        if channel.fallback is not None:
            for other in await fallbacks.hand_over(self.db, channel.name):
                log.warning("what waits for channel %s goes out on %s instead", channel.name, other)
        loop = asyncio.get_running_loop()
        leased_until = loop.time() + self.pace.lease
        row = await outbox.claim(self.db, channel=channel.name, worker=self._worker, lease_s=self.pace.lease)
        if row is None:
            return False
        began = self._clock.monotonic()
        error = await self._attempt(channel, row, leased_until)
        took_ms = (self._clock.monotonic() - began) * 1000
        outcome = await self._mark(channel, row, error, took_ms)
        self._vitals.add("outbox_attempts", label=f"{channel.notifier.kind} {outcome}")
        return True

    async def tidy(self) -> None:
        """End what will never be sent, and note what waits."""
        backlog = await outbox.tidy(self.db)
        self._vitals.set("outbox_waiting", backlog.waiting)
        self._vitals.set("outbox_oldest", backlog.oldest_s)
        self._vitals.set("channels_broken", backlog.broken)
        if backlog.oldest_s < PROMPT_S:
            self._vitals.happened("outbox", self._clock.monotonic())

    async def _attempt(self, channel: Channel, row: OutboxRow, leased_until: float) -> NotifyError | None:
        """Send it, but not for a moment longer than the lease holds: a worker that was stopped meanwhile sends nothing
        that another has sent by then."""
        try:
            async with asyncio.timeout_at(leased_until) as lease, self._renewed(row, lease):
                return await attempt(channel, row.notice, timeout_s=self.pace.send_timeout)
        except TimeoutError:
            return NotifyError("the prober was held up while it waited for the answer", permanent=False)

    @asynccontextmanager
    async def _renewed(self, row: OutboxRow, lease: asyncio.Timeout) -> AsyncIterator[None]:
        async def renew() -> None:
            loop = asyncio.get_running_loop()
            while True:
                await asyncio.sleep(self.pace.lease / 3)
                leased_until = loop.time() + self.pace.lease
                with suppress(*_AWAY):
                    is_ours = await outbox.renew(self.db, row, lease_s=self.pace.lease)
                    lease.reschedule(leased_until if is_ours else loop.time())

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _mark(self, channel: Channel, row: OutboxRow, error: NotifyError | None, took_ms: float) -> Outcome:
        if error is None:
            await self._surely(channel, lambda: outbox.sent(self.db, row, took_ms=took_ms))
            if channel.said:
                log.warning("channel %s takes notices again", channel.name)
            channel.said = ""
            return Outcome.SENT
        if error.permanent:
            taker = await self._surely(channel, lambda: outbox.refused(self.db, row, error.reason, took_ms=took_ms))
            elsewhere = f"it goes out on {taker} instead" if taker else "no other channel takes its place"
            log.error(
                "channel %s refused notice %s for good, %s: %s", channel.name, row.notice.id, elsewhere, error.reason
            )
            return Outcome.REFUSED
        await self._put_off(channel, row, error, took_ms)
        return Outcome.BROKEN if error.needs_mending else Outcome.FAILED

    async def _put_off(self, channel: Channel, row: OutboxRow, error: NotifyError, took_ms: float) -> None:
        """The channel is what failed: it rests as a whole, and the notice that it failed with lets others go first."""
        chance = self._chance()
        asked = self.pace.asked_delay(error.retry_after_s)
        rest_s = asked or (self.pace.mend_every if error.needs_mending else self.pace.delay(row.failures + 1, chance))
        retry_in_s = asked or self.pace.delay(row.attempt, chance)
        _say(channel, error, rest_s)
        await self._surely(
            channel,
            lambda: outbox.put_off(
                self.db,
                row,
                error.reason,
                took_ms=took_ms,
                retry_in_s=retry_in_s,
                rest_s=rest_s,
                on_request=asked is not None,
                needs_mending=error.needs_mending,
            ),
        )

    async def _surely(self, channel: Channel, mark: Callable[[], Awaitable[_Result]]) -> _Result:
        """Try until the database takes it: a mark that is lost is a notice that goes out twice."""
        failures = 0
        while True:
            try:
                return await mark()
            except _AWAY as away:
                if not failures:
                    log.warning("what channel %s did waits for the database (%s)", channel.name, type(away).__name__)
                failures += 1
                await asyncio.sleep(min(0.1 * 2.0 ** min(failures, _DOUBLINGS), _LONGEST_PAUSE_S))


async def attempt(channel: Channel, notice: Notice, *, timeout_s: float) -> NotifyError | None:
    """Send one notice once: why the channel did not take it, or None. Whatever the channel does, nothing is raised."""
    try:
        async with asyncio.timeout(timeout_s):
            await channel.notifier.send(notice)
    except NotifyError as error:
        return error
    except TimeoutError:
        return NotifyError(f"no answer within {timeout_s:g} s", permanent=False)
    except Exception as bug:  # a channel is our own code: its bug must stop neither the others nor this notice
        place = "".join(traceback.format_tb(bug.__traceback__))
        log.error(  # noqa: TRY400 - the full traceback would hold the exception's text, which may quote a secret
            "channel %s failed with %s: please report this\n%s", channel.name, type(bug).__name__, place
        )
        return NotifyError(f"the prober itself failed ({type(bug).__name__}); see its log", permanent=False)
    return None


async def keep_delivering(sender: Sender, channels: Sequence[Channel], stop: asyncio.Event) -> None:
    """Deliver until `stop` is set, each channel in a loop of its own. A database that is away is waited for."""
    news = {channel.name: asyncio.Event() for channel in channels}
    helpers = [asyncio.create_task(each) for each in (_listen(sender.db, news), _keep_tidy(sender))]
    try:
        async with asyncio.TaskGroup() as loops:
            for channel in channels:
                loops.create_task(_keep_sending(sender, channel, news[channel.name], stop))
            await stop.wait()
            _wake_all(news)
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)


async def _keep_sending(sender: Sender, channel: Channel, news: asyncio.Event, stop: asyncio.Event) -> None:
    troubles = 0
    while not stop.is_set():
        news.clear()  # before the look: what is announced meanwhile is looked for again
        busy = False
        try:
            busy = await sender.turn(channel)
            troubles = 0
        except _AWAY as away:
            troubles += 1
            if troubles == 1:
                log.warning("notices of channel %s wait for the database (%s)", channel.name, type(away).__name__)
        except Exception:  # a bug must not end the loop, or every later notice of the channel would stay unsent
            troubles += 1
            log.exception("delivering to channel %s failed: please report this", channel.name)
        if not busy and not stop.is_set():
            pause = sender.pace.poll * 2.0 ** min(troubles, _DOUBLINGS)
            await _set_within(news, min(pause, max(_LONGEST_PAUSE_S, sender.pace.poll)))


async def _keep_tidy(sender: Sender) -> None:
    failing = False
    while True:
        try:
            await sender.tidy()
            failing = False
        except _AWAY:
            pass
        except Exception:
            if not failing:
                log.exception("tidying the outbox failed: please report this")
            failing = True
        await asyncio.sleep(sender.pace.tidy_every)


async def _listen(db: AsyncEngine, news: Mapping[str, asyncio.Event]) -> None:
    """Pass on what is announced, for ever, over a connection of its own. While it is lost, polling has to do."""
    url = db.url.render_as_string(hide_password=False)
    pause = 0.25
    while True:
        with suppress(psycopg.Error, OSError):
            async with listening(url, outbox.NEWS) as announced:
                _wake_all(news)  # nobody knows what was announced before
                pause = 0.25
                async for name in announced:
                    if name in news:
                        news[name].set()
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _wake_all(news: Mapping[str, asyncio.Event]) -> None:
    for each in news.values():
        each.set()


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _say(channel: Channel, error: NotifyError, rest_s: float) -> None:
    """Log a failure when it begins and when it changes, not at each try until then."""
    if error.reason == channel.said:
        return
    channel.said = error.reason
    if error.needs_mending:
        log.error(
            "channel %s takes no notices until it is mended; it is tried every %.0f s: %s",
            channel.name,
            rest_s,
            error.reason,
        )
    else:
        log.warning("channel %s failed, next try in %.0f s: %s", channel.name, rest_s, error.reason)
