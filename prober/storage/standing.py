"""What full probes found, beside the newest state of their endpoint (see `checks.standing`)."""

from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.encode import as_json
from checks.standing import FullDue, FullFindings
from prober.storage.tables import endpoint_state


async def save(
    connection: AsyncConnection, endpoint: UUID, findings: FullFindings, *, report_id: UUID, is_full: bool
) -> None:
    """Remember what a full probe found, inside the transaction that saved its report.

    `is_full` says whether it could look: then the time until the next one begins now.
    """
    done = {"full_at": func.now(), "full_report_id": report_id} if is_full else {}
    await connection.execute(
        update(endpoint_state)
        .where(endpoint_state.c.endpoint_id == endpoint)
        .values(full_due=findings.due.value, full_findings=as_json(findings), **done)
    )


async def forget(connection: AsyncConnection, endpoint: UUID) -> None:
    """Drop what was found: nobody will look for it again."""
    await connection.execute(
        update(endpoint_state)
        .where(endpoint_state.c.endpoint_id == endpoint)
        .values(full_due=FullDue.IN_TIME.value, full_findings=None)
    )
