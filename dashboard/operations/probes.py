"""Asking for a probe out of turn."""

from uuid import UUID

from checks.model import Profile
from dashboard.operations.refusals import conflict, missing
from dashboard.services import Services
from prober.storage import audit, probe_requests
from prober.storage.audit import Author
from prober.storage.probe_requests import NoSuchEndpoint, NotAsked


async def ask(services: Services, author: Author, name: str, profile: Profile) -> UUID:
    """Ask for a probe of the endpoint: the id of the request. Raises HTTPException: 404 or 409."""
    try:
        async with audit.change(services.db, author, "probe.ask", name, {"profile": profile.value}) as connection:
            return await probe_requests.ask(connection, name, profile, author.name)
    except NoSuchEndpoint as absent:
        raise missing(absent) from None
    except NotAsked as refused:
        raise conflict(refused) from None
