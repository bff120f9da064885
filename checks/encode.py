"""A report as JSON, for storage and for pages: everything cleaned enough for PostgreSQL, bodies as bounded text."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Final
from uuid import UUID

from checks.text import clean_bytes, storable

SHOWN_BODY_LIMIT: Final = 4096
"""Characters of an answer's body that a stored report keeps."""

SHOWN_MESSAGES: Final = 20
"""JSON-RPC messages of one exchange whose arrival a stored report keeps."""

_PLAIN: Final = frozenset({int, float, bool, type(None)})


def as_json(value: Any) -> Any:
    """A JSON-able copy of a model value, a datetime, a UUID or a container of them.

    Bytes become cleaned text of at most `SHOWN_BODY_LIMIT` characters. Message data is left out, because the body
    beside it already holds it; the arrival times stay.
    """
    kind = type(value)
    if kind in _PLAIN:  # most of a report, and cheaper to ask for than what follows
        return value
    if kind is str:
        return storable(value)
    if (names := _names(kind)) is not None:  # type: ignore[arg-type]  # classes are hashable
        return {name: _field(name, getattr(value, name)) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return clean_bytes(value, SHOWN_BODY_LIMIT, keep_lines=True)
    if isinstance(value, Mapping):
        return {storable(str(key)): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(item) for item in value]
    return storable(value)


@cache
def _names(kind: type) -> tuple[str, ...] | None:
    """Of the fields of a dataclass."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None


def _field(name: str, value: Any) -> Any:
    if name == "messages":
        return [
            {"at_ms": message.at_ms, "event": message.event, "kind": _kind(message.data)}
            for message in value[:SHOWN_MESSAGES]
        ]
    return as_json(value)


def _kind(data: Any) -> str:
    """What a message is, in one word or its method: `result`, `error`, `notifications/progress`, …"""
    if not isinstance(data, Mapping):
        return "not JSON-RPC"
    if isinstance(data.get("method"), str):
        return str(storable(data["method"]))[:80]
    return "error" if "error" in data else "result" if "result" in data else "not JSON-RPC"
