"""How often logging in has failed, and how long whoever tries has to wait.

A try is counted before the password is looked at, under the locks of its rows, so that tries at the same time count
one after the other. The right password takes its own try back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, case, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from prober.storage import tables

_FROM: Final = "from "
FORGOTTEN_AFTER: Final = timedelta(hours=1)
"""After so long without a failure, counting begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """After how many failures in a row one has to wait, and for how long: twice as long each time."""

    free: int
    first: timedelta
    longest: timedelta

    def after(self, failures: int) -> timedelta | None:
        """How long to wait after the last of so many failures. None: not at all."""
        beyond = failures - self.free
        if beyond < 0:
            return None
        doubled: timedelta = self.first * 2 ** min(beyond, 20)
        return min(doubled, self.longest)


def by_name(name: str) -> str:
    """The key of all tries of a name."""
    return f"name {name}"


def by_name_from(name: str, address: str) -> str:
    """The key of tries of a name from one address.

    A name that somebody types may hold spaces, so that it stands last: no name and address are another name.
    """
    return f"{_FROM}{address} {name}"


def by_address(address: str) -> str:
    """The key of all tries from one address."""
    return f"address {address}"


async def attempt(connection: AsyncConnection, keys: Mapping[str, Pauses], *, now: datetime) -> timedelta | None:
    """Count a try under each of the keys. None: it may be made; else how long to wait, and nothing is counted."""
    table = tables.failed_login
    for key in sorted(keys):  # in one order, or two tries could wait for each other
        begun = insert(table).values(key=key, failures=0, last_at=now)
        await connection.execute(begun.on_conflict_do_nothing())
    rows = await connection.execute(select(table).where(table.c.key.in_(keys)).order_by(table.c.key).with_for_update())
    found = list(rows.mappings())
    locked: list[datetime] = [row["locked_until"] for row in found if row["locked_until"] is not None]
    if locked and max(locked) > now:
        return max(locked) - now
    for row in found:
        failures = 1 if row["last_at"] < now - FORGOTTEN_AFTER else row["failures"] + 1
        pause = keys[row["key"]].after(failures)
        await connection.execute(
            update(table)
            .where(table.c.key == row["key"])
            .values(failures=failures, last_at=now, locked_until=None if pause is None else now + pause)
        )
    return None


async def succeeded(
    connection: AsyncConnection, *, forget: str, take_back: tuple[str, ...], tried_at: datetime
) -> None:
    """The try was right: nothing is held against the key `forget` any more, and one failure less against the others.

    Those are not forgotten whole: somebody who has one password could else guess at another between two logins. Nor
    does a pause end that another try began meanwhile.
    """
    table = tables.failed_login
    await connection.execute(delete(table).where(table.c.key == forget))
    held = case((table.c.last_at == tried_at, None), else_=table.c.locked_until)
    await connection.execute(
        update(table).where(table.c.key.in_(take_back)).values(failures=table.c.failures - 1, locked_until=held)
    )


async def forgive(connection: AsyncConnection, name: str) -> None:
    """Hold nothing against those who tried that name, wherever they are."""
    key = tables.failed_login.c.key
    of_some = and_(key.startswith(_FROM), key.endswith(f" {name}", autoescape=True))
    await connection.execute(delete(tables.failed_login).where(or_(key == by_name(name), of_some)))
