"""What people decide and write about one incident."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.text import clean
from dashboard.operations.refusals import conflict, missing, unusable
from dashboard.services import Services
from prober.storage import audit, comments, incidents
from prober.storage.audit import Author
from prober.storage.comments import WORDS_KEPT, Comment, NoSuchIncident, TooMany
from prober.storage.incidents import Decided

LONGEST_SNOOZE: Final = timedelta(days=30)

_OVER: Final = "the incident is over, and there is nothing to decide about it any more"


async def acknowledge(services: Services, author: Author, incident_id: UUID) -> None:
    """Note that somebody has it in hand. Raises HTTPException: 404 or 409."""
    async with services.db.begin() as connection:
        done = await incidents.acknowledge(connection, incidents.open_one(incident_id), by=author.name)
        await _note(connection, author, "incident.acknowledge", incident_id, done)


async def snooze(services: Services, author: Author, incident_id: UUID, until: datetime | None) -> None:
    """Tell nobody of it until then; None ends that. Raises HTTPException: 404, 409 or 422."""
    now = services.clock.now()
    if until is not None and not now < until <= now + LONGEST_SNOOZE:
        raise unusable(f"a snooze ends later than now, and within {LONGEST_SNOOZE.days} days")
    async with services.db.begin() as connection:
        done = await incidents.snooze(connection, incidents.open_one(incident_id), until)
        await _note(connection, author, "incident.snooze" if until else "incident.wake", incident_id, done)


async def comment(services: Services, author: Author, incident_id: UUID, words: str) -> Comment:
    """Write a comment on it, open or not. Raises HTTPException: 404, 409 or 422."""
    kept = "\n".join(clean(line, WORDS_KEPT) for line in words.strip().splitlines())
    if not kept:
        raise unusable("a comment without words says nothing")
    if len(kept) > WORDS_KEPT:
        raise unusable(f"a comment has up to {WORDS_KEPT} characters, and this one has {len(kept)}")
    try:
        async with services.db.begin() as connection:
            written, about = await comments.add(connection, incident_id, kept, by=author.name)
            detail = {"incident": str(incident_id), "comment": str(written.id)}
            await audit.note(connection, author, "incident.comment", about, detail)
    except NoSuchIncident as absent:
        raise missing(absent) from None
    except TooMany as full:
        raise conflict(full) from None
    return written


async def _note(
    connection: AsyncConnection,
    author: Author,
    action: str,
    incident_id: UUID,
    done: tuple[Decided, ...],
) -> None:
    """Write what was decided beside the endpoint that it was decided about, or say why nothing was."""
    for each in done:
        if each.is_news:
            await audit.note(connection, author, action, each.endpoint, incidents.detail_of(each))
    if not done:
        if await incidents.exists(connection, incident_id):
            raise conflict(_OVER)
        raise missing("there is no such incident, or it is too old and no longer kept")
