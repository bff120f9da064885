"""Marking a deploy."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from dashboard.operations.refusals import unusable
from dashboard.services import Services
from prober.incidents.windows import whom_in_words
from prober.storage import audit, in_force, mutes
from prober.storage.audit import Author
from prober.storage.mutes import LONGEST, SHORTEST, NobodyMeant


async def mark(
    services: Services,
    author: Author,
    names: Sequence[str],
    labels: Mapping[str, str],
    lasts: timedelta | None,
    reason: str = "",
) -> UUID:
    """Tell nobody of these for so long, or where nothing is said for as long as `incidents.deploy_mute` of the prober's
    configuration says: the id of the mute. Raises HTTPException: 422.
    """
    spans = lasts or await _usual(services)
    if not SHORTEST <= spans <= LONGEST:
        raise unusable(f"what a deploy may break lasts from 1 minute to {LONGEST.days} days")
    if not (names or labels):
        raise unusable("for which endpoints? Name them, or give labels")
    whom = whom_in_words(names, labels)
    detail = {"lasts_s": spans.total_seconds(), "reason": reason}
    try:
        async with audit.change(services.db, author, "deploy.mark", whom, detail) as connection:
            return await mutes.mark_deploy(
                connection, endpoints=names, labels=labels, lasts=spans, reason=reason, by=author.name
            )
    except NobodyMeant as nobody:
        raise unusable(nobody) from None


async def _usual(services: Services) -> timedelta:
    async with services.db.connect() as connection:
        return timedelta(seconds=(await in_force.known(connection)).deploy_mute_s)
