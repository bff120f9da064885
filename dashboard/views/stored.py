"""Reading values of a stored report, leniently: a report may be of another release, and quotes a server.

Every reader takes whatever stands there, and gives text that is cleaned and bounded, or nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from checks.model import Effect, Outcome, Profile, Verdict
from checks.text import clean

SHORT: Final = 160
LONG: Final = 2000
BODY: Final = 8192

Member = TypeVar("Member", Verdict, Outcome, Effect, Profile)


def read_text(value: Any, limit: int = SHORT, *, keep_lines: bool = False) -> str:
    return "" if value is None else clean(str(value), limit, keep_lines=keep_lines)


def read_figure(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def read_items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def one_of(kind: type[Member], value: Any, otherwise: Member) -> Member:
    try:
        return kind(value)
    except ValueError:
        return otherwise


def read_moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(read_text(value)) if value else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def read_pairs(value: Any) -> tuple[tuple[str, str], ...]:
    found = [read_items(each) for each in read_items(value)]
    return tuple((read_text(pair[0]), read_text(pair[1], LONG)) for pair in found if len(pair) == 2)
