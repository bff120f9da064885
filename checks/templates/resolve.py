"""Intrinsic functions of CloudFormation, resolved as far as a template alone tells their values.

Conditions are taken both ways. A `World` is one choice of what conditions look at: parameters and pseudo parameters get
the values that they are compared with, and one that differs; whatever else is compared may be equal or not.
Source: CloudFormation Template Reference, "Intrinsic functions" and "Condition functions".
"""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

from checks.templates.values import UNTOLD, is_told, partly, table, text

MOST_WORLDS: Final = 64
MOST_TEXT: Final = 8192
"""How long a text may grow by putting others into it, in characters."""
MOST_PIECES: Final = 512
"""How many texts are put together into one."""
MOST_STEPS: Final = 400_000
"""How many values are resolved in one world."""
MOST_DEPTH: Final = 60
_MOST_VALUES: Final = 8
"""Allowed values of one parameter that are tried."""

_VARIABLE: Final = re.compile(r"\$\{(!?)([^}]*)\}")
_NO_VALUE: Final = object()
_DYNAMIC: Final = "{{resolve:"


@dataclass(frozen=True)
class World:
    """One choice of what conditions look at."""

    chosen: Mapping[str, str] = field(default_factory=dict)
    """By the name of a parameter, or by the canonical JSON of a comparison (`true` or `false`)."""

    def told(self) -> str:
        """The choice in words."""
        return " and ".join(_in_words(name, value) for name, value in self.chosen.items())


@dataclass(frozen=True)
class Choice:
    """Something that conditions look at, with the values that are tried, the default first."""

    name: str
    values: tuple[str, ...]


def _in_words(name: str, value: str) -> str:
    if name.startswith("{"):
        return f"{name} is {value}"
    return f"{name} is {value}" if is_told(value) else f"{name} is none of those that it is compared with"


