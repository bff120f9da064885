"""What the configuration of the workers says that whoever only reads the database has to know as well.

Each worker writes it beside how it does, every few seconds, so that a configuration that was read again counts at once.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from prober.incidents.rules import Alerting
from prober.settings import ObserverSettings

_KEY: Final = "in_force"
"""In the vitals of a worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """Settings that count, with the defaults of those that nobody wrote down."""

    lag_ms: float = ObserverSettings().lag_ms
    """From which delay of the prober's own the figures of a probe are not believed."""
    deploy_mute_s: float = Alerting().deploy_mute_s
    """For how long nobody is told after a marked deploy."""

    def written(self) -> dict[str, Any]:
        """As a part of a worker's vitals."""
        return {_KEY: asdict(self)}


async def known(connection: AsyncConnection) -> InForce:
    """What the worker says that was started last of those that are there, or else of those that were.

    A value that this release cannot read, such as one of a release before, has its default.
    """
    row: RowMapping | None = (await connection.execute(_NEWEST)).mappings().first()
    said = row["said"] if row is not None else None
    if not isinstance(said, dict):
        return InForce()
    return InForce(**{name: float(said[name]) for name in _NAMES if type(said.get(name)) in (int, float)})


_NAMES: Final = tuple(each.name for each in fields(InForce))
_NEWEST: Final = text(
    f"""
    select vitals -> '{_KEY}' as said from worker
    order by seen_at > now() - interval '1 minute' desc, started_at desc limit 1
    """  # noqa: S608 - a constant of this module
)
