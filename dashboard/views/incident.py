"""The page of one incident: what happened, who has it in hand, and whom its notices reached."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from checks.proofs import counted
from checks.text import clean
from dashboard.views.channels import AttemptView, attempt_view
from dashboard.views.common import (
    IncidentView,
    Moment,
    incident_href,
    incident_view,
    moment_of,
    probe_href,
)
from dashboard.views.evidence import TextBlock, text_blocks
from dashboard.views.incident_query import IncidentQuery, Window, href
from dashboard.views.incidents import NoticeView, notice_view, state_of
from dashboard.views.silence import OutageView, outage_view
from dashboard.wording import absolute
from prober.incidents.outages import Outage
from prober.storage.channels import AttemptRow
from prober.storage.comments import WORDS_KEPT, Comment
from prober.storage.decisions import Decision, What
from prober.storage.listings import TransitionRow
from prober.storage.queries import IncidentRow, NoticeRow

_HAPPENED: Final = {
    "opened": "It opened",
    "worsened": "It became worse",
    "cause-changed": "Another cause",
    "flapping": "It opens and closes all the time: told as one from here on",
    "closed": "It closed",
}
_MUTING: Final = frozenset({What.SNOOZE, What.MAINTENANCE, What.DEPLOY})
_MORNING: Final = 9
"""The hour of the day, in UTC, until which "tomorrow" and "Monday" mute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of what happened: of the incident itself, of who has it in hand, or a comment."""

    at: Moment
    icon: str
    title: str
    text: str = ""
    probe: str | None = None
    author: str = ""
    words: tuple[str, ...] = ()
    """Lines of a comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeStory:
    """A notice with every try to send it."""

    id: str
    notice: NoticeView
    tries: tuple[AttemptView, ...]
    tried: str


@dataclass(frozen=True, slots=True)
class Nap:
    """A button that snoozes."""

    value: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentPageView:
    """One incident, whole."""

    href: str
    title: str
    incident: IncidentView
    opened: Moment
    state: str
    fix: tuple[TextBlock, ...]
    probe: str
    happenings: tuple[Happening, ...]
    """Oldest first."""
    notices: tuple[NoticeStory, ...]
    """Newest first."""
    outage: OutageView | None
    naps: tuple[Nap, ...]
    """How long it can be snoozed; none once it is over."""
    snoozed: Moment | None
    """Until when nobody is told."""
    others: str
    """Incidents of the same endpoint."""
    words_kept: int = WORDS_KEPT


def incident_page(
    row: IncidentRow,
    now: datetime,
    *,
    transitions: Sequence[TransitionRow] = (),
    comments: Sequence[Comment] = (),
    decisions: Sequence[Decision] = (),
    notices: Sequence[NoticeRow] = (),
    tries: Mapping[UUID, Sequence[AttemptRow]] | None = None,
    outage: Outage | None = None,
) -> IncidentPageView:
    """One incident, whole."""
    view = incident_view(row, now)
    is_open = row.ended_at is None
    happenings = sorted(_happenings(transitions, comments, decisions, now), key=lambda each: each[0])
    snoozed = row.snoozed_until if is_open and row.snoozed_until and row.snoozed_until > now else None
    return IncidentPageView(
        href=incident_href(row.id),
        title=f"{view.endpoint}: {view.summary or 'no known cause'}",
        incident=view,
        opened=moment_of(row.opened_at, now),
        state="open" if is_open else "over",
        fix=text_blocks(clean(row.fix, 8192, keep_lines=True)),
        probe=probe_href(row.report_id),
        happenings=tuple(each for _, each in happenings),
        notices=tuple(_story(each, (tries or {}).get(each.id, ()), now) for each in notices),
        outage=None if outage is None else outage_view(outage),
        naps=tuple(naps(now)) if is_open else (),
        snoozed=None if snoozed is None else moment_of(snoozed, now),
        others=href(IncidentQuery(window=Window.QUARTER, endpoint=clean(row.endpoint_name, 120))),
    )


def naps(now: datetime) -> Iterator[Nap]:
    """For how long an incident can be snoozed with one press."""
    yield Nap("1h", "1 hour")
    yield Nap("4h", "4 hours")
    yield Nap("tomorrow", f"until {absolute(nap_ends('tomorrow', now) or now)[:16]} UTC")
    if nap_ends("monday", now) != nap_ends("tomorrow", now):
        yield Nap("monday", f"until {absolute(nap_ends('monday', now) or now)[:16]} UTC")


def nap_ends(value: str, now: datetime) -> datetime | None:
    """When the snooze of that button ends; None for a value that no button has."""
    morning = now.astimezone(UTC).replace(hour=_MORNING, minute=0, second=0, microsecond=0)
    days = {"tomorrow": 1, "monday": 7 - morning.weekday()}.get(value)
    if days is not None:
        return morning + timedelta(days=days)
    hours = {"1h": 1, "4h": 4}.get(value)
    return None if hours is None else now + timedelta(hours=hours)


def _happenings(
    transitions: Sequence[TransitionRow], comments: Sequence[Comment], decisions: Sequence[Decision], now: datetime
) -> Iterator[tuple[datetime, Happening]]:
    for each in transitions:
        closed = each.kind == "closed"
        title = _HAPPENED.get(each.kind, clean(each.kind, 60))
        said = "" if closed else " · ".join(filter(None, (each.verdict.value, clean(each.cause or "", 60))))
        yield (
            each.at,
            Happening(
                at=moment_of(each.at, now),
                icon="up" if closed else each.verdict.value,
                title=f"{title}{f' ({said})' if said else ''}",
                text="" if closed else clean(each.cause_summary, 500),
                probe=probe_href(each.report_id),
            ),
        )
    for decision in decisions:
        title, icon = _decided(decision)
        yield (
            decision.at,
            Happening(at=moment_of(decision.at, now), icon=icon, title=title, text=clean(decision.reason, 300)),
        )
    for remark in comments:
        words = tuple(clean(line, WORDS_KEPT) for line in remark.words.splitlines())
        author = clean(remark.author, 100)
        yield (
            remark.at,
            Happening(at=moment_of(remark.at, now), icon="comment", title="", author=author, words=words),
        )


def _decided(decision: Decision) -> tuple[str, str]:
    """The sentence of a decision, and its icon: whether it keeps people from being told."""
    by = clean(decision.author or "somebody", 100)
    until = "" if decision.until is None else f" until {absolute(decision.until)}"
    said = {
        What.ACKNOWLEDGE: f"{by} has it in hand",
        What.SNOOZE: f"{by} snoozed it{until}",
        What.WAKE: f"{by} ended the snooze",
        What.MAINTENANCE: f"Maintenance{until} by {by}: nobody is told",
        What.DEPLOY: f"{by} marked a deploy: nobody is told{until}",
        What.END: f"{by} ended it before its time: people are told again",
    }
    return said[decision.what], "skip" if decision.what in _MUTING else "info"


def _story(row: NoticeRow, tries: Sequence[AttemptRow], now: datetime) -> NoticeStory:
    return NoticeStory(
        id=f"notice-{row.id}",
        notice=notice_view(row, now),
        tries=tuple(attempt_view(each, now) for each in tries),
        tried=counted(len(tries), "try", "tries") if tries else "not tried yet" if state_of(row) == "waiting" else "",
    )
