"""Times in which nobody is told, while probing goes on."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from dashboard.operations.refusals import missing, unusable
from dashboard.services import Services
from prober.incidents.windows import whom_in_words
from prober.storage import audit, mutes
from prober.storage.audit import Author
from prober.storage.mutes import LONGEST, MAINTENANCE, SHORTEST, MuteRow, NobodyMeant

FARTHEST: Final = timedelta(days=366)


async def add(
    services: Services,
    author: Author,
    *,
    endpoints: Sequence[str],
    labels: Mapping[str, str],
    starts_at: datetime | None = None,
    ends: datetime | timedelta,
    reason: str = "",
) -> UUID:
    """Mute these endpoints or whoever bears the labels, or all where neither is given, from `starts_at` or now on.
    `ends` is when that ends, or after how long.

    Raises HTTPException: 422 for a time that cannot be, or a name that nobody bears.
    """
    now = services.clock.now()
    begins = starts_at or now
    if begins > now + FARTHEST:
        raise unusable("maintenance begins within a year")
    ends_at = begins + ends if isinstance(ends, timedelta) else ends
    _fits(begins, ends_at, now)
    whom = whom_in_words(endpoints, labels)
    detail = {"from": begins.isoformat(), "until": ends_at.isoformat(), "reason": reason}
    try:
        async with audit.change(services.db, author, "maintenance.add", whom, detail) as connection:
            return await mutes.add(
                connection,
                kind=MAINTENANCE,
                endpoints=endpoints,
                labels=labels,
                starts_at=begins,
                ends_at=ends_at,
                reason=reason,
                by=author.name,
            )
    except NobodyMeant as nobody:
        raise unusable(nobody) from None


async def end(services: Services, author: Author, mute_id: UUID) -> MuteRow:
    """End it now, or before it begins; also the time after a deploy. Raises HTTPException: 404."""
    async with services.db.begin() as connection:
        ended = await mutes.end(connection, str(mute_id))
        if ended is None:
            raise missing("there is no such time any more")
        detail: dict[str, Any] = {"mute": str(mute_id), "kind": ended.kind}
        whom = whom_in_words(ended.endpoints, ended.labels)
        await audit.note(connection, author, "maintenance.end", whom, detail)
        return ended


def _fits(begins: datetime, ends: datetime, now: datetime) -> None:
    if ends <= now:
        raise unusable("that time is over already: give a later end")
    if not SHORTEST <= ends - begins <= LONGEST:
        raise unusable(f"maintenance lasts from 1 minute to {LONGEST.days} days")
