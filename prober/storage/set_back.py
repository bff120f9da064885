"""What waits for a moment that the clock of the database shows late, or once more, because it was set back.

Nothing in PostgreSQL tells of that. So whoever looks leaves behind what the clock showed; when it shows less at the
next look, it was set back, however many workers were killed and started anew in between. Times that people have chosen
(the end of a snooze, of a maintenance, of a token) are those of the clock, and stay; a deploy that was marked lasts as
long as it would have. For the timetable of probes see `schedule.realign`.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from prober.storage.mutes import DEPLOY

SPARE: Final = timedelta(seconds=5)
"""By less, clocks are set right all the time."""

LONGEST_LEASE_S: Final = 60.0
"""No living sender holds a notice for so long without renewing its lease, by whatever the clock shows then."""


async def realign(db: AsyncEngine) -> timedelta | None:
    """Let everything wait as long as it would have; returns by how much the clock was set back, None where it was not.

    That is less than the truth by the time since the last look, and so is what is made up for: nothing is due too early
    but what was written since the clock was set. Several workers may do this; one of them finds that it has to.
    """
    async with db.begin() as connection:
        await connection.execute(_FIRST_LOOK)
        back: timedelta = await connection.scalar(_LOOK) or timedelta()
        if back <= SPARE:
            return None
        await _realign(connection, back)
    return back


async def _realign(connection: AsyncConnection, back: timedelta) -> None:
    """Incidents and outages are only looked at: what is told of them then is up to whoever considers them."""
    for statement in _REALIGN:
        await connection.execute(statement, {"back": back, "lease": LONGEST_LEASE_S, "deploy": DEPLOY})


_FIRST_LOOK: Final = text(
    "insert into housekeeping (job, begun_at) values ('clock', clock_timestamp()) on conflict do nothing"
)
_LOOK: Final = text(
    """
    with before as (select begun_at from housekeeping where job = 'clock' for update)
    update housekeeping set begun_at = clock_timestamp() from before where job = 'clock'
    returning before.begun_at - clock_timestamp()
    """
)
# In the order in which others lock these: states before incidents when reports are saved, channels before notices when
# these are delivered.
_REALIGN: Final = tuple(
    text(statement)
    for statement in (
        "update endpoint_state set full_at = now() where full_at > now()",
        "update incident set reconsider_at = now() where reconsider_at > now()",
        "update outage set reconsider_at = now() where reconsider_at > now()",
        "select from channel order by name for update",
        "update channel set resting_until = greatest(now(), resting_until - :back) where resting_until > now()",
        "update notice set next_attempt_at = greatest(now(), next_attempt_at - :back)"
        " where sent_at is null and failed_at is null and next_attempt_at > now()",
        "update notice set lease_until = greatest(now(), lease_until - :back)"
        " where sent_at is null and failed_at is null and lease_until > now() + make_interval(secs => :lease)",
        "update mute set starts_at = starts_at - :back, ends_at = ends_at - :back, created_at = now()"
        " where kind = :deploy and created_at > now()",
        "update probe_request set asked_at = now() where asked_at > now()",
        "update worker set seen_at = now() where seen_at > now()",
    )
)
