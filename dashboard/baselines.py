"""Accepting an endpoint's tools, from its page and as JSON."""

from starlette.exceptions import HTTPException

from dashboard.services import Services
from prober.storage import accepted_tools
from prober.storage.accepted_tools import NoSuchEndpoint, NotAccepted


async def accept(services: Services, name: str, fingerprint: str | None, by: str) -> None:
    try:
        await accepted_tools.accept(services.db, name, by=by, fingerprint=fingerprint)
    except NoSuchEndpoint as missing:
        raise HTTPException(404, sentence(missing)) from None
    except NotAccepted as refused:
        raise HTTPException(409, sentence(refused)) from None


def sentence(problem: NotAccepted) -> str:
    said = str(problem)
    return f"{said[0].upper()}{said[1:]}."
