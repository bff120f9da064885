"""Asking for a test notice."""

from uuid import UUID, uuid4

from dashboard.operations.refusals import missing
from dashboard.services import Services
from prober.incidents.rehearsal import rehearsal_notice
from prober.storage import audit, outbox
from prober.storage.audit import Author
from prober.storage.channels import NoSuchChannel


async def rehearse(services: Services, author: Author, channel: str) -> UUID:
    """Let a prober send a test to the channel: the id of the notice. Raises HTTPException: 404."""
    notice = rehearsal_notice(channel, id=uuid4(), at=services.clock.now(), by=author.name)
    try:
        async with audit.change(services.db, author, "channel.test", channel, {"notice": str(notice.id)}) as connection:
            await outbox.put_test(connection, notice, channel=channel)
    except NoSuchChannel as absent:
        raise missing(absent) from None
    return notice.id
