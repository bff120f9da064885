"""Asking for a test notice, from the page of the channels and as JSON."""

from uuid import UUID, uuid4

from starlette.exceptions import HTTPException

from dashboard.services import Services
from prober.incidents.rehearsal import rehearsal_notice
from prober.storage import outbox
from prober.storage.channels import NoSuchChannel


async def rehearse(services: Services, name: str, by: str) -> UUID:
    notice = rehearsal_notice(name, id=uuid4(), at=services.clock.now(), by=by)
    try:
        await outbox.put_test(services.db, notice, channel=name)
    except NoSuchChannel as missing:
        said = str(missing)
        raise HTTPException(404, f"{said[0].upper()}{said[1:]}.") from None
    return notice.id
