"""How one JSON Schema differs from another: whether it now accepts less, more, or cannot be told.

The rules are those of JSON Schema 2020-12, which hold for draft-07 as well where both know a keyword. What they cannot
compare (a pattern with another, a keyword of somebody's own) is said to be untold rather than guessed.
"""

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from enum import Enum, auto
from fractions import Fraction
from typing import Any, Final

from checks.inventory import spelled

DEEPEST: Final = 40
"""Schemas within schemas that are compared keyword by keyword; below, a difference is untold."""

MOST_REFERENCES: Final = 500
"""Pairs of references that are followed."""

_UNSAID: Final = object()

_ANYTHING: Final[Mapping[str, Any]] = {}
_NOTHING: Final[Mapping[str, Any]] = {"not": {}}

_ALL_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})

_TEXTS: Final = frozenset(
    {"title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples", "$comment", "$schema", "$id"}
)
"""Keywords that no value is measured by (2020-12 validation section 9, core section 8)."""

_LEAST: Final = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"})
_MOST: Final = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"})
_WITHIN: Final = frozenset(
    {"items", "additionalProperties", "unevaluatedProperties", "unevaluatedItems", "propertyNames", "contains"}
)
"""Keywords whose value is one schema that parts of a value must meet; unsaid, anything does."""

_STRICTER: Final = frozenset({"pattern", "format", "contentEncoding", "contentMediaType"})
"""Keywords that only ever rule out, and whose values cannot be compared with one another."""

_ELSEWHERE: Final = frozenset({"const", "enum", "properties", "required"})
"""Keywords that are compared by a rule of their own."""


