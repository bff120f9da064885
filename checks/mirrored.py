"""Which arguments of a tool its server wants repeated in headers, and what makes clients drop a tool over that.

Source: specification 2026-07-28, basic/transports/streamable-http, "Custom Headers from Tool Parameters".
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from checks.text import clean

ANNOTATION: Final = "x-mcp-header"

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 section 5.6.2
_PRIMITIVE: Final = frozenset({"string", "integer", "boolean"})
_NAMED: Final = frozenset({"patternProperties", "$defs", "definitions", "dependentSchemas"})
_LISTED: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
_SINGLE: Final = frozenset(
    {
        "items", "additionalItems", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
        "unevaluatedItems", "unevaluatedProperties", "contentSchema",
    }
)  # fmt: skip

_MOST_POSITIONS: Final = 10_000
_DEEPEST: Final = 32
"""Longer chains of properties cannot arrive: the reader of JSON allows no more levels."""

Path = tuple[str, ...]


def mirrored_parameters(schema: Any) -> tuple[tuple[Path, str], ...]:
    """The annotated parameters of an input schema: the path to each within the arguments, and its annotation.

    Empty where an annotation breaks a rule: no client may call such a tool.
    """
    if annotation_fault(schema) is not None:
        return ()
    return tuple((path, node[ANNOTATION]) for path, node in _annotated(schema) if path)


def annotation_fault(schema: Any) -> str | None:
    """The rule that an annotation in this input schema breaks, in words, or None. Clients must drop a tool for it."""
    seen: dict[str, Path] = {}
    for path, node in _annotated(schema):
        fault = _fault(path, node)
        if fault is not None or not path:
            return fault
        name = node[ANNOTATION]
        if name.lower() in seen:
            return f"{_shown(path)} and {_shown(seen[name.lower()])} are annotated with the same {ANNOTATION}"
        seen[name.lower()] = path
    return None


def _fault(path: Path | None, node: Mapping[str, Any]) -> str | None:
    name, kind = node[ANNOTATION], node.get("type")
    if not path:
        return f"{ANNOTATION} stands where no chain of properties leads"
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        return f"the {ANNOTATION} of {_shown(path)} is no header name"
    if not isinstance(kind, str) or kind not in _PRIMITIVE:
        return f"{_shown(path)} has an {ANNOTATION}, but is no string, integer or boolean"
    return None


def _annotated(schema: Any) -> Iterator[tuple[Path | None, Mapping[str, Any]]]:
    return ((path, node) for path, node in islice(_positions(schema), _MOST_POSITIONS) if ANNOTATION in node)


def _positions(schema: Any) -> Iterator[tuple[Path | None, Mapping[str, Any]]]:
    """Every schema within a schema, with the path of properties that leads to it, or None where others lead there."""
    waiting: deque[tuple[Path | None, Any]] = deque([((), schema)])
    while waiting:
        path, node = waiting.popleft()
        if not isinstance(node, Mapping):
            continue
        yield path, node
        named = node.get("properties")
        if isinstance(named, Mapping) and (path is None or len(path) < _DEEPEST):
            waiting += [(None if path is None else (*path, name), inner) for name, inner in named.items()]
        waiting += [(None, inner) for inner in _elsewhere(node)]


def _elsewhere(node: Mapping[str, Any]) -> Iterator[Any]:
    for keyword, value in node.items():
        if keyword in _NAMED and isinstance(value, Mapping):
            yield from value.values()
        elif keyword in _LISTED and isinstance(value, list):
            yield from value
        elif keyword in _SINGLE:
            yield value


def _shown(path: Path) -> str:
    return f"“{clean('.'.join(path), 60)}”"
