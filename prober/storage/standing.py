"""What full probes found, beside the newest state of their endpoint (see `checks.standing`)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.standing import FullDue
from prober.storage.membership import among
from prober.storage.tables import endpoint_state


async def forget(connection: AsyncConnection, endpoints: Sequence[UUID]) -> None:
    """Drop what was found of these: nobody will look for it again."""
    await connection.execute(
        update(endpoint_state)
        .where(among(endpoint_state.c.endpoint_id, endpoints))
        .values(full_due=FullDue.IN_TIME.value, full_findings=None)
    )
