"""What changed from one list of tools to another, and whom it hurts.

A client that worked with the old list calls with arguments that were valid then and reads what was promised then. What
makes such a call fail, or such a result surprise, is breaking; what only allows more is additive; what people and
models alone read is text.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from checks.inventory import Inventory, ListedTool, spelled
from checks.schema_changes import Direction, SchemaChange, schema_changes
from checks.text import clean

CHANGES_KEPT: Final = 200
_OF_ONE_TOOL: Final = 50
_SHOWN: Final = 160
"""Characters of a value before and after."""
_PATH_SHOWN: Final = 200
_NAME_SHOWN: Final = 128


class Impact(StrEnum):
    """Whom a change hurts, the worst first."""

    BREAKING = "breaking"
    ADDITIVE = "additive"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between two lists. Names, paths and values are cleaned and cut: they come from a server."""

    tool: str
    path: str
    """Where in the tool's definition, as keywords joined by slashes; empty for the tool as a whole."""
    kind: str
    impact: Impact
    certain: bool = True
    """False where no rule tells whom the change hurts; it then counts as breaking."""
    before: str | None = None
    after: str | None = None

    @property
    def line(self) -> str:
        """The change for a person to read."""
        where = " ".join(part for part in (self.tool, self.path) if part)
        said = [each for each in (self.before, self.after) if each is not None]
        both = f": {self.before} → {self.after}" if len(said) == 2 else f": {said[0]}" if said else ""
        weight = self.impact.value if self.certain else f"{self.impact.value}, if it matters"
        return f"{where} {self.kind.replace('-', ' ')}{both} ({weight})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All that changed from one list to another, the worst first and at most `CHANGES_KEPT` changes."""

    changes: tuple[Change, ...] = ()
    is_whole: bool = True
    """False where there are more changes than are kept."""

    @property
    def impact(self) -> Impact | None:
        """That of the worst change; None where nothing changed."""
        return self.changes[0].impact if self.changes else None

    @property
    def is_certain(self) -> bool:
        """Whether a rule tells that the worst change is as bad as it counts."""
        return any(each.certain for each in self.changes if each.impact is self.impact)

    def count(self, impact: Impact) -> int:
        return sum(each.impact is impact for each in self.changes)


_ORDER: Final = tuple(Impact)


def difference(before: Inventory, after: Inventory) -> Difference:
    """What changed from `before` to `after`."""
    found = sorted(_changes(before, after), key=lambda each: (_ORDER.index(each.impact), not each.certain))
    return Difference(changes=tuple(found[:CHANGES_KEPT]), is_whole=len(found) <= CHANGES_KEPT)


def _changes(before: Inventory, after: Inventory) -> Iterator[Change]:
    if before.fingerprint == after.fingerprint:
        return
    had, has = ({tool.name: tool for tool in reversed(each.tools)} for each in (before, after))
    found = False
    for name in sorted(had.keys() | has.keys()):
        for change in islice(_of_tool(name, had.get(name), has.get(name)), _OF_ONE_TOOL):
            found = True
            yield change
    if not found:  # a name that comes twice, or a tool beyond those that are kept
        yield Change(tool="", path="", kind="list-changed", impact=Impact.BREAKING, certain=False)


def _of_tool(name: str, had: ListedTool | None, has: ListedTool | None) -> Iterator[Change]:
    shown = clean(name, _NAME_SHOWN)
    if has is None:
        yield Change(tool=shown, path="", kind="tool-removed", impact=Impact.BREAKING)
    elif had is None:
        yield Change(tool=shown, path="", kind="tool-added", impact=Impact.ADDITIVE)
    elif had.fingerprint == has.fingerprint:
        return
    elif had.definition is None or has.definition is None:
        yield Change(tool=shown, path="", kind="too-large-to-compare", impact=Impact.BREAKING, certain=False)
    else:
        yield from _of_definitions(shown, had.definition, has.definition)


def _of_definitions(tool: str, had: Mapping[str, Any], has: Mapping[str, Any]) -> Iterator[Change]:
    found = False
    for change in (
        *_of_hints(tool, _mapping(had.get("annotations")), _mapping(has.get("annotations"))),
        *_of_input(tool, had, has),
        *_of_output(tool, had, has),
        *_of_texts(tool, had, has),
    ):
        found = True
        yield change
    if not found:  # equal by the rules, or in a part that nothing refers to
        yield Change(tool=tool, path="", kind="written-otherwise", impact=Impact.TEXT)


