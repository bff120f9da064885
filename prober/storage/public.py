"""What the public status page may know: chosen endpoints by their public names, and nothing of what was found.

It is a projection of its own, so that neither a URL, a cause nor the name of a host can reach the page by mistake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.storage import series
from prober.storage.series import Day

MOST: Final = 200
"""Endpoints that the page shows, and incidents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicEndpoint:
    """One chosen endpoint. `name` and `labels` only tell which maintenance concerns it, and are not for the page."""

    title: str
    verdict: Verdict
    since: datetime | None
    days: tuple[Day, ...]
    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicIncident:
    """A time in which a chosen endpoint was not well."""

    id: UUID
    title: str
    verdict: Verdict
    since: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicState:
    """The chosen endpoints by title, and their newest incidents first."""

    endpoints: Sequence[PublicEndpoint]
    incidents: Sequence[PublicIncident]


async def state(db: AsyncEngine, *, days: int = 90, incidents_for: timedelta = timedelta(days=14)) -> PublicState:
    """What may be shown. Endpoints that are switched off are left out."""
    async with db.connect() as connection:
        rows = (await connection.execute(_CHOSEN, {"most": MOST})).mappings().all()
        bars = await series.bars(connection, [row["id"] for row in rows], days=days)
        found = await connection.execute(_INCIDENTS, {"span": incidents_for, "most": MOST})
        incidents = [PublicIncident(**{**row, "verdict": Verdict(row["verdict"])}) for row in found.mappings()]
    endpoints = [
        PublicEndpoint(
            title=row["title"],
            verdict=Verdict(row["verdict"] or Verdict.UNKNOWN),
            since=row["since"],
            days=bars.get(row["id"], ()),
            name=row["name"],
            labels=row["labels"],
        )
        for row in rows
    ]
    return PublicState(endpoints=endpoints, incidents=incidents)


# An endpoint that nobody has looked at for three intervals is not known to be as it was last seen.
_CHOSEN: Final = text(
    """
    select endpoint.id, endpoint.name, endpoint.labels, endpoint.options ->> 'public' as title, state.since,
           case when state.slot > now() - make_interval(secs => 3 * endpoint.interval_s + 60) then state.verdict end
               as verdict
    from endpoint left join endpoint_state as state on state.endpoint_id = endpoint.id
    where endpoint.options ->> 'public' is not null and endpoint.enabled and endpoint.removed_at is null
    order by lower(endpoint.options ->> 'public'), endpoint.name limit :most
    """
)
_INCIDENTS: Final = text(
    """
    select incident.id, endpoint.options ->> 'public' as title, incident.verdict, incident.since, incident.ended_at
    from incident join endpoint on endpoint.id = incident.endpoint_id
    where endpoint.options ->> 'public' is not null and endpoint.enabled and endpoint.removed_at is null
      and (incident.ended_at is null or incident.ended_at > now() - :span)
    order by incident.since desc limit :most
    """
)
