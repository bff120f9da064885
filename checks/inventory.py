"""What tools a server lists, in a form that can be kept, compared and told apart by a short fingerprint."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as _spelled_string
from typing import Any, Final

from checks.text import storable

DEFINITION_KEPT: Final = 64 * 1024
"""Characters of one tool's canonical JSON up to which its definition is kept, and not its fingerprint alone."""

INVENTORY_KEPT: Final = 512 * 1024
"""The same for all tools of a list together."""

TOOLS_KEPT: Final = 1000
NAME_KEPT: Final = 256

FINGERPRINT_DIGITS: Final = 16
"""64 bits: two lists of one endpoint that meet by chance are not to be expected in its lifetime."""

COMPARED: Final = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
"""What a client or a model sees of a tool. `_meta` is the server's own, and icons change nothing that can be called."""

_SETS: Final = frozenset({"required", "enum", "type"})
"""Schema keywords whose value is a set written as an array (JSON Schema 2020-12 validation, 6.1.1, 6.1.2 and 6.5.3):
a server that builds it from a hash table writes it in another order in each of its instances."""

_DATA: Final = frozenset({"const", "default", "examples"})
"""Schema keywords whose value is no schema."""

_NAMED_SCHEMAS: Final = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependentRequired"}
)
"""Schema keywords whose keys are names that the author chose, and no keywords."""

_EXACT: Final = 2**53
"""From here on a double no longer holds every integer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTool:
    """One tool of a list."""

    name: str
    fingerprint: str
    definition: Mapping[str, Any] | None = field(compare=False)
    """The canonical definition, or None where it is too large to be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All tools of a list, by name. The fingerprint is that of the whole list, whatever its order."""

    fingerprint: str
    tools: tuple[ListedTool, ...] = ()


def inventory_of(tools: Iterable[Mapping[str, Any]]) -> Inventory:
    """The inventory of tools as a server lists them.

    Every tool counts in the fingerprint; what is kept of them is bounded.
    """
    listed: list[str] = []
    kept: list[ListedTool] = []
    room = INVENTORY_KEPT
    for name, text, definition in sorted((_written(tool) for tool in tools), key=lambda each: each[:2]):
        listed.append(_digest(text))
        fits = len(text) <= min(DEFINITION_KEPT, room)
        room -= len(text) if fits else 0
        if len(kept) < TOOLS_KEPT:
            whole = definition if fits else None
            kept.append(ListedTool(name=_name(name), fingerprint=listed[-1], definition=whole))
    return Inventory(fingerprint=_digest("\n".join(sorted(listed))), tools=tuple(kept))


def fingerprint_of(tool: Mapping[str, Any]) -> str:
    """The fingerprint of one tool as a server lists it."""
    return _digest(_written(tool)[1])


def canonical(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's definition without what means nothing: other members, null members, the order of sets, and how whole
    numbers are written."""
    found = {name: storable(definition[name]) for name in COMPARED if definition.get(name) is not None}
    for name in ("inputSchema", "outputSchema"):
        if name in found:
            found[name] = _schema(found[name])
    return {name: _numbers(value) for name, value in found.items()}


def spelled(value: Any) -> str:
    """A JSON value in the one way in which equal values are written: keys in order, no whitespace, ASCII alone."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _written(tool: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    definition = canonical(tool)
    return str(definition.get("name", "")), spelled(definition), definition


def _schema(value: Any) -> Any:
    """The schema with its sets in order, in every schema within it."""
    if isinstance(value, list):
        return [_schema(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, each in value.items():  # a comprehension would cost a frame for each level of a deep schema
        found[key] = _keyword(key, each)
    return found


def _keyword(key: str, value: Any) -> Any:
    if key in _DATA:
        return value
    if key in _SETS and isinstance(value, list):
        return sorted(value, key=_spelled_member)
    if key in _NAMED_SCHEMAS and isinstance(value, dict):
        return {name: _named(each) for name, each in value.items()}
    return _schema(value)


def _named(value: Any) -> Any:
    return sorted(value, key=_spelled_string) if _is_names(value) else _schema(value)


def _spelled_member(value: Any) -> str:
    return _spelled_string(value) if isinstance(value, str) else spelled(value)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _numbers(value: Any) -> Any:
    """The value with whole numbers as integers: `1.0` and `1` are one JSON number."""
    if isinstance(value, dict):
        return {key: _numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


def _name(name: str) -> str:
    """The name, or its beginning and a digest: two long names stay two."""
    return name if len(name) <= NAME_KEPT else f"{name[: NAME_KEPT - FINGERPRINT_DIGITS]}{_digest(spelled(name))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:FINGERPRINT_DIGITS]
