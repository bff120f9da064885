"""The audit log: who changed what. A row is written in the transaction of its change, or neither is."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.text import clean, storable
from prober.storage import tables

_NAME_KEPT: Final = 100
_SUBJECT_KEPT: Final = 300
_VALUE_KEPT: Final = 500


class Via(StrEnum):
    """By which door a change came in."""

    PAGE = "page"
    API = "api"
    COMMAND = "command"
    PROBER = "prober"


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who changes something: the name of a person or of a token, as others will read it."""

    name: str
    via: Via


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One change. `action` is such as `endpoint.change`, `subject` what was changed."""

    number: int
    at: datetime
    author: str
    via: Via
    action: str
    subject: str
    detail: Mapping[str, Any]


@asynccontextmanager
async def change(
    db: AsyncEngine, author: Author, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> AsyncIterator[AsyncConnection]:
    """The transaction of one change, with its row of the audit log; an exception undoes both."""
    async with db.begin() as connection:
        yield connection
        await note(connection, author, action, subject, detail)


async def note(
    connection: AsyncConnection, author: Author, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Write a row in a transaction that is under way. `detail` must hold no secret."""
    await connection.execute(
        insert(tables.audit).values(
            author=storable(clean(author.name, _NAME_KEPT)),
            via=author.via.value,
            action=action,
            subject=subject_kept(subject),
            detail={key: _bounded(value) for key, value in (detail or {}).items()},
        )
    )


def subject_kept(subject: str) -> str:
    """How a row names what was changed."""
    kept: str = storable(clean(subject, _SUBJECT_KEPT))
    return kept


def _bounded(value: Any) -> Any:
    return storable(clean(value, _VALUE_KEPT)) if isinstance(value, str) else value


async def newest(
    db: AsyncEngine,
    *,
    limit: int = 100,
    before: int | None = None,
    subject: str | None = None,
    author: str | None = None,
    action: str | None = None,
) -> Sequence[AuditRow]:
    """The newest changes first; `before` is the number of the last one of the page before.

    `action` is one action, or the noun of several: `endpoint` is for `endpoint.add` and `endpoint.change` too.
    """
    table = tables.audit
    wanted = select(table).order_by(table.c.number.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(table.c.number < before)
    if subject is not None:
        wanted = wanted.where(table.c.subject == storable(subject))
    if author is not None:
        wanted = wanted.where(table.c.author == storable(author))
    if action is not None:
        kept = storable(action)
        wanted = wanted.where(or_(table.c.action == kept, table.c.action.startswith(f"{kept}.", autoescape=True)))
    async with db.connect() as connection:
        rows = (await connection.execute(wanted)).mappings()
        return [AuditRow(**{**row, "via": Via(row["via"])}) for row in rows]
