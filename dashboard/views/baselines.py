"""The page of baselines: whose tools are measured by which list, and whose have changed since."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from checks.drift import Impact
from checks.proofs import counted
from checks.text import clean
from dashboard.views.common import Moment, endpoint_href, moment_of
from dashboard.views.tool_lists import changes_of, counts_of, state_of
from prober.storage.accepted_tools import FIRST_SEEN, BaselineRow, ToolLists

BASELINES_HREF: Final = "/settings/baselines"
ACCEPT_HREF: Final = f"{BASELINES_HREF}/accept"
ON_A_PAGE: Final = 100
MOST_AT_ONCE: Final = 1000
"""Lists that one form asks about."""
MOST_REFUSALS: Final = 50
"""That are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineView:
    """One endpoint."""

    name: str
    href: str
    """Its page, at the tools."""
    icon: str
    state: str
    changes: str
    """How many of each kind the newest list makes; empty where it is the accepted one."""
    notes: str
    """Whether the changes count yet."""
    tools: str
    at: Moment | None
    """When its list was accepted; None while none is."""
    by: str
    accept: str
    """The page that asks before the newest list is accepted; empty where there is none."""
    chosen: str
    """What the form sends to accept it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselinesView:
    rows: tuple[BaselineView, ...]
    headline: str
    acceptable: int
    """How many have a list that could be accepted in place of theirs, on whichever page."""
    before: str
    after: str
    done: str = ""
    """What came of accepting lists."""
    refused: tuple[str, ...] = ()
    """Why some were not accepted."""
    accept: str = ACCEPT_HREF
    """The page that asks before all of them are accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptView:
    """What is asked before lists are accepted."""

    rows: tuple[BaselineView, ...]
    question: str
    left: str
    """How many are asked about afterwards; empty where these are all."""
    back: str = BASELINES_HREF
    do: str = ACCEPT_HREF


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a form that accepts lists."""

    accepted: int = 0
    before: int = 0
    """How many were accepted already."""
    refused: Sequence[str] = ()

    @property
    def words(self) -> str:
        said = [f"Accepted the tools of {counted(self.accepted, 'endpoint')}"] if self.accepted else []
        if self.before:
            said.append(f"{'those' if said else 'Those'} of {counted(self.before, 'endpoint')} were accepted already")
        return f"{'; '.join(said)}." if said else ""


NOTHING_DONE: Final = Outcome()


def ordered(rows: Sequence[BaselineRow], page: int) -> tuple[Sequence[BaselineRow], int, int]:
    """The rows of a page, those with another list first; its number, and how many pages there are."""
    pages = max(-(-len(rows) // ON_A_PAGE), 1)
    number = min(max(page, 1), pages)
    first = (number - 1) * ON_A_PAGE
    found = sorted(rows, key=lambda row: (row.other is None, row.fingerprint is None, row.name))
    return found[first : first + ON_A_PAGE], number, pages


def baselines_view(
    rows: Sequence[BaselineRow],
    lists: Mapping[str, ToolLists],
    now: datetime,
    *,
    page: int = 1,
    outcome: Outcome = NOTHING_DONE,
) -> BaselinesView:
    """`rows` are all endpoints, and `lists` the whole lists of those that show another one on this page."""
    shown, number, pages = ordered(rows, page)
    drifted = sum(row.other is not None for row in rows)
    return BaselinesView(
        rows=baseline_views(shown, lists, now),
        headline=_headline(drifted, len(rows)),
        acceptable=drifted,
        before=_href(BASELINES_HREF, page=number - 1) if number > 1 else "",
        after=_href(BASELINES_HREF, page=number + 1) if number < pages else "",
        done=outcome.words,
        refused=tuple(_refusals(outcome.refused)),
    )


def baseline_views(
    rows: Sequence[BaselineRow], lists: Mapping[str, ToolLists], now: datetime
) -> tuple[BaselineView, ...]:
    """One for each row; `lists` are the whole lists of those that show another one."""
    return tuple(_views(rows, lists, now))


def accept_view(views: Sequence[BaselineView], left: int = 0) -> AcceptView:
    """What is asked before the newest lists of these are accepted, and of how many more it is to be asked then."""
    asked = tuple(view for view in views if view.accept)
    whose = f"of {asked[0].name}" if len(asked) == 1 else f"of {counted(len(asked), 'endpoint')}"
    return AcceptView(
        rows=asked,
        question=f"Accept the tools {whose}?" if asked else "There is nothing to accept",
        left=f"{left} more are asked about when these are done." if left else "",
    )


def chosen_of(written: Sequence[str]) -> list[tuple[UUID, str]]:
    """Ids of endpoints with the fingerprints of the lists that the form showed. Raises ValueError."""
    if not written:
        raise ValueError("choose at least one list on the page of baselines")
    return [(UUID(identity), fingerprint) for identity, _, fingerprint in (each.partition(" ") for each in written)]


def _refusals(refused: Sequence[str]) -> Iterator[str]:
    for each in refused[:MOST_REFUSALS]:
        yield clean(each, 300)
    if len(refused) > MOST_REFUSALS:
        yield f"and {len(refused) - MOST_REFUSALS} more"


def _headline(drifted: int, number: int) -> str:
    if not drifted:
        return "No endpoint has other tools than those accepted"
    return f"{counted(drifted, 'endpoint')} of {number} {'has' if drifted == 1 else 'have'} other tools than accepted"


def _views(rows: Sequence[BaselineRow], lists: Mapping[str, ToolLists], now: datetime) -> Iterator[BaselineView]:
    for row in rows:
        whole = lists.get(row.name, ToolLists())
        candidate, changes = whole.candidate if row.other else None, changes_of(whole)
        state, icon = _state(row, is_breaking=bool(changes.count(Impact.BREAKING)))
        yield BaselineView(
            name=clean(row.name),
            href=f"{endpoint_href(row.name)}#tool-lists",
            icon=icon,
            state=state,
            changes=counts_of(changes),
            notes=state_of(whole) if row.other else "",
            tools="" if row.tools is None else counted(row.tools, "tool"),
            at=None if row.accepted_at is None else moment_of(row.accepted_at, now),
            by="the first one seen" if row.accepted_by == FIRST_SEEN else f"by {clean(row.accepted_by, 100)}",
            accept=_href(ACCEPT_HREF, name=row.name) if candidate is not None else "",
            chosen="" if candidate is None else f"{row.id.hex} {candidate.fingerprint}",
        )


def _state(row: BaselineRow, *, is_breaking: bool) -> tuple[str, str]:
    if row.fingerprint is None:
        return "none accepted yet", "unknown"
    if row.other is None:
        return "as accepted", "up"
    return "changed", "degraded" if is_breaking else "information"


def _href(address: str, **said: str | int) -> str:
    kept = {name: value for name, value in said.items() if value != 1}
    return f"{address}?{urlencode(kept)}" if kept else address
