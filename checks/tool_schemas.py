"""Whether the JSON schemas of listed tools are schemas at all: what a validator refuses, clients cannot use.

A light check of structure, by the keywords that the dialects share. No reference is ever fetched, patterns are not
compiled, and what is only annotation is not looked at. Source: JSON Schema 2020-12 and draft-07, their meta-schemas;
MCP 2025-11-25 and later, basic, "JSON Schema Usage".
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final
from urllib.parse import unquote

from checks.model import Finding
from checks.proofs import shown_json
from checks.spec import section
from checks.text import clean

MOST_LOOKED_AT: Final = 50_000
"""Schemas, keywords and elements that are looked at, of all tools together."""

_DIALECT_SINCE: Final = "2025-11-25"
"""From this revision on a schema that names no dialect is of 2020-12; before, of any."""

_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_SHOWN: Final = 60


class Dialect(IntEnum):
    """The dialects whose structure is known here; those in between agree with their neighbours."""

    ANY = 0
    """None is named: only what holds in all of them counts."""
    DRAFT_07 = 7
    DRAFT_2019 = 2019
    DRAFT_2020 = 2020


_DIALECTS: Final[Mapping[str, Dialect]] = {
    "json-schema.org/draft-06/schema": Dialect.DRAFT_07,
    "json-schema.org/draft-07/schema": Dialect.DRAFT_07,
    "json-schema.org/draft/2019-09/schema": Dialect.DRAFT_2019,
    "json-schema.org/draft/2020-12/schema": Dialect.DRAFT_2020,
}


@dataclass(slots=True)
class Budget:
    """How much more is looked at."""

    left: int = MOST_LOOKED_AT


@dataclass(frozen=True, slots=True)
class _Node:
    """A schema within a schema. Its path is put together only where it is told: names may be as long as messages."""

    schema: Any
    step: str
    parent: "_Node | None" = None

    def inner(self, schema: Any, keyword: str, name: str | None = None) -> "_Node":
        return _Node(schema, f".{keyword}" if name is None else f".{keyword}{name[:_SHOWN]}", self)

    @property
    def path(self) -> str:
        steps: list[str] = []
        node: _Node | None = self
        while node is not None:
            steps.append(node.step)
            node = node.parent
        return "".join(reversed(steps))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One schema while it is looked through."""

    root: Mapping[str, Any]
    dialect: Dialect
    waiting: deque[_Node]

    def fault(self, budget: Budget) -> str | None:
        """The first fault that is met, breadth first."""
        while self.waiting and budget.left > 0:
            node = self.waiting.popleft()
            budget.left -= _size(node.schema)
            fault = self._fault_of(node) if budget.left >= 0 else None
            if fault is not None:
                return f"{clean(node.path, 120)} {fault}"
        return None

    def _fault_of(self, node: _Node) -> str | None:
        if isinstance(node.schema, bool):
            return None
        if not isinstance(node.schema, Mapping):
            return f"is no schema ({_shown(node.schema)})"
        if node.parent is not None and isinstance(node.schema.get("$id"), str):
            return None  # a resource of its own, whose references lead from itself (2020-12, core, section 9.3)
        for keyword, value in node.schema.items():
            fault = self._fault_at(node, keyword, value)
            if fault is not None:
                return fault
        return None

    def _fault_at(self, node: _Node, keyword: str, value: Any) -> str | None:
        kind = _VALUES.get(keyword)
        if kind is not None:
            lenient = self.dialect is Dialect.ANY and keyword in _CHANGED and isinstance(value, bool)
            if lenient or kind.holds(value):
                return None
            return f"says {keyword}: {_shown(value)}, which is not {kind.words}"
        if keyword == "$ref":
            return self._fault_of_reference(value)
        return self._note_inner(node, keyword, value)

    def _note_inner(self, node: _Node, keyword: str, value: Any) -> str | None:
        """Put the schemas behind a keyword on the list of those to look at; the fault where there are none."""
        listed = keyword in _LISTS or (
            keyword == "items" and self.dialect is not Dialect.DRAFT_2020 and isinstance(value, list)
        )
        if keyword in _MAPS:
            if not isinstance(value, Mapping):
                return f"has {keyword} that are not an object of schemas ({_shown(value)})"
            self.waiting.extend(node.inner(each, keyword, f".{name}") for name, each in value.items())
        elif listed:
            if not isinstance(value, list) or (not value and keyword != "items"):
                return f"has {keyword} that is not an array of schemas ({_shown(value)})"
            self.waiting.extend(node.inner(each, keyword, f"[{place}]") for place, each in enumerate(value))
        elif keyword in _SINGLE:
            self.waiting.append(node.inner(value, keyword))
        return None

    def _fault_of_reference(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return f"has a $ref that is not a string ({_shown(value)})"
        within = value == "#" or value.startswith("#/")
        if within and not self._leads_somewhere(value[1:]):
            return f"has a $ref to {clean(value, _SHOWN)}, which is not there"
        return None

    def _leads_somewhere(self, pointer: str) -> bool:
        """Whether a JSON pointer (RFC 6901) leads to something in this schema."""
        place: Any = self.root
        for step in unquote(pointer).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, Mapping) and name in place:
                place = place[name]
            elif isinstance(place, list) and name.isascii() and name.isdecimal() and int(name[:6]) < len(place):
                place = place[int(name[:6])]
            else:
                return False
        return True


@dataclass(frozen=True, slots=True)
class _Kind:
    holds: Callable[[Any], bool]
    words: str


def _size(schema: Any) -> int:
    """What looking at one schema costs, without those within it."""
    if not isinstance(schema, Mapping):
        return 1
    return 1 + len(schema) + sum(len(value) for value in schema.values() if isinstance(value, list | Mapping))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_natural(value: Any) -> bool:
    whole = value.is_integer() if isinstance(value, float) else isinstance(value, int) and not isinstance(value, bool)
    return whole and value >= 0


def _is_type(value: Any) -> bool:
    if isinstance(value, str):
        return value in _TYPES
    return _are_different_texts(value) and bool(value) and _TYPES.issuperset(value)


def _are_different_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value) and len(set(value)) == len(value)


_NUMBER: Final = _Kind(_is_number, "a number")
_NATURAL: Final = _Kind(_is_natural, "an integer from 0 on")
_VALUES: Final[Mapping[str, _Kind]] = {
    "type": _Kind(_is_type, "a type of JSON Schema"),
    "required": _Kind(_are_different_texts, "an array of different names"),
    "enum": _Kind(lambda value: isinstance(value, list), "an array"),
    "multipleOf": _Kind(lambda value: _is_number(value) and value > 0, "a number above 0"),
    "pattern": _Kind(lambda value: isinstance(value, str), "a string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
        _NATURAL,
    ),
}
_CHANGED: Final = frozenset({"exclusiveMinimum", "exclusiveMaximum", "required"})
"""Were booleans in dialects before draft-06."""

_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE: Final = frozenset(
    {
        "items",
        "additionalItems",
        "additionalProperties",
        "not",
        "if",
        "then",
        "else",
        "contains",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)


def broken_schemas(tools: Iterable[Mapping[str, Any]], revision: str) -> Iterator[Finding]:
    """One finding for every input or output schema of these tools that is no valid schema in its dialect."""
    named = revision >= _DIALECT_SINCE
    rule = section(revision, "basic", "json-schema-usage") if named else section(revision, "server/tools", "tool")
    budget = Budget()
    for tool in tools:
        for member in ("inputSchema", "outputSchema"):
            schema = tool.get(member)
            fault = schema_fault(schema, member, revision, budget) if isinstance(schema, Mapping) else None
            if fault is not None:
                yield Finding(text=f"{clean(str(tool.get('name')), 80)}: {fault}", rule=rule)


def schema_fault(schema: Mapping[str, Any], name: str, revision: str, budget: Budget | None = None) -> str | None:
    """What makes this no valid JSON schema, in words that begin with the place, or None.

    A dialect that is not known here is not judged: clients take such a schema as it is.
    """
    dialect = _dialect_of(schema, revision)
    if dialect is None:
        return None
    return _Reading(schema, dialect, deque([_Node(schema, name)])).fault(budget or Budget())


def _dialect_of(schema: Mapping[str, Any], revision: str) -> Dialect | None:
    named = schema.get("$schema")
    if named is None:
        return Dialect.DRAFT_2020 if revision >= _DIALECT_SINCE else Dialect.ANY
    if not isinstance(named, str):
        return Dialect.ANY
    return _DIALECTS.get(named.removesuffix("#").removeprefix("https://").removeprefix("http://"))


def _shown(value: Any) -> str:
    return shown_json(value, _SHOWN)
