"""Delivery: claims notices from the outbox under a lease, sends them, and marks what became of each.

At least once: a notice is marked only after the channel took it, so a crash in between sends it again, with the same
id. Channels do not wait for each other.
"""

import asyncio
import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.clock import Clock
from prober.incidents.notice import Notice
from prober.notifiers.contract import Notifier, NotifyError
from prober.storage import outbox
from prober.storage.outbox import OutboxRow

log = logging.getLogger(__name__)

BATCH: Final = 4
SEND_TIMEOUT_S: Final = 12.0
LEASE_S: Final = 60.0
"""Longer than a whole batch can take, or a second worker would send what the first still holds."""

FIRST_DELAY_S: Final = 5.0
LONGEST_DELAY_S: Final = 300.0
LONGEST_ASKED_DELAY_S: Final = 3600.0
"""A channel may ask for more patience than we would have had, within reason."""

POLL_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
"""Between two looks into an outbox that cannot be read."""


@dataclass(slots=True)
class Channel:
    """One configured notifier."""

    name: str
    notifier: Notifier
    resting_until: float = 0.0
    """On the monotonic clock: after a failure nothing is claimed for the channel before then."""
    to_mend: str = ""
    """What somebody has to mend, as it was last logged; empty once the channel takes notices."""


async def keep_delivering(
    db: AsyncEngine,
    channels: Sequence[Channel],
    *,
    worker: str,
    clock: Clock,
    stop: asyncio.Event,
    poll_s: float = POLL_S,
) -> None:
    """Deliver until `stop` is set, each channel in a loop of its own. A database that is away is waited for."""
    async with asyncio.TaskGroup() as loops:
        for channel in channels:
            loops.create_task(_keep_delivering(db, channel, worker, clock, stop, poll_s))


async def deliver_once(
    db: AsyncEngine,
    channels: Sequence[Channel],
    *,
    worker: str,
    clock: Clock,
    send_timeout_s: float = SEND_TIMEOUT_S,
) -> int:
    """Send one batch per channel, all channels at once, and say how many notices were taken.

    A channel that has just failed is left alone until its delay is over. Raises what the database raises, after all
    channels are done.
    """
    ready = [channel for channel in channels if channel.resting_until <= clock.monotonic()]
    outcomes = await asyncio.gather(
        *(_deliver_batch(db, channel, worker, clock, send_timeout_s) for channel in ready), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return sum(outcome for outcome in outcomes if isinstance(outcome, int))


def delay_s(attempts: int, asked_s: float | None) -> float:
    """Seconds until the next try, after `attempts` failed ones: doubling, unless the channel asks for a time."""
    if asked_s is not None and asked_s > 0:
        return min(asked_s, LONGEST_ASKED_DELAY_S)
    return min(FIRST_DELAY_S * 2.0 ** min(max(attempts - 1, 0), 16), LONGEST_DELAY_S)


async def _keep_delivering(
    db: AsyncEngine, channel: Channel, worker: str, clock: Clock, stop: asyncio.Event, poll_s: float
) -> None:
    troubles = 0
    while not stop.is_set():
        taken = 0
        try:
            taken = await deliver_once(db, (channel,), worker=worker, clock=clock)
            troubles = 0
        except (SQLAlchemyError, OSError) as away:
            troubles += 1
            log.warning("notices of channel %s wait for the database (%s)", channel.name, type(away).__name__)
        except Exception:  # a bug must not end the loop, or every later notice of the channel would stay unsent
            troubles += 1
            log.exception("delivering to channel %s failed: please report this", channel.name)
        if taken == 0:
            await _set_within(stop, min(poll_s * 2.0 ** min(troubles, 16), LONGEST_PAUSE_S))


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


async def _deliver_batch(db: AsyncEngine, channel: Channel, worker: str, clock: Clock, send_timeout_s: float) -> int:
    rows = await outbox.claim(db, worker=worker, channels=(channel.name,), limit=BATCH, lease_s=LEASE_S)
    taken = 0
    for position, row in enumerate(rows):
        error = await _attempt(channel, row.notice, send_timeout_s)
        if error is None:
            await outbox.sent(db, row)
            taken += 1
            channel.to_mend = ""
        elif error.permanent:
            log.error("channel %s refused notice %s for good: %s", channel.name, row.notice.id, error.reason)
            await outbox.failed(db, row, error.reason, retry_in_s=None)
        else:
            await _rest(db, channel, rows[position:], clock, error)
            break
    return taken


async def _rest(db: AsyncEngine, channel: Channel, rows: Sequence[OutboxRow], clock: Clock, error: NotifyError) -> None:
    """Put the row that failed off, and those behind it without a try of their own: the channel is what failed."""
    delay = LONGEST_DELAY_S if error.needs_mending else delay_s(rows[0].attempt, error.retry_after_s)
    channel.resting_until = clock.monotonic() + delay
    _say(channel, rows[0], error, delay)
    for row in rows:
        await outbox.failed(db, row, error.reason, retry_in_s=delay)


def _say(channel: Channel, row: OutboxRow, error: NotifyError, delay: float) -> None:
    """Log a failure; what somebody has to mend is said once, not at each try until then."""
    if not error.needs_mending:
        log.warning("channel %s: try %d failed, next in %.0f s: %s", channel.name, row.attempt, delay, error.reason)
    elif error.reason != channel.to_mend:
        channel.to_mend = error.reason
        log.error(
            "channel %s takes no notices until it is mended; they are kept and tried every %.0f s: %s",
            channel.name,
            delay,
            error.reason,
        )


async def _attempt(channel: Channel, notice: Notice, timeout_s: float) -> NotifyError | None:
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
