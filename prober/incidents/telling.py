"""Who is told what, and when: what each channel has been told of a thing is compared with what is so.

Nothing is remembered but what was told, so that it does not matter how often, by whom or how late this is asked: a
channel hears of what it has not heard yet, and of an end if it heard of a beginning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from pydantic import TypeAdapter

from checks.text import storable
from prober.incidents.notice import NoticeKind, Route
from prober.incidents.rules import Severity

LOOK_AGAIN: Final = timedelta(seconds=60)
"""When something is looked at again that nobody is told of for a reason whose end cannot be foretold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What there is to tell of an incident or an outage."""

    id: UUID
    news: tuple[NoticeKind, ...]
    """All that there has been to tell of it, oldest first; never empty."""
    end: NoticeKind
    """How its end is told."""
    ended: bool
    severity: Severity
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mute:
    """Why nobody is told of something now."""

    why: str
    until: datetime | None = None
    """None: nobody knows until when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What people have decided about a thing, and what else keeps it from being told."""

    acknowledged: bool = False
    """Whether somebody has it in hand: neither reminders nor escalation then."""
    mutes: tuple[Mute, ...] = ()
    """All that mutes it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one channel has been told of a thing."""

    channel: str
    heard: int
    """How many of its news that covers."""
    count: int
    """Of notices."""
    last_at: datetime
    over: bool = False
    """Whether it has been told of the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What everybody has been told of a thing."""

    told: tuple[Told, ...] = ()
    tellable_at: datetime | None = None
    """When it could be told first: those who are told late count from there."""

    @property
    def channels(self) -> frozenset[str]:
        """Whoever has been told anything."""
        return frozenset(each.channel for each in self.told)

    def to_json(self) -> dict[str, Any]:
        """A JSON value that PostgreSQL accepts and `from_json` reads back to an equal value."""
        plain: dict[str, Any] = storable(_TELLING.dump_python(self, mode="json"))
        return plain

    @staticmethod
    def from_json(value: Mapping[str, Any] | None) -> "Telling":
        """What `to_json` wrote; nobody was told anything for None. Raises ValueError for anything else."""
        return Telling() if value is None else _TELLING.validate_python(dict(value))


_TELLING: Final = TypeAdapter(Telling)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """One notice that is to be worded and sent. Its id is the same however often it is computed."""

    id: UUID
    channel: str
    kind: NoticeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """What follows from looking at a thing."""

    telling: Telling
    tells: tuple[Tell, ...] = ()
    reconsider_at: datetime | None = None
    """When to look again, although nothing happens; None: there is no need."""
    muted: Mute | None = None
    """What keeps it from being told the longest."""


def consider(
    telling: Telling, thing: Thing, circumstances: Circumstances, routes: Sequence[Route], now: datetime
) -> Considered:
    """What is to be told now, to whom, and when to look again.

    What was told in a time to come was told before a clock was set back, and counts from now on.
    """
    if thing.ended:
        return _ended(telling, thing, now)
    telling = _by_now(telling, now)
    if circumstances.mutes:
        muted = max(circumstances.mutes, key=lambda each: (each.until is None, each.until or now))
        ends = [each.until or now + LOOK_AGAIN for each in circumstances.mutes]
        return Considered(telling=telling, reconsider_at=max(min(ends), now), muted=muted)
    tellable_at = telling.tellable_at or now
    told = {each.channel: each for each in telling.told}
    tells: list[Tell] = []
    again: list[datetime] = []
    for route in routes:
        if not route.takes(thing.severity, thing.labels):
            continue
        past = told.get(route.channel)
        kind, look = _due(past, thing, circumstances, route, tellable_at, now)
        if kind is not None:
            told[route.channel] = after = _after(past, route.channel, thing, now)
            tells.append(_tell(thing, after, kind))
            _, look = _due(after, thing, circumstances, route, tellable_at, now)
        if look is not None:
            again.append(look)
    return Considered(
        telling=Telling(told=tuple(told.values()), tellable_at=tellable_at),
        tells=tuple(tells),
        reconsider_at=min(again, default=None),
    )


def _by_now(telling: Telling, now: datetime) -> Telling:
    tellable_at = None if telling.tellable_at is None else min(telling.tellable_at, now)
    told = tuple(replace(each, last_at=min(each.last_at, now)) for each in telling.told)
    return replace(telling, told=told, tellable_at=tellable_at)


def _due(
    past: Told | None,
    thing: Thing,
    circumstances: Circumstances,
    route: Route,
    tellable_at: datetime,
    now: datetime,
) -> tuple[NoticeKind | None, datetime | None]:
    """What the channel is to hear now, or when it may be."""
    if past is None:
        if route.after_s is None:
            return _first(thing), None
        kind, due = NoticeKind.ESCALATED, tellable_at + timedelta(seconds=route.after_s)
    elif past.heard < len(thing.news):
        return _newest(thing.news[past.heard :]), None
    elif route.remind_every_s is None:
        return None, None
    else:
        kind, due = NoticeKind.REMINDER, past.last_at + timedelta(seconds=route.remind_every_s)
    if circumstances.acknowledged:
        return None, None
    return (kind, None) if due <= now else (None, due)


def _first(thing: Thing) -> NoticeKind:
    """How a thing is told to who has not heard of it: as it began, unless it flaps by now, or did and has stopped."""
    if thing.news[-1] is NoticeKind.FLAPPING:
        return NoticeKind.FLAPPING
    return NoticeKind.OPENED if thing.news[0] is NoticeKind.FLAPPING else thing.news[0]


def _newest(missed: Sequence[NoticeKind]) -> NoticeKind:
    """How several changes that a channel missed are told as one."""
    is_worse = NoticeKind.WORSENED in missed and missed[-1] is not NoticeKind.FLAPPING
    return NoticeKind.WORSENED if is_worse else missed[-1]


def _after(past: Told | None, channel: str, thing: Thing, now: datetime) -> Told:
    return Told(channel=channel, heard=len(thing.news), count=past.count + 1 if past else 1, last_at=now)


def _ended(telling: Telling, thing: Thing, now: datetime) -> Considered:
    """The end is told to exactly those who were told before; no circumstances keep it back."""
    told, tells = [], []
    for each in telling.told:
        after = each if each.over else replace(_after(each, each.channel, thing, now), over=True)
        told.append(after)
        if not each.over:
            tells.append(_tell(thing, after, thing.end))
    return Considered(telling=replace(telling, told=tuple(told)), tells=tuple(tells))


def _tell(thing: Thing, told: Told, kind: NoticeKind) -> Tell:
    return Tell(id=uuid5(thing.id, f"{kind}:{told.heard}:{told.count}"), channel=told.channel, kind=kind)