class Direction(Enum):
    """What a change does to the values that a schema accepts."""

    LESS = auto()
    MORE = auto()
    OTHER = auto()
    """Some that were accepted no longer are, and the other way round."""
    UNTOLD = auto()
    """No rule tells."""
    NONE = auto()
    """Only what people and models read."""
    NEW_PROPERTY = auto()
    """A property is described that was not; whether it must be there is a change of its own."""
    LOST_PROPERTY = auto()
    """A property is no longer described; `closed` where it is no longer accepted either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChange:
    """One difference. `path` leads to it by keywords; values are None where there was or is none."""

    path: tuple[str, ...]
    kind: str
    direction: Direction
    before: Any = None
    after: Any = None
    closed: bool = False


def schema_changes(before: Any, after: Any) -> Iterator[SchemaChange]:
    """Every difference between two whole schemas that means something, or only reads otherwise."""
    comparison = _Comparison(before, after)
    return comparison.schemas(before, after, ())


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two whole schemas, which references within them point into."""

    before: Any
    after: Any
    compared: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of references that were followed: each once, so that a schema may refer to itself."""

    def schemas(self, before: Any, after: Any, path: tuple[str, ...]) -> Iterator[SchemaChange]:
        if self._is_done(_reference(before), _reference(after)):
            return
        old, new = _resolved(before, self.before), _resolved(after, self.after)
        if old == new and not _refers(old):
            return
        if len(path) > 2 * DEEPEST or len(self.compared) > MOST_REFERENCES:
            yield _change(path, "changed", Direction.UNTOLD, _UNSAID, _UNSAID)
            return
        yield from _texts(old, new, path)
        if _is_open(old) != _is_open(new):
            narrowed = _is_open(old)
            direction = Direction.LESS if narrowed else Direction.MORE
            yield _change(path, "narrowed" if narrowed else "widened", direction, _core(old), _core(new))
        elif _is_choice(old) or _is_choice(new):
            yield from self._choices(old, new, path)
        else:
            yield from self._keywords(_core(old), _core(new), path)

    def _is_done(self, old: str | None, new: str | None) -> bool:
        """Whether these two references have been followed together, and from now on they have."""
        if old is None or new is None:
            return False  # one of the two schemas is written out, and ends
        known = (old, new) in self.compared
        self.compared.add((old, new))
        return known

    def _keywords(
        self, old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...]
    ) -> Iterator[SchemaChange]:
        yield from _values(old, new, path)
        yield from _required(old, new, path)
        yield from self._properties(old, new, path)
        for name in sorted((old.keys() | new.keys()) - _ELSEWHERE):
            said, says = old.get(name, _UNSAID), new.get(name, _UNSAID)
            if name in _WITHIN and not isinstance(said, list) and not isinstance(says, list):
                yield from self._within(name, said, says, path)
            elif said is _UNSAID or says is _UNSAID or spelled(said) != spelled(says):
                yield from _keyword(name, said, says, path)
            elif _refers(says):
                yield from self._alike(said, says, (*path, name))

    def _within(self, name: str, said: Any, says: Any, path: tuple[str, ...]) -> Iterator[SchemaChange]:
        old, new = (True if each is _UNSAID else each for each in (said, says))
        if _is_closed(old) != _is_closed(new):
            direction = Direction.LESS if _is_closed(new) else Direction.MORE
            yield _change((*path, name), "closed" if _is_closed(new) else "opened", direction, said, says)
        else:
            yield from self.schemas(old, new, (*path, name))

    def _properties(
        self, old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...]
    ) -> Iterator[SchemaChange]:
        had, has = _mapping(old.get("properties")), _mapping(new.get("properties"))
        for name in sorted(had.keys() | has.keys()):
            place = (*path, "properties", name)
            if name not in has:
                rest = [new.get(each, True) for each in ("additionalProperties", "unevaluatedProperties")]
                closed = not all(_is_open(each) for each in rest)
                yield SchemaChange(
                    path=place, kind="property-removed", direction=Direction.LOST_PROPERTY, closed=closed
                )
            elif name not in had:
                yield SchemaChange(path=place, kind="property-added", direction=Direction.NEW_PROPERTY, after=has[name])
            else:
                yield from self.schemas(had[name], has[name], place)

    def _choices(self, old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[SchemaChange]:
        """Schemas of which at least one is nothing but a choice: the other is a choice of one."""
        was, now = _branches(old), _branches(new)
        gone = [each for key, each in was.items() if key not in now]
        come = [each for key, each in now.items() if key not in was]
        if not gone and not come:
            for key in sorted(was):
                yield from self._alike(was[key], now[key], path)
        elif not gone or not come:
            direction = Direction.LESS if gone else Direction.MORE
            kind = "choice-removed" if gone else "choice-added"
            yield _change(path, kind, direction, gone or None, come or None)
        elif len(gone) == len(come) == 1:
            yield from self.schemas(gone[0], come[0], path)
        else:
            yield _change(path, "choices-changed", Direction.UNTOLD, gone, come)

    def _alike(self, old: Any, new: Any, path: tuple[str, ...]) -> Iterator[SchemaChange]:
        """What changed behind the references of parts that read the same."""
        if isinstance(old, list) and isinstance(new, list):
            for number, (one, other) in enumerate(zip(old, new, strict=False)):
                yield from self._alike(one, other, (*path, str(number)))
        elif _refers(old):
            yield from self.schemas(old, new, path)


def _values(old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[SchemaChange]:
    """`enum` and `const`, which is an `enum` of one."""
    was, now = _listed_values(old), _listed_values(new)
    if was == now:
        return
    said, says = (
        each.get("enum", [each["const"]] if "const" in each else _UNSAID) for each in (old, new)
    )  # as they stand, for people to read
    kinds = {Direction.LESS: "values-removed", Direction.MORE: "values-added"}
    direction = _direction(was, now)
    yield _change((*path, "enum"), kinds.get(direction, "values-changed"), direction, said, says)


def _listed_values(schema: Mapping[str, Any]) -> Set[str] | None:
    """The values that a schema lists, or None where it lists none and so allows all."""
    if "const" in schema:
        return frozenset({spelled(schema["const"])})
    listed = schema.get("enum")
    return frozenset(spelled(each) for each in listed) if isinstance(listed, list) else None


def _required(old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[SchemaChange]:
    was, now = _names(old.get("required")), _names(new.get("required"))
    for name in sorted(now - was):
        yield SchemaChange(path=(*path, "required", name), kind="required-added", direction=Direction.LESS)
    for name in sorted(was - now):
        yield SchemaChange(path=(*path, "required", name), kind="required-removed", direction=Direction.MORE)


def _texts(old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[SchemaChange]:
    for name in sorted(_TEXTS & (old.keys() | new.keys())):
        said, says = old.get(name, _UNSAID), new.get(name, _UNSAID)
        if said is _UNSAID or says is _UNSAID or spelled(said) != spelled(says):
            yield _change((*path, name), "text-changed", Direction.NONE, said, says)


def _keyword(name: str, said: Any, says: Any, path: tuple[str, ...]) -> Iterator[SchemaChange]:
    """A keyword that is judged alone."""
    rule = _RULES.get(name)
    direction = Direction.UNTOLD if rule is None else rule(said, says)
    if direction is not Direction.NONE:
        yield _change((*path, name), _KINDS.get(name, "keyword-changed"), direction, said, says)


def _of_type(said: Any, says: Any) -> Direction:
    return _direction(_types(said), _types(says))


def _types(value: Any) -> Set[str]:
    if value is _UNSAID:
        return _ALL_TYPES
    named = frozenset(each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str))
    return named | {"integer"} if "number" in named else named


def _of_least(said: Any, says: Any) -> Direction:
    return _of_bound(said, says, tightens=lambda old, new: new > old)


def _of_most(said: Any, says: Any) -> Direction:
    return _of_bound(said, says, tightens=lambda old, new: new < old)


def _of_bound(said: Any, says: Any, *, tightens: Callable[[Any, Any], bool]) -> Direction:
    if not all(each is _UNSAID or _is_number(each) for each in (said, says)):
        return Direction.UNTOLD  # such as the boolean `exclusiveMinimum` of draft-04
    if said is _UNSAID or says is _UNSAID:
        return Direction.LESS if said is _UNSAID else Direction.MORE
    return Direction.LESS if tightens(said, says) else Direction.MORE


def _of_multiple(said: Any, says: Any) -> Direction:
    if said is _UNSAID or says is _UNSAID:
        return Direction.LESS if said is _UNSAID else Direction.MORE
    if not (_is_number(said) and _is_number(says) and said > 0 and says > 0):
        return Direction.UNTOLD
    if (Fraction(str(says)) / Fraction(str(said))).denominator == 1:
        return Direction.LESS
    return Direction.MORE if (Fraction(str(said)) / Fraction(str(says))).denominator == 1 else Direction.OTHER


def _of_unique(said: Any, says: Any) -> Direction:
    if (said is True) == (says is True):
        return Direction.NONE
    return Direction.LESS if says is True else Direction.MORE


def _of_stricter(said: Any, says: Any) -> Direction:
    if said is _UNSAID:
        return Direction.LESS
    return Direction.MORE if says is _UNSAID else Direction.UNTOLD


_RULES: Final[Mapping[str, Callable[[Any, Any], Direction]]] = {
    "type": _of_type,
    "multipleOf": _of_multiple,
    "uniqueItems": _of_unique,
    **dict.fromkeys(_LEAST, _of_least),
    **dict.fromkeys(_MOST, _of_most),
    **dict.fromkeys(_STRICTER, _of_stricter),
}
_KINDS: Final = {
    "type": "type-changed",
    "pattern": "pattern-changed",
    "format": "format-changed",
    **dict.fromkeys(_LEAST | _MOST | {"multipleOf", "uniqueItems"}, "bound-changed"),
}


def _direction(was: Set[str] | None, now: Set[str] | None) -> Direction:
    """How two sets of what is accepted compare; None is everything."""
    if was == now:
        return Direction.NONE
    if was is None or (now is not None and now < was):
        return Direction.LESS
    return Direction.MORE if now is None or was < now else Direction.OTHER


def _change(path: tuple[str, ...], kind: str, direction: Direction, said: Any, says: Any) -> SchemaChange:
    before, after = (None if each is _UNSAID else each for each in (said, says))
    return SchemaChange(path=path, kind=kind, direction=direction, before=before, after=after)


def _resolved(schema: Any, whole: Any) -> Mapping[str, Any]:
    """The schema as a mapping, with what it refers to within `whole` put in place. Others' documents are not read."""
    found = _as_mapping(schema)
    for _ in range(DEEPEST):
        reference = _reference(found)
        target = _UNSAID if reference is None else _pointed_at(reference, whole)
        if target is _UNSAID:
            return found
        beside = {name: value for name, value in found.items() if name != "$ref"}
        found = {**_as_mapping(target), **beside}
    return found


