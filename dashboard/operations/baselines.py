"""Accepting the list of tools that an endpoint's changes are measured by."""

from checks.inventory import Inventory
from dashboard.operations.refusals import conflict, missing
from dashboard.services import Services
from prober.storage import accepted_tools, audit
from prober.storage.accepted_tools import NoSuchEndpoint, NotAccepted
from prober.storage.audit import Author


async def accept(services: Services, author: Author, name: str, fingerprint: str | None) -> Inventory:
    """Accept the list with that fingerprint, or without one the newest. Raises HTTPException: 404 or 409."""
    detail: dict[str, str] = {}
    try:
        async with audit.change(services.db, author, "baseline.accept", name, detail) as connection:
            accepted = await accepted_tools.accept(connection, name, by=author.name, fingerprint=fingerprint)
            detail["fingerprint"] = accepted.fingerprint
            return accepted
    except NoSuchEndpoint as absent:
        raise missing(absent) from None
    except NotAccepted as refused:
        raise conflict(refused) from None
