"""Whether a JSON value is as a JSON Schema says, in bounded time and without asking anybody, whoever wrote either.

The dialects are 2020-12 and draft-07, told apart by `$schema`. What cannot be judged is left open and never counts as
a violation: a reference that leads out of the schema, `$dynamicRef`, `unevaluated…`, a pattern that RE2 does not know,
and whatever exceeds `BUDGET`. `format` is annotation, as in 2020-12 by default.
Source: JSON Schema 2020-12 and draft-07, core and validation.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote

from checks.inventory import spelled
from checks.patterns import Unusable, compiled
from checks.proofs import shown_json
from checks.text import clean

BUDGET: Final = 20_000
"""Keywords, members and elements that are looked at; some fifty milliseconds."""

DEEPEST: Final = 80
"""Schemas within schemas, references among them."""

_PATH_SHOWN: Final = 200
_WRITTEN: Final = 50
"""Values that a value may hold to be shown itself."""

_LONG: Final = 200

_MATCHED: Final = 100
"""Instructions of a pattern times characters of a text that cost as much as one element."""

_OPEN: Final = frozenset({"$dynamicRef", "$recursiveRef", "unevaluatedProperties", "unevaluatedItems"})
_NAMED_SCHEMAS: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
_LISTED_SCHEMAS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE_SCHEMAS: Final = (
    "items", "additionalItems", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
)  # fmt: skip
_DRAFT_07: Final = ("draft-07", "draft-06")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a schema says about a value."""

    fault: str | None
    """The first violation with its path, or None."""
    is_whole: bool
    """Whether everything was judged, as far as it was looked at."""


class _Open(Exception):
    """This cannot be judged."""


class _Spent(Exception):
    """The budget is used up."""


def judge(value: Any, schema: Any, *, is_ours: bool = False) -> Judged:
    """What the schema says about the value. Never raises.

    `is_ours` says that the schema is written for this judge: its patterns mean what RE2 takes them for.
    """
    run = _Run(schema, is_ours=is_ours)
    try:
        fault = run.fault(value, schema, "$")
    except (_Spent, RecursionError):
        return Judged(None, is_whole=False)
    return Judged(fault, is_whole=not run.open)


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: `1` is `1.0`, but not `true`. Raises RecursionError for endless nesting."""
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return (
            isinstance(other, list | tuple)
            and len(one) == len(other)
            and all(equal(first, second) for first, second in zip(one, other, strict=True))
        )
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def problem_with(schema: Any) -> str | None:
    """Why a schema that its owner wrote cannot be used in full, or None."""
    try:
        return next(
            (f"{where} {fault}" for where, node in _nodes(schema, "$") if (fault := _unusable(node, schema))), None
        )
    except RecursionError:
        return "$ is nested too deeply"


def _unusable(node: Any, root: Any) -> str | None:
    if isinstance(node, bool):
        return None
    if not isinstance(node, Mapping):
        return "is no schema"
    for keyword in node:
        if keyword in _OPEN:
            return f"says {keyword}, which is not judged here"
    if node is not root and "$id" in node:
        return "has an $id of its own, which is not followed here"
    if "$ref" in node and not isinstance(_resolved(node["$ref"], root), Mapping | bool):
        return "has a $ref that leads nowhere within this schema"
    kinds = node.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds] if "type" in node else []:
        if not isinstance(kind, str) or kind not in _TYPES:
            return "has a type that there is not"
    patterns = node.get("patternProperties")
    written = [node.get("pattern", ""), *(patterns if isinstance(patterns, Mapping) else ())]
    return next((f"has a pattern that {fault}" for each in written if (fault := _unusable_pattern(each))), None)


def _unusable_pattern(pattern: Any) -> str | None:
    if not isinstance(pattern, str):
        return "is no text"
    try:
        compiled(pattern)
    except Unusable as unusable:
        return str(unusable)
    return None


def _nodes(schema: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Every schema within a schema, with its place."""
    yield where, schema
    if not isinstance(schema, Mapping):
        return
    for keyword in _NAMED_SCHEMAS:
        named = schema.get(keyword)
        for name, each in named.items() if isinstance(named, Mapping) else ():
            if keyword != "dependencies" or not isinstance(each, list):
                yield from _nodes(each, f"{where}.{keyword}.{clean(str(name), 60)}")
    for keyword in (*_LISTED_SCHEMAS, *_SINGLE_SCHEMAS):
        if keyword in schema:
            inner = schema[keyword]
            listed = isinstance(inner, list) and (keyword in _LISTED_SCHEMAS or keyword == "items")
            for place, each in enumerate(inner) if listed else [(None, inner)]:
                yield from _nodes(each, f"{where}.{keyword}" + ("" if place is None else f"[{place}]"))


def _resolved(reference: Any, root: Any) -> Any:
    """What a reference within the schema leads to, or None."""
    if not isinstance(reference, str) or not isinstance(root, Mapping):
        return None
    base, _, fragment = reference.partition("#")
    if base and base != str(root.get("$id", "")).partition("#")[0]:
        return None
    if fragment and not fragment.startswith("/"):
        named = (node for _, node in islice(_nodes(root, "$"), BUDGET) if isinstance(node, Mapping))
        return next((node for node in named if fragment in (node.get("$anchor"), str(node.get("$id"))[1:])), None)
    found: Any = root
    for token in unquote(fragment).split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and len(name) < 7 and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, Mapping) and name in found:
            found = found[name]
        else:
            return None
    return found


def _is_integer(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": _is_integer,
}


class _Run:
    """One value under one schema. `open` is whether something could not be judged."""

    def __init__(self, root: Any, *, is_ours: bool) -> None:
        self._root = root
        self._is_ours = is_ours
        self._draft_07 = isinstance(root, Mapping) and any(each in str(root.get("$schema")) for each in _DRAFT_07)
        self._left = BUDGET
        self._depth = 0
        self._targets: dict[str, Any] = {}
        self.open = False

    def fault(self, value: Any, schema: Any, where: str) -> str | None:
        """The first violation, or None. What cannot be judged sets `open`. Raises _Spent."""
        self._spend(1)
        if schema is False:
            return f"{where} must not be there"
        if not isinstance(schema, Mapping) or (value is None and schema.get("nullable") is True):
            return None
        if self._depth >= DEEPEST or (schema is not self._root and "$id" in schema):
            self.open = True
            return None
        self._depth += 1
        try:
            return next((fault for fault in self._faults(value, schema, where) if fault is not None), None)
        finally:
            self._depth -= 1

    def _faults(self, value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str | None]:
        # In draft-07, section 8.3, what stands beside a $ref is ignored.
        keywords = ("$ref",) if self._draft_07 and "$ref" in schema else tuple(schema)
        for keyword in keywords:
            self._spend(1)
            if keyword in _OPEN:
                self.open = True
            rule = _RULES.get(keyword)
            if rule is not None:
                try:
                    yield rule(self, value, schema[keyword], schema, where)
                except _Open:
                    self.open = True

    def _holds(self, value: Any, schema: Any) -> bool:
        """Whether the value is as the schema says. Raises _Open where that cannot be said."""
        before, self.open = self.open, False
        try:
            fault = self.fault(value, schema, "$")
            if fault is None and self.open:
                raise _Open
            return fault is None
        finally:
            self.open = before

    def _spend(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise _Spent

    def _matches(self, pattern: Any, text: str) -> bool:
        if not isinstance(pattern, str):
            raise _Open
        try:
            ready = compiled(pattern)
        except Unusable:
            raise _Open from None
        self._spend(1 + ready.states * len(text) // _MATCHED)
        if not self._is_ours and not ready.means_the_same(text):
            raise _Open
        return ready.found_in(text)

    def _same(self, one: Any, other: Any) -> bool:
        self._spend(_size(other, self._left + 1))
        return equal(one, other)

    # any value

    def of_type(self, value: Any, kinds: Any, schema: Mapping[str, Any], where: str) -> str | None:
        named = kinds if isinstance(kinds, list) else [kinds]
        tests = [_TYPES.get(kind) if isinstance(kind, str) else None for kind in named]
        if any(test(value) for test in tests if test is not None):
            return None
        if None in tests or not tests:
            raise _Open
        return f"{where} is not of type {clean(' or '.join(named), 60)} ({_shown(value)})"

    def of_enum(self, value: Any, allowed: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if not isinstance(allowed, list) or any(self._same(value, each) for each in allowed):
            return None
        return f"{where} is none of the allowed values ({_shown(value)})"

    def of_const(self, value: Any, only: Any, schema: Mapping[str, Any], where: str) -> str | None:
        return None if self._same(value, only) else f"{where} is not {_shown(only)} ({_shown(value)})"

    def of_reference(self, value: Any, reference: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if not isinstance(reference, str):
            raise _Open
        if reference not in self._targets:
            self._spend(20)
            self._targets[reference] = _resolved(reference, self._root)
        target = self._targets[reference]
        if not isinstance(target, Mapping | bool):
            raise _Open
        return self.fault(value, target, where)

    def of_all(self, value: Any, schemas: Any, schema: Mapping[str, Any], where: str) -> str | None:
        return self._first(self.fault(value, each, where) for each in _list(schemas))

    def of_any(self, value: Any, schemas: Any, schema: Mapping[str, Any], where: str) -> str | None:
        return None if self._count(value, schemas, 1) else f"{where} is as no schema of anyOf says ({_shown(value)})"

    def of_one(self, value: Any, schemas: Any, schema: Mapping[str, Any], where: str) -> str | None:
        number = self._count(value, schemas, 2)
        return (
            None if number == 1 else f"{where} is as {'several' if number else 'none'} of oneOf say ({_shown(value)})"
        )

    def _count(self, value: Any, schemas: Any, enough: int) -> int:
        """How many of the schemas hold, up to `enough`. Raises _Open where those left open would decide."""
        number, left_open = 0, False
        for each in _list(schemas):
            try:
                number += self._holds(value, each)
            except _Open:
                left_open = True
            if number >= enough:
                return number
        if left_open:
            raise _Open
        return number

    def of_not(self, value: Any, inner: Any, schema: Mapping[str, Any], where: str) -> str | None:
        return f"{where} is what it must not be ({_shown(value)})" if self._holds(value, inner) else None

    def of_if(self, value: Any, condition: Any, schema: Mapping[str, Any], where: str) -> str | None:
        branch = "then" if self._holds(value, condition) else "else"
        return self.fault(value, schema[branch], where) if branch in schema else None

    # numbers and text

    def of_minimum(self, value: Any, limit: Any, schema: Mapping[str, Any], where: str) -> str | None:
        return _beyond(value, limit, where, "less than", lambda: value < limit)

    def of_maximum(self, value: Any, limit: Any, schema: Mapping[str, Any], where: str) -> str | None:
        return _beyond(value, limit, where, "more than", lambda: value > limit)

    def above(self, value: Any, limit: Any, schema: Mapping[str, Any], where: str) -> str | None:
        return _beyond(value, limit, where, "not more than", lambda: value <= limit)

    def below(self, value: Any, limit: Any, schema: Mapping[str, Any], where: str) -> str | None:
        return _beyond(value, limit, where, "not less than", lambda: value >= limit)

    def of_multiple(self, value: Any, step: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if not _is_number(value) or not _is_number(step) or step <= 0:
            return None
        try:
            rest = Decimal(str(value)) % Decimal(str(step))
        except InvalidOperation:
            raise _Open from None
        return f"{where} is no multiple of {_shown(step)} ({_shown(value)})" if rest else None

    def of_pattern(self, value: Any, pattern: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if not isinstance(value, str) or self._matches(pattern, value):
            return None
        return f"{where} does not match the pattern {_shown(pattern)} ({_shown(value)})"

    # objects

    def of_required(self, value: Any, names: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if not isinstance(value, Mapping):
            return None
        self._spend(len(_list(names)))
        missing = (name for name in _list(names) if isinstance(name, str) and name not in value)
        return next((f"{where} has no {clean(name, 80)}" for name in missing), None)

    def of_properties(self, value: Any, properties: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if not isinstance(value, Mapping) or not isinstance(properties, Mapping):
            return None
        self._spend(len(properties))
        present = ((name, each) for name, each in properties.items() if name in value)
        return self._first(self.fault(value[name], each, _member(where, name)) for name, each in present)

    def of_patterns(self, value: Any, patterns: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if not isinstance(value, Mapping) or not isinstance(patterns, Mapping):
            return None
        pairs = ((name, pattern) for pattern in patterns for name in value if self._matches(pattern, name))
        return self._first(self.fault(value[name], patterns[each], _member(where, name)) for name, each in pairs)

    def of_others(self, value: Any, inner: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if not isinstance(value, Mapping):
            return None
        self._spend(len(value))
        known, patterns = schema.get("properties"), schema.get("patternProperties")
        named = known if isinstance(known, Mapping) else {}
        written = tuple(patterns) if isinstance(patterns, Mapping) else ()
        others = (n for n in value if n not in named and not any(self._matches(each, n) for each in written))
        return self._first(self.fault(value[name], inner, _member(where, name)) for name in others)

    def of_names(self, value: Any, inner: Any, schema: Mapping[str, Any], where: str) -> str | None:
        names = value if isinstance(value, Mapping) else ()
        return self._first(self.fault(name, inner, f"the name {_member(where, name)}") for name in names)

    def of_dependents(self, value: Any, needs: Any, schema: Mapping[str, Any], where: str) -> str | None:
        """`dependentRequired`, `dependentSchemas`, and `dependencies` of draft-07, which is either."""
        if not isinstance(value, Mapping) or not isinstance(needs, Mapping):
            return None
        self._spend(len(needs))
        present = (need for name, need in needs.items() if name in value)
        return self._first(
            self.of_required(value, need, schema, where) if isinstance(need, list) else self.fault(value, need, where)
            for need in present
        )

    # arrays

    def of_prefix(self, value: Any, schemas: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if not isinstance(value, list):
            return None
        pairs = zip(value, _list(schemas), strict=False)
        return self._first(self.fault(each, inner, f"{where}[{at}]") for at, (each, inner) in enumerate(pairs))

    def of_items(self, value: Any, inner: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if isinstance(inner, list):
            return self.of_prefix(value, inner, schema, where)
        return self._from(value, len(_list(schema.get("prefixItems"))), inner, where)

    def of_further_items(self, value: Any, inner: Any, schema: Mapping[str, Any], where: str) -> str | None:
        before = schema.get("items")
        return self._from(value, len(before), inner, where) if isinstance(before, list) else None

    def _from(self, value: Any, start: int, inner: Any, where: str) -> str | None:
        rest = islice(enumerate(value), start, None) if isinstance(value, list) else ()
        return self._first(self.fault(each, inner, f"{where}[{at}]") for at, each in rest)

    def of_contained(self, value: Any, inner: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if not isinstance(value, list):
            return None
        least, most = schema.get("minContains", 1), schema.get("maxContains", len(value))
        number = sum(self._holds(each, inner) for each in value)
        if _is_number(least) and number < least:
            return f"{where} has {number} elements as contains says, fewer than {_shown(least)}"
        if _is_number(most) and number > most:
            return f"{where} has {number} elements as contains says, more than {_shown(most)}"
        return None

    def of_unique(self, value: Any, wanted: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if wanted is not True or not isinstance(value, list):
            return None
        self._spend(_size(value, self._left + 1))
        seen: set[str] = set()
        for at, each in enumerate(value):
            spelling = spelled(_plain(each))
            if spelling in seen:
                return f"{where}[{at}] is there twice ({_shown(each)})"
            seen.add(spelling)
        return None

    @staticmethod
    def _first(faults: Iterable[str | None]) -> str | None:
        return next((fault for fault in faults if fault is not None), None)


_Rule = Callable[[_Run, Any, Any, Mapping[str, Any], str], str | None]


def _beyond(value: Any, limit: Any, where: str, words: str, is_beyond: Callable[[], bool]) -> str | None:
    if not _is_number(value) or not _is_number(limit) or not is_beyond():
        return None
    return f"{where} is {words} {_shown(limit)} ({_shown(value)})"


def _sized(kind: type[Any], noun: str, *, least: bool) -> _Rule:
    """A rule about the number of characters, elements or members."""

    def rule(run: _Run, value: Any, limit: Any, schema: Mapping[str, Any], where: str) -> str | None:
        if not isinstance(value, kind) or not _is_number(limit):
            return None
        if least:
            return f"{where} has fewer than {_shown(limit)} {noun} ({len(value)})" if len(value) < limit else None
        return f"{where} has more than {_shown(limit)} {noun} ({len(value)})" if len(value) > limit else None

    return rule


_RULES: Final[Mapping[str, _Rule]] = {
    "type": _Run.of_type,
    "enum": _Run.of_enum,
    "const": _Run.of_const,
    "$ref": _Run.of_reference,
    "allOf": _Run.of_all,
    "anyOf": _Run.of_any,
    "oneOf": _Run.of_one,
    "not": _Run.of_not,
    "if": _Run.of_if,
    "minimum": _Run.of_minimum,
    "maximum": _Run.of_maximum,
    "exclusiveMinimum": _Run.above,
    "exclusiveMaximum": _Run.below,
    "multipleOf": _Run.of_multiple,
    "pattern": _Run.of_pattern,
    "minLength": _sized(str, "characters", least=True),
    "maxLength": _sized(str, "characters", least=False),
    "required": _Run.of_required,
    "properties": _Run.of_properties,
    "patternProperties": _Run.of_patterns,
    "additionalProperties": _Run.of_others,
    "propertyNames": _Run.of_names,
    "dependentRequired": _Run.of_dependents,
    "dependentSchemas": _Run.of_dependents,
    "dependencies": _Run.of_dependents,
    "minProperties": _sized(Mapping, "members", least=True),
    "maxProperties": _sized(Mapping, "members", least=False),
    "prefixItems": _Run.of_prefix,
    "items": _Run.of_items,
    "additionalItems": _Run.of_further_items,
    "contains": _Run.of_contained,
    "uniqueItems": _Run.of_unique,
    "minItems": _sized(list, "elements", least=True),
    "maxItems": _sized(list, "elements", least=False),
}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _member(where: str, name: str) -> str:
    return f"{where}.{clean(name, 60)}" if len(where) < _PATH_SHOWN else where


def _size(value: Any, limit: int) -> int:
    """How many values a value holds, counted to `limit` or a little beyond; a long text counts several times."""
    waiting, number = [value], 0
    while waiting and number < limit:
        each = waiting.pop()
        number += 1
        inner = each.values() if isinstance(each, Mapping) else each if isinstance(each, list) else ()
        number += sum(len(key) for key in islice(each, limit)) // _LONG if isinstance(each, Mapping) else 0
        number += len(each) // _LONG if isinstance(each, str) else 0
        waiting += islice(inner, limit)
    return number


def _plain(value: Any) -> Any:
    """The value with whole numbers as integers, so that equal ones are spelled alike."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(value: Any) -> str:
    """A value, bounded before it is written out: a large one is shown by its kind."""
    if isinstance(value, Mapping | list) and _size(value, _WRITTEN) >= _WRITTEN:
        return "a large object" if isinstance(value, Mapping) else "a large array"
    return shown_json(value[:200] if isinstance(value, str) else value, 60)