def _pointed_at(reference: str, whole: Any) -> Any:
    """What a JSON Pointer (RFC 6901) within the document names."""
    if reference != "#" and not reference.startswith("#/"):
        return _UNSAID
    found = whole
    for part in reference.split("/")[1:]:
        if not isinstance(found, Mapping):
            return _UNSAID
        found = found.get(part.replace("~1", "/").replace("~0", "~"), _UNSAID)
    return found


def _reference(schema: Any) -> str | None:
    reference = schema.get("$ref") if isinstance(schema, Mapping) else None
    return reference if isinstance(reference, str) else None


def _refers(value: Any) -> bool:
    """Whether a reference stands anywhere in the value."""
    if isinstance(value, Mapping):
        return "$ref" in value or any(_refers(each) for each in value.values())
    return isinstance(value, list) and any(_refers(each) for each in value)


def _core(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keywords that rule values out."""
    return {
        name: value for name, value in schema.items() if name not in _TEXTS and name not in ("$defs", "definitions")
    }


def _is_choice(schema: Mapping[str, Any]) -> bool:
    core = _core(schema)
    return len(core) == 1 and any(isinstance(core.get(name), list) for name in ("anyOf", "oneOf"))


def _branches(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The schemas of a choice, each by its canonical spelling without texts."""
    core = _core(schema)
    if _is_choice(schema):
        listed = next(iter(core.values()))
    elif core.keys() == {"type"} and isinstance(core["type"], list):
        listed = [{"type": each} for each in core["type"]]
    else:
        listed = [core]
    cores = [_core(_as_mapping(each)) for each in listed]
    return {spelled(each): each for each in cores}


def _as_mapping(schema: Any) -> Mapping[str, Any]:
    """A schema as keywords: `true` is the empty one, and what is no schema rules nothing out."""
    if schema is False:
        return _NOTHING
    return schema if isinstance(schema, Mapping) else _ANYTHING


def _is_closed(schema: Any) -> bool:
    return schema is False or (isinstance(schema, Mapping) and dict(schema) == _NOTHING)


def _is_open(schema: Any) -> bool:
    return not _is_closed(schema) and not _core(_as_mapping(schema))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _names(value: Any) -> Set[str]:
    return frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else frozenset()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else _ANYTHING
