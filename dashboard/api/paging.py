"""Lists in pieces: how many rows, and after which one."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query
from starlette.exceptions import HTTPException

from dashboard.operations.refusals import unusable
from prober.storage.listings import After

MOST: Final = 200
"""Rows of one piece."""

LIMIT: Final = "How many at most."
CURSOR: Final = "`next` of the piece before: what follows it. Nothing else may be put here."
LONGEST_CURSOR: Final = 1000

Limit = Annotated[int, Query(ge=1, le=MOST, description=LIMIT)]
Cursor = Annotated[str | None, Query(max_length=LONGEST_CURSOR, description=CURSOR)]


def cursor_of(at: datetime, identity: UUID) -> str:
    """The cursor that goes on after this row."""
    return _written([at.isoformat(), str(identity)])


def cursor_of_number(number: int) -> str:
    """The same for rows that are numbered."""
    return _written([number])


def after_of(cursor: str | None) -> After | None:
    """The row that a cursor names. Raises HTTPException for what is none of ours."""
    if cursor is None:
        return None
    try:
        at, identity = _read(cursor)
        return After(at=_moment(at), id=UUID(identity))
    except (ValueError, TypeError, AttributeError):
        raise _none_of_ours() from None


def number_of(cursor: str | None) -> int | None:
    """The number that a cursor holds. Raises HTTPException for what is none of ours."""
    if cursor is None:
        return None
    try:
        (number,) = _read(cursor)
        if type(number) is int and 0 <= number < 1 << 63:
            return number
    except (ValueError, TypeError):
        pass
    raise _none_of_ours()


def cursor_of_text(text: str) -> str:
    """The same for rows that are ordered by a text."""
    return _written([text])


def text_of(cursor: str | None) -> str | None:
    """The text that a cursor holds. Raises HTTPException for what is none of ours."""
    if cursor is None:
        return None
    try:
        (text,) = _read(cursor)
        if isinstance(text, str):
            return text
    except (ValueError, TypeError):
        pass
    raise _none_of_ours()


def _none_of_ours() -> HTTPException:
    return unusable("this is no cursor: take the one that `next` holds, or none")


def _written(parts: list[Any]) -> str:
    return urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def _read(cursor: str) -> list[Any]:
    try:
        read = json.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (binascii.Error, UnicodeError, RecursionError):
        raise ValueError from None
    if not isinstance(read, list):
        raise TypeError
    return read


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment
