"""Paths to one place in a JSON value: the singular queries of RFC 9535, such as `$.items[0]['unit price']`."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

LONGEST: Final = 500

Step = str | int

_NAME: Final = r"[A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff][A-Za-z0-9_\u0080-\ud7ff\ue000-\U0010ffff]*"
# RFC 9535 sections 2.3.1 (name selector), 2.3.3 (index selector) and 2.5.1 (shorthand); no blanks between them
_STEP: Final = re.compile(
    rf"\.(?P<name>{_NAME})"
    r"|\[(?P<index>0|-?[1-9][0-9]{0,8})\]"
    r"|\['(?P<single>(?:[^'\\]|\\.)*)'\]"
    r'|\["(?P<double>(?:[^"\\]|\\.)*)"\]'
)


class NotAPath(ValueError):
    """No path of this kind. The text says why."""


@lru_cache(maxsize=1024)
def steps_of(path: str) -> tuple[Step, ...]:
    """The member names and array positions that lead from the root to the place. Raises NotAPath."""
    if len(path) > LONGEST:
        raise NotAPath(f"is longer than {LONGEST} characters")
    if not path.startswith("$"):
        raise NotAPath("does not begin with $")
    steps: list[Step] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise NotAPath(f"cannot be read from character {at + 1} on")
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def problem_with(path: str) -> str | None:
    """Why this is no path, or None."""
    try:
        steps_of(path)
    except NotAPath as refused:
        return str(refused)
    return None


def values_at(path: str, value: Any) -> tuple[Any, ...]:
    """The value at that place, or nothing where there is no such place. Raises NotAPath."""
    for step in steps_of(path):
        if isinstance(step, str):
            if not isinstance(value, Mapping) or step not in value:
                return ()
        elif not isinstance(value, list | tuple) or not -len(value) <= step < len(value):
            return ()
        value = value[step]
    return (value,)


def _step(found: re.Match[str]) -> Step:
    if found["name"] is not None:
        return found["name"]
    if found["index"] is not None:
        return int(found["index"])
    if found["double"] is not None:
        return _unescaped(found["double"])
    return _unescaped(re.sub(r"\\.|\"", _for_double_quotes, found["single"]))


def _for_double_quotes(found: re.Match[str]) -> str:
    return {"\\'": "'", '"': '\\"'}.get(found[0], found[0])


def _unescaped(text: str) -> str:
    try:
        name: str = json.loads(f'"{text}"')
    except ValueError:
        raise NotAPath("has a name whose escapes cannot be read") from None
    return name
