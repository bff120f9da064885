"""Reports of the past as rows, for tests of what is made of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.storage import rollups
from prober.storage.partitions import ensure_partitions
from prober.storage.tables import endpoint, endpoint_state, report

LAG_MS = 250.0


@dataclass(frozen=True)
class Past:
    """Endpoints with rows of reports, and what is made of them."""

    db: AsyncEngine
    now: datetime
    """By the clock of the database."""

    @property
    def hour(self) -> datetime:
        """The beginning of the last hour that is wholly over, and settled."""
        return self.now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)

    async def watch(self, name: str = "shop") -> UUID:
        identity = uuid4()
        async with self.db.begin() as connection:
            await connection.execute(
                insert(endpoint).values(
                    id=identity, name=name, spec={"name": name, "url": f"https://{name}.example/mcp"}, source="file",
                    enabled=True, interval_s=60.0, timeout_s=10.0, labels={}, phase_s=0.0, next_due=self.now,
                )
            )  # fmt: skip
            state = insert(endpoint_state).values(
                endpoint_id=identity, verdict="up", since=self.now, cause_summary="", slot=self.now
            )
            await connection.execute(state)
        return identity

    async def report(self, endpoint_id: UUID, slot: datetime, wait_ms: float | None = None, **columns: Any) -> UUID:
        row = {
            "id": uuid4(), "endpoint_id": endpoint_id, "slot": slot, "location": "local", "verdict": "up",
            "wait_ms": wait_ms, **columns,
        }  # fmt: skip
        async with self.db.begin() as connection:
            await connection.execute(insert(report).values(row))
            await rollups.outdate(connection, [(slot, columns.get("last_slot") or slot)])
        identity: UUID = row["id"]
        return identity

    async def roll_up(self, *, reports_days: int = 30) -> int | None:
        await ensure_partitions(self.db)
        return await rollups.roll_up(self.db, lag_ms=LAG_MS, reports_days=reports_days, every_s=0.0)

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.db.begin() as connection:
            found = await connection.execute(text(statement), values)
            return list(found.all()) if found.returns_rows else []


async def past_of(db: AsyncEngine) -> Past:
    async with db.connect() as connection:
        return Past(db=db, now=(await connection.execute(text("select now()"))).scalar_one())
