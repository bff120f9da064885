"""How the watched endpoints stand as a whole, for metrics: one small query, whatever the number of reports."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.storage import tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """The enabled endpoints at one moment."""

    verdicts: Mapping[Verdict, int]
    """How many have each verdict, where there are any; those without a report are unknown."""
    names: frozenset[str]
    in_incident: frozenset[str]
    """Names of those with an open incident."""


async def census(db: AsyncEngine) -> Census:
    """The endpoints that are watched now. Raises what the database raises."""
    async with db.connect() as connection:
        rows = (await connection.execute(_SELECTED)).all()
    return Census(
        verdicts=Counter(Verdict(each) for _, each, _ in rows),
        names=frozenset(name for name, _, _ in rows),
        in_incident=frozenset(name for name, _, is_open in rows if is_open),
    )


def _select() -> Select[Any]:
    endpoint, state, incident = tables.endpoint, tables.endpoint_state, tables.incident
    is_open = and_(incident.c.endpoint_id == endpoint.c.id, incident.c.ended_at.is_(None))
    return (
        select(
            endpoint.c.name,
            func.coalesce(state.c.verdict, Verdict.UNKNOWN.value),
            incident.c.id.is_not(None),
        )
        .select_from(
            endpoint.outerjoin(state, state.c.endpoint_id == endpoint.c.id).outerjoin(incident, is_open),
        )
        .where(endpoint.c.enabled, endpoint.c.removed_at.is_(None))
    )


_SELECTED: Final = _select()
