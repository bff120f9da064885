"""What an endpoint's page shows of its tools: what is listed, and what changed against the accepted list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from checks.drift import Change, Difference, Impact, difference
from checks.inventory import ListedTool
from checks.proofs import counted, listed
from checks.text import clean
from checks.tool_memory import AGREE
from prober.storage.accepted_tools import FIRST_SEEN, ToolLists

TOOLS_SHOWN: Final = 200
CHANGES_SHOWN: Final = 100

_WORDS: Final = {Impact.BREAKING: "breaking", Impact.ADDITIVE: "additive", Impact.TEXT: "text only"}
_ICONS: Final = {Impact.BREAKING: "degraded", Impact.ADDITIVE: "information", Impact.TEXT: "information"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolView:
    """One tool, in a few words."""

    name: str
    title: str
    """What the tool says of itself."""
    arguments: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """One line of the diff; `before` and `after` are empty where there was or is nothing."""

    where: str
    what: str
    impact: str
    icon: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolListsView:
    """The tools of one endpoint."""

    tools: tuple[ToolView, ...]
    heading: str
    more_tools: str
    accepted: str
    """Which list is accepted, and by whom."""
    changes: tuple[ChangeView, ...]
    counts: str
    """How many changes of each kind; empty where the accepted list is the one that is there."""
    more_changes: str
    state: str
    """Whether the changes count."""
    accept: str
    """Address that accepts the new list; empty where there is none."""
    said: str
    """What came of accepting one; empty where the list itself tells it."""


def baseline_href(name: str, fingerprint: str) -> str:
    """Where the list with that fingerprint is accepted."""
    return f"/baselines/{quote(name, safe='')}?fingerprint={quote(fingerprint, safe='')}"


def tool_lists_view(name: str, lists: ToolLists, *, accepted_before: bool = False) -> ToolListsView | None:
    """The tools of the endpoint of that name; None while no probe has read any.

    `accepted_before`: somebody has just accepted the list that is accepted already.
    """
    latest, candidate = lists.candidate or lists.latest, lists.candidate
    if latest is None:
        return None
    found = changes_of(lists)
    more = len(latest.tools) - TOOLS_SHOWN
    return ToolListsView(
        tools=tuple(_tool(each) for each in latest.tools[:TOOLS_SHOWN]),
        heading=counted(len(latest.tools), "tool"),
        more_tools=f"and {counted(more, 'more tool')}" if more > 0 else "",
        accepted=_accepted(lists),
        changes=tuple(_change(each) for each in found.changes[:CHANGES_SHOWN]),
        counts=counts_of(found),
        more_changes=_more(found),
        state=state_of(lists) if found.changes else "",
        accept=baseline_href(name, candidate.fingerprint) if candidate is not None else "",
        said="That list was accepted already: nothing has changed." if accepted_before else "",
    )


def changes_of(lists: ToolLists) -> Difference:
    """What the newest list changes against the accepted one."""
    if lists.accepted is None or lists.candidate is None:
        return Difference()
    return difference(lists.accepted, lists.candidate)


def _tool(tool: ListedTool) -> ToolView:
    definition = tool.definition or {}
    hints, schema = _mapping(definition.get("annotations")), _mapping(definition.get("inputSchema"))
    arguments = [clean(str(each), 60) for each in list(_mapping(schema.get("properties")))[:20]]
    marks = ["read-only"] if hints.get("readOnlyHint") is True else []
    marks += ["destructive"] if hints.get("destructiveHint") is True and not marks else []
    return ToolView(
        name=clean(tool.name, 128),
        title=clean(str(definition.get("description") or definition.get("title") or ""), 200),
        arguments=", ".join(arguments),
        marks=tuple(marks),
    )


def _accepted(lists: ToolLists) -> str:
    if lists.accepted is None:
        return f"No list is accepted yet. The first that {AGREE} probes agree on will be."
    by = "the first one seen" if lists.accepted_by == FIRST_SEEN else f"accepted by {clean(lists.accepted_by, 100)}"
    when = "" if lists.accepted_at is None else f", {lists.accepted_at:%Y-%m-%d %H:%M} UTC"
    return f"Changes are measured by a list of {counted(len(lists.accepted.tools), 'tool')}: {by}{when}."


def _change(change: Change) -> ChangeView:
    return ChangeView(
        where=" ".join(part for part in (change.tool, change.path) if part),
        what=change.kind.replace("-", " "),
        impact=_WORDS[change.impact] if change.certain else f"{_WORDS[change.impact]}, if it matters",
        icon=_ICONS[change.impact],
        before=change.before or "",
        after=change.after or "",
    )


def counts_of(found: Difference) -> str:
    """How many changes of each kind, in words."""
    return listed([f"{found.count(each)} {_WORDS[each]}" for each in Impact if found.count(each)])


def _more(found: Difference) -> str:
    more = len(found.changes) - CHANGES_SHOWN
    if not found.is_whole:
        return "and more"
    return f"and {counted(more, 'more change')}" if more > 0 else ""


def state_of(lists: ToolLists) -> str:
    """Whether the changes count, where they do not."""
    memory, candidate = lists.memory, lists.candidate
    if memory.takes_turns:
        return "Different versions answer in turn; nothing counts as a change until one list settles."
    if candidate is None or memory.settled == candidate.fingerprint:
        return ""
    times = counted(memory.fingerprints.count(candidate.fingerprint), "probe")
    return f"Seen by {times} so far; it counts once {AGREE} agree."


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