class Resolver:
    """Resolves values of one template in one world."""

    def __init__(self, template: Mapping[str, Any], world: World) -> None:
        self._template = template
        self._world = world
        self._depth = 0
        self._steps = 0
        self._held: dict[str, bool] = {}
        self._functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::If": self._if,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
        }

    def value(self, raw: Any) -> Any:
        """`raw` with everything resolved that can be; what cannot stays as `${…}` in a text."""
        self._depth += 1
        self._steps += 1
        try:
            resolved = UNTOLD if self._depth > MOST_DEPTH or self._steps > MOST_STEPS else self._value(raw)
        finally:
            self._depth -= 1
        return None if resolved is _NO_VALUE and self._depth == 0 else resolved

    def holds(self, condition: Any) -> bool:
        """Whether a condition, by its name or written out, holds in this world."""
        self._depth += 1
        self._steps += 1
        try:
            return self._depth <= MOST_DEPTH and self._steps <= MOST_STEPS and self._holds(condition)
        finally:
            self._depth -= 1

    def _value(self, raw: Any) -> Any:
        if isinstance(raw, dict):
            if (name := function_of(raw)) is not None:
                known = self._functions.get(name)
                return known(raw[name]) if known is not None else UNTOLD
            pairs = ((key, self.value(item)) for key, item in raw.items())
            return {key: item for key, item in pairs if item is not _NO_VALUE}
        if isinstance(raw, list):
            return [item for item in (self.value(each) for each in raw) if item is not _NO_VALUE]
        return UNTOLD if isinstance(raw, str) and _DYNAMIC in raw else raw

    def _ref(self, name: Any) -> Any:
        if not isinstance(name, str):
            return UNTOLD
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._world.chosen:
            return self._world.chosen[name]
        parameter = table(self._template.get("Parameters")).get(name)
        if isinstance(parameter, dict):
            told = _default_of(parameter, name)
            return told.split(",") if is_told(told) and _is_list(parameter) else told
        return f"${{{name}}}"

    def _get_att(self, wanted: Any) -> Any:
        parts = wanted.split(".", 1) if isinstance(wanted, str) else wanted
        if isinstance(parts, list) and len(parts) == 2 and all(isinstance(each, str) for each in parts):
            return f"${{{parts[0]}.{parts[1]}}}"
        return UNTOLD

    def _sub(self, wanted: Any) -> Any:
        pattern, raw = (wanted[0], table(wanted[1])) if _is_pair(wanted) else (wanted, {})
        if not isinstance(pattern, str) or len(pattern) > MOST_TEXT:
            return UNTOLD
        given = {name: self.value(each) for name, each in raw.items()}

        def put(found: re.Match[str]) -> str:
            name = found[2].strip()
            if found[1]:
                return f"${{{name}}}"  # a literal, which is then told in part only
            put_in = given.get(name)
            if put_in is None:
                put_in = self._get_att(name) if "." in name else self._ref(name)
            return _short(put_in)

        return _bounded(_VARIABLE.sub(put, pattern)) if pattern.count("${") <= MOST_PIECES else UNTOLD

    def _join(self, wanted: Any) -> Any:
        if not _is_pair(wanted) or not isinstance(wanted[0], str):
            return UNTOLD
        parts = self.value(wanted[1])
        if not isinstance(parts, list):
            return UNTOLD
        pieces = [_short(each) for each in parts[: MOST_PIECES + 1]]
        if len(pieces) > MOST_PIECES or len(wanted[0]) > MOST_PIECES:
            return UNTOLD
        return _bounded(wanted[0].join(pieces))

    def _if(self, wanted: Any) -> Any:
        if not isinstance(wanted, list) or len(wanted) != 3:
            return UNTOLD
        return self.value(wanted[1] if self.holds(wanted[0]) else wanted[2])

    def _find_in_map(self, wanted: Any) -> Any:
        keys = self.value(wanted)
        if not isinstance(keys, list) or len(keys) < 3:
            return UNTOLD
        found: Any = self._template.get("Mappings")
        for key in keys[:3]:
            found = table(found).get(text(key) or UNTOLD)
        return UNTOLD if found is None or isinstance(found, dict) else found

    def _select(self, wanted: Any) -> Any:
        if not _is_pair(wanted):
            return UNTOLD
        index, among = text(self.value(wanted[0])), self.value(wanted[1])
        if isinstance(among, str):
            return among  # a part of something that is told once it is deployed
        if index is None or not index.isdecimal() or not isinstance(among, list) or int(index) >= len(among):
            return UNTOLD
        return among[int(index)]

    def _split(self, wanted: Any) -> Any:
        if not _is_pair(wanted) or not isinstance(wanted[0], str) or not wanted[0]:
            return UNTOLD
        whole = self.value(wanted[1])
        if not isinstance(whole, str) or len(whole) > MOST_TEXT:
            return UNTOLD
        return whole.split(wanted[0]) if is_told(whole) else whole

    def _holds(self, condition: Any) -> bool:
        if isinstance(condition, str):
            if condition not in self._held:
                self._held[condition] = False  # what a condition that means itself would find
                self._held[condition] = self.holds(table(self._template.get("Conditions")).get(condition))
            return self._held[condition]
        if not isinstance(condition, dict) or len(condition) != 1:
            return False
        ((name, of),) = condition.items()
        parts = of if isinstance(of, list) else [of]
        if name == "Condition":
            return self.holds(of)
        if name == "Fn::Not":
            return not any(self.holds(each) for each in parts)
        if name == "Fn::And":
            return all(self.holds(each) for each in parts)
        if name == "Fn::Or":
            return any(self.holds(each) for each in parts)
        return name == "Fn::Equals" and self._equal(of)

    def _equal(self, sides: Any) -> bool:
        if not _is_pair(sides):
            return False
        if (free := _canonical(sides)) in self._world.chosen:
            return self._world.chosen[free] == "true"
        return bool(text(self.value(sides[0])) == text(self.value(sides[1])))


def function_of(raw: Mapping[str, Any]) -> str | None:
    """The intrinsic function that a mapping stands for, or None."""
    if len(raw) != 1:
        return None
    name = next(iter(raw))
    return name if name == "Ref" or name.startswith("Fn::") else None