def _of_texts(tool: str, had: Mapping[str, Any], has: Mapping[str, Any]) -> Iterator[Change]:
    for name in ("title", "description"):
        if had.get(name) != has.get(name):
            before, after = _excerpts(str(had.get(name, "")), str(has.get(name, "")))
            yield Change(
                tool=tool,
                path=name,
                kind="text-changed",
                impact=Impact.TEXT,
                before=before or None,
                after=after or None,
            )


def _of_hints(tool: str, had: Mapping[str, Any], has: Mapping[str, Any]) -> Iterator[Change]:
    """Hosts let read-only tools run without asking, and ask before destructive ones."""
    for name in sorted(had.keys() | has.keys()):
        if had.get(name) == has.get(name):
            continue
        turned = (name == "readOnlyHint" and had.get(name) is True) or (
            name == "destructiveHint" and _is_destructive(has) and not _is_destructive(had)
        )
        yield Change(
            tool=tool,
            path=clean(f"annotations/{name}", _PATH_SHOWN),
            kind={"readOnlyHint": "no-longer-read-only"}.get(name, "became-destructive") if turned else "hint-changed",
            impact=Impact.BREAKING if turned else Impact.TEXT,
            before=_shown(had.get(name)),
            after=_shown(has.get(name)),
        )


def _is_destructive(hints: Mapping[str, Any]) -> bool:
    return hints.get("destructiveHint") is True and hints.get("readOnlyHint") is not True


_IMPACTS_ON_INPUT: Final = {
    Direction.LESS: Impact.BREAKING,
    Direction.MORE: Impact.ADDITIVE,
    Direction.OTHER: Impact.BREAKING,
    Direction.UNTOLD: Impact.BREAKING,
    Direction.NONE: Impact.TEXT,
    Direction.NEW_PROPERTY: Impact.ADDITIVE,
    Direction.LOST_PROPERTY: Impact.ADDITIVE,
}
_IMPACTS_ON_OUTPUT: Final = {
    **_IMPACTS_ON_INPUT,
    Direction.LESS: Impact.ADDITIVE,
    Direction.MORE: Impact.BREAKING,
    Direction.LOST_PROPERTY: Impact.BREAKING,
}


def _of_input(tool: str, had: Mapping[str, Any], has: Mapping[str, Any]) -> Iterator[Change]:
    """Arguments that were accepted must still be: a schema that accepts less breaks callers."""
    for each in schema_changes(had.get("inputSchema", {}), has.get("inputSchema", {})):
        lost = each.direction is Direction.LOST_PROPERTY and each.closed
        yield _of_schema(tool, "inputSchema", each, Impact.BREAKING if lost else _IMPACTS_ON_INPUT[each.direction])


def _of_output(tool: str, had: Mapping[str, Any], has: Mapping[str, Any]) -> Iterator[Change]:
    """Results must still be what was promised: a schema that allows more breaks readers."""
    if "outputSchema" not in had or "outputSchema" not in has:
        if "outputSchema" in had:
            yield Change(tool=tool, path="outputSchema", kind="schema-removed", impact=Impact.BREAKING)
        if "outputSchema" in has:
            yield Change(tool=tool, path="outputSchema", kind="schema-added", impact=Impact.ADDITIVE)
        return
    for each in schema_changes(had["outputSchema"], has["outputSchema"]):
        yield _of_schema(tool, "outputSchema", each, _IMPACTS_ON_OUTPUT[each.direction])


def _of_schema(tool: str, schema: str, change: SchemaChange, impact: Impact) -> Change:
    return Change(
        tool=tool,
        path=clean("/".join((schema, *change.path)), _PATH_SHOWN),
        kind=change.kind,
        impact=impact,
        certain=change.direction is not Direction.UNTOLD,
        before=_shown(change.before),
        after=_shown(change.after),
    )


def _shown(value: Any) -> str | None:
    """A value as JSON for reading; a text without its escapes."""
    if value is None:
        return None
    return clean(f"“{value}”" if isinstance(value, str) else spelled(value), _SHOWN)


def _excerpts(before: str, after: str) -> Sequence[str]:
    """The parts around the first difference of two texts, so that a change far into a long one can be seen."""
    start = next((at for at, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), 0)
    start = min(start or min(len(before), len(after)), max(len(before), len(after)))
    begin = max(start - _SHOWN // 4, 0)
    return [clean(("…" if begin else "") + text[begin:], _SHOWN) if text else "" for text in (before, after)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
