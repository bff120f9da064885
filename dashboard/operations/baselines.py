"""Accepting the list of tools that an endpoint's changes are measured by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.operations.refusals import conflict, missing, sentence
from dashboard.services import Services
from prober.storage import accepted_tools, audit
from prober.storage.accepted_tools import Accepted, NoSuchEndpoint, NotAccepted
from prober.storage.audit import Author

AT_ONCE: Final = 100
"""Lists that one transaction accepts: whoever else writes about these endpoints waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """What came of accepting several lists."""

    accepted: int
    before: int
    """How many were accepted already."""
    refused: tuple[str, ...]
    """A sentence for each that was not."""


async def accept(services: Services, author: Author, name: str, fingerprint: str | None) -> Accepted:
    """Accept the list with that fingerprint, or without one the newest. Raises HTTPException: 404 or 409."""
    try:
        async with services.db.begin() as connection:
            return await _accept(connection, author, name, fingerprint)
    except NoSuchEndpoint as absent:
        raise missing(absent) from None
    except NotAccepted as refused:
        raise conflict(refused) from None


async def accept_several(services: Services, author: Author, chosen: Sequence[tuple[str, str]]) -> Several:
    """Accept the lists with these fingerprints, each after the name of its endpoint; one that cannot be keeps no other
    from it."""
    # In one order for everybody, so that two who accept at once do not wait for each other in a circle.
    ordered, made, refused = sorted(set(chosen)), [], []
    for first in range(0, len(ordered), AT_ONCE):
        async with services.db.begin() as connection:
            for name, fingerprint in ordered[first : first + AT_ONCE]:
                try:
                    made.append(await _accept(connection, author, name, fingerprint))
                except NotAccepted as problem:
                    refused.append(f"{name}: {sentence(problem)}")
    news = sum(each.is_news for each in made)
    return Several(accepted=news, before=len(made) - news, refused=tuple(refused))


async def _accept(connection: AsyncConnection, author: Author, name: str, fingerprint: str | None) -> Accepted:
    accepted = await accepted_tools.accept(connection, name, by=author.name, fingerprint=fingerprint)
    if accepted.is_news:
        detail = {"fingerprint": accepted.inventory.fingerprint}
        await audit.note(connection, author, "baseline.accept", name, detail)
    return accepted
