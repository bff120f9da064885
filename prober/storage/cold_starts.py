"""What the reports of some days say about cold and warm first answers of one endpoint, kept apart."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from prober.storage import in_force

MOST_COLD: Final = 2000
"""Cold starts that are looked at, the latest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAnswers:
    """First answers since `since`, in milliseconds from connecting to the first byte.

    What the function's log confirmed or refuted counts as it says, what nobody looked up as it was suspected.
    """

    since: datetime
    warm: int
    warm_ms: tuple[float, ...] | None
    """The 50th, 95th and 99th percentile; None without any."""
    cold_ms: tuple[float, ...]
    """Each cold start, newest first, with those that a burst forced."""
    probes_cold: int
    """Probes that met one by chance: without bursts."""
    confirmed: int
    """Of these, those that the log confirmed."""
    start_ms: tuple[float, ...]
    """How long the instances took to start or to be restored, by the log."""


async def first_answers(connection: AsyncConnection, endpoint: UUID, days: float) -> FirstAnswers:
    """The first answers of the last `days` days, of probes that were answered as they should be, and while the prober
    was not held up itself."""
    lag_ms = (await in_force.known(connection)).lag_ms
    asked = {"endpoint": endpoint, "span": timedelta(days=days), "most": MOST_COLD, "lag": lag_ms}
    found = await connection.execute(_ANSWERS, asked)
    row = found.mappings().one()
    return FirstAnswers(
        since=row["since"],
        warm=row["warm"],
        warm_ms=None if row["warm_ms"] is None else tuple(row["warm_ms"]),
        cold_ms=tuple(row["cold_ms"] or ()),
        probes_cold=row["probes_cold"],
        confirmed=row["confirmed"],
        start_ms=tuple(row["start_ms"] or ()),
    )


_ANSWERS: Final = text(
    """
    with answer as (
        select slot, coalesce(cold_confirmed, cold) as is_cold, cold_confirmed,
               coalesce(restore_ms, init_ms) as start_ms,
               coalesce(dns_ms, 0) + coalesce(connect_ms, 0) + coalesce(tls_ms, 0) + wait_ms as ms, burst_ms
        from report
        where endpoint_id = :endpoint and slot > now() - :span
          and wait_ms is not null and verdict in ('up', 'degraded') and coalesce(lag_ms, 0) <= :lag
    ), cold as (
        select slot, ms from answer where is_cold
        union all
        select slot, unnest(burst_ms) from answer where burst_ms is not null
        order by 1 desc limit :most
    )
    select now() - :span as since,
           count(*) filter (where not is_cold) as warm,
           percentile_disc(array[0.5, 0.95, 0.99]) within group (order by ms) filter (where not is_cold) as warm_ms,
           count(*) filter (where is_cold) as probes_cold,
           count(*) filter (where cold_confirmed) as confirmed,
           array_agg(start_ms order by slot desc) filter (where is_cold and start_ms is not null) as start_ms,
           (select array_agg(ms order by slot desc) from cold) as cold_ms
    from answer
    """
)
