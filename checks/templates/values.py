"""Readers of resolved values: what is told as a text, a number, a list, and what it refers to.

A value that is not known, or only in part, is a text with `${…}` in it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

UNTOLD: Final = "${?}"
"""Stands for a value of which nothing is known."""
_REFERENCE: Final = re.compile(r"\$\{([A-Za-z0-9:?]+)((?:\.[A-Za-z0-9]+)*)\}")


def is_told(value: Any) -> bool:
    """Whether a text is known in full."""
    return not (isinstance(value, str) and "${" in value)


def text(value: Any) -> str | None:
    """A scalar as text; None where it is not told, not there, or no scalar."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return value if isinstance(value, str) and is_told(value) else None


def partly(value: Any) -> str | None:
    """A scalar as text, also where it is told in part only."""
    return value if isinstance(value, str) else text(value)


def number(value: Any, default: float) -> float | None:
    """A number, `default` where there is no value; None where it cannot be told."""
    if value is None:
        return default
    told = text(value)
    try:
        return None if told is None else float(told)
    except ValueError:
        return None


def flag(value: Any) -> bool | None:
    """A truth value; None where it is not there or cannot be told."""
    told = text(value)
    return None if told is None else {"true": True, "false": False}.get(told.lower())


def texts(value: Any) -> tuple[str, ...] | None:
    """A list of texts, each told at least in part; empty where there is none, None where it cannot be told."""
    if value is None:
        return ()
    if not isinstance(value, list):
        return None
    read = [partly(each) for each in value]
    return tuple(each for each in read if each is not None)


def told_texts(value: Any) -> tuple[str, ...] | None:
    """A list of texts that are told in full; None where one of them is not."""
    read = texts(value)
    return read if read is not None and all(is_told(each) for each in read) else None


def table(value: Any) -> Mapping[str, Any]:
    """A mapping; empty where it is none."""
    return value if isinstance(value, dict) else {}


def tables(value: Any) -> list[Mapping[str, Any]]:
    """The mappings in a list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def referred(value: Any) -> tuple[str, ...]:
    """The logical ids that a text refers to, in order."""
    if not isinstance(value, str):
        return ()
    return tuple(found for found, _ in _REFERENCE.findall(value) if found != "?" and ":" not in found)