def worlds(template: Mapping[str, Any], resources: Iterable[Any]) -> tuple[list[World], bool]:
    """The worlds that matter to `resources`, that of the defaults first, and whether these are all combinations."""
    choices = _choices(template, _named_conditions(template, resources))
    count = 1
    for each in choices:
        count *= len(each.values)
    if count <= MOST_WORLDS:
        made = itertools.product(*(each.values for each in choices))
        return [World({each.name: value for each, value in zip(choices, row, strict=True)}) for row in made], True
    usual = {each.name: each.values[0] for each in choices}
    single = (World({**usual, each.name: value}) for each in choices for value in each.values[1:])
    return [World(usual), *itertools.islice(single, MOST_WORLDS - 1)], False


def _named_conditions(template: Mapping[str, Any], resources: Iterable[Any]) -> set[str]:
    """Conditions that resources depend on, and those that these are made of."""
    conditions = table(template.get("Conditions"))
    found: set[str] = set()
    waiting = [name for each in resources for name in _conditions_in(each)]
    while waiting:
        name = waiting.pop()
        if name not in found and name in conditions:
            found.add(name)
            waiting += list(_conditions_in(conditions[name]))
    return found


def _conditions_in(value: Any) -> Iterator[str]:
    for each in _walk(value):
        if isinstance(each.get("Condition"), str):
            yield each["Condition"]
        asked = each.get("Fn::If")
        if isinstance(asked, list) and asked and isinstance(asked[0], str):
            yield asked[0]


def _choices(template: Mapping[str, Any], names: set[str]) -> list[Choice]:
    compared: dict[str, list[str]] = {}
    free: dict[str, None] = {}
    conditions = table(template.get("Conditions"))
    for name in sorted(names):
        for each in _walk(conditions[name]):
            sides = each.get("Fn::Equals")
            if not _is_pair(sides):
                continue
            if (simple := _simple(sides)) is None:
                free[_canonical(sides)] = None
            elif simple[0]:
                compared.setdefault(simple[0], []).append(simple[1])
    chosen = [Choice(name, _values(template, name, literals)) for name, literals in compared.items()]
    return chosen + [Choice(name, ("false", "true")) for name in free]


def _simple(sides: Sequence[Any]) -> tuple[str, str] | None:
    """The name and the literal of a comparison of the two, ("", "") for two literals, None for any other."""
    left, right = ((each["Ref"], None) if _is_ref(each) else (None, text(each)) for each in sides)
    if left[0] and right[1] is not None:
        return left[0], right[1]
    if right[0] and left[1] is not None:
        return right[0], left[1]
    return ("", "") if left[1] is not None and right[1] is not None else None


def _values(template: Mapping[str, Any], name: str, literals: Sequence[str]) -> tuple[str, ...]:
    """What is tried for a parameter: its default first, the literals, and something else where that may be."""
    parameter = table(table(template.get("Parameters")).get(name))
    default = _default_of(parameter, name) if parameter else f"${{{name}}}"
    listed = parameter.get("AllowedValues")
    allowed = [told for each in listed if (told := text(each)) is not None] if isinstance(listed, list) else []
    if allowed and len(allowed) <= _MOST_VALUES:
        return tuple(dict.fromkeys([default, *allowed] if default in allowed else allowed))
    return tuple(dict.fromkeys([default, *literals, *((f"${{{name}}}",) if is_told(default) else ())]))


def _default_of(parameter: Mapping[str, Any], name: str) -> str:
    kind, default = parameter.get("Type"), parameter.get("Default")
    if isinstance(kind, str) and kind.startswith("AWS::SSM::"):
        return f"${{{name}}}"
    if isinstance(default, str) and _DYNAMIC in default:
        return f"${{{name}}}"
    told = text(default)
    return f"${{{name}}}" if told is None or len(told) > MOST_TEXT else told


def _walk(value: Any) -> Iterator[Mapping[str, Any]]:
    """All mappings in a value."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _is_pair(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and len(value) == 2


def _is_ref(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("Ref"), str)


def _canonical(sides: Any) -> str:
    return json.dumps({"Fn::Equals": sides}, sort_keys=True)


def _is_list(parameter: Mapping[str, Any]) -> bool:
    kind = parameter.get("Type")
    return isinstance(kind, str) and (kind == "CommaDelimitedList" or kind.startswith("List<"))


def _short(value: Any) -> str:
    """A value as a part of a text."""
    return _bounded(partly(value) or UNTOLD) if value != "" else ""


def _bounded(made: str) -> str:
    return made if len(made) <= MOST_TEXT else UNTOLD
