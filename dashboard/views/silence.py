"""Whom nobody is told about and why: maintenance now and next, and what people decided about an incident."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from checks.proofs import counted, listed
from checks.text import clean
from dashboard.wording import absolute, ago
from prober.incidents.outages import Outage
from prober.incidents.windows import MaintenanceWindow, active_until, concerns, next_start
from prober.storage.mutes import MuteRow
from prober.storage.queries import IncidentRow

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceView:
    """Times in which nobody is told, each a sentence; probing goes on in all of them."""

    now: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    """The next to come, soonest first."""


UNMUTED: Final = SilenceView()
"""Where nothing mutes anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageView:
    """Many endpoints that failed together."""

    title: str
    names: str
    causes: str
    span: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class _Time:
    """One time in which nobody is told."""

    at: datetime
    said: str


def silence_view(
    single: Sequence[MuteRow],
    windows: Sequence[MaintenanceWindow],
    now: datetime,
    *,
    of: tuple[str, Mapping[str, str]] | None = None,
) -> SilenceView:
    """What mutes now and what will; with `of`, the name and labels of an endpoint, what mutes that one."""

    def is_meant(endpoints: tuple[str, ...], labels: Mapping[str, str]) -> bool:
        return of is None or concerns(endpoints, labels, *of)

    rows = [row for row in single if row.ends_at > now and is_meant(row.endpoints, row.labels)]
    recurring = [window for window in windows if is_meant(window.endpoints, window.labels)]
    lasting = [*_lasting(rows, now), *_open_windows(recurring, now)]
    coming = [*_to_come(rows, now), *_windows_to_come(recurring, now)]
    return SilenceView(
        now=tuple(each.said for each in sorted(lasting, key=lambda each: each.at)[:_SHOWN]),
        next=tuple(each.said for each in sorted(coming, key=lambda each: each.at)[:_SHOWN]),
    )


def hands_of(row: IncidentRow, now: datetime) -> tuple[str, ...]:
    """Who has an incident in hand, and why nobody is told of it."""
    said = []
    if row.acknowledged_at is not None:
        by = clean(row.acknowledged_by or "somebody", 100)
        said.append(f"acknowledged by {by} {ago(row.acknowledged_at, now)}")
    if row.ended_at is None and row.muted is not None:
        until = f", until {absolute(row.muted_until)}" if row.muted_until else ""
        said.append(f"nobody is told: {clean(row.muted, 200)}{until}")
    elif row.outage_id is not None:
        said.append("was told as part of an outage")
    return tuple(said)


def outage_view(outage: Outage) -> OutageView:
    """An outage in words."""
    group = f" ({clean(outage.group, 100)})" if outage.group else ""
    number = max(outage.counts) if outage.ended_at else outage.affected
    more = number - len(outage.names)
    names = [clean(name, 60) for name in outage.names]
    return OutageView(
        title=f"{counted(number, 'endpoint')}{group} {'failed' if outage.ended_at else 'are failing'} together",
        names=listed([*names, f"{more} more"] if more > 0 and names else names),
        causes=", ".join(f"{clean(cause, 60)} ({count})" for cause, count in outage.causes),
        span=f"since {absolute(outage.since)}{f' until {absolute(outage.ended_at)}' if outage.ended_at else ''}",
        is_open=outage.ended_at is None,
    )


def _lasting(rows: Sequence[MuteRow], now: datetime) -> Iterator[_Time]:
    for row in rows:
        if row.starts_at <= now:
            yield _Time(row.ends_at, f"{_what(row)} until {absolute(row.ends_at)}, {_whom(row.endpoints, row.labels)}")


def _open_windows(windows: Sequence[MaintenanceWindow], now: datetime) -> Iterator[_Time]:
    for window in windows:
        until = active_until(window, now)
        if until is not None:
            whom = _whom(window.endpoints, window.labels)
            yield _Time(until, f"Maintenance {clean(window.name, 60)} until {absolute(until)}, {whom}")


def _to_come(rows: Sequence[MuteRow], now: datetime) -> Iterator[_Time]:
    for row in rows:
        if row.starts_at > now:
            times = f"from {absolute(row.starts_at)} until {absolute(row.ends_at)}"
            yield _Time(row.starts_at, f"{_what(row)} {times}, {_whom(row.endpoints, row.labels)}")


def _windows_to_come(windows: Sequence[MaintenanceWindow], now: datetime) -> Iterator[_Time]:
    for window in windows:
        begins = next_start(window, now)
        if begins is not None:
            whom = _whom(window.endpoints, window.labels)
            yield _Time(begins, f"Maintenance {clean(window.name, 60)} from {absolute(begins)}, {whom}")


def _what(row: MuteRow) -> str:
    reason = f" ({clean(row.reason, 100)})" if row.reason else ""
    return f"{clean(row.kind, 20).capitalize()}{reason} by {clean(row.created_by, 60)}"


def _whom(endpoints: tuple[str, ...], labels: Mapping[str, str]) -> str:
    parts = [clean(name, 60) for name in endpoints[:_SHOWN]]
    if len(endpoints) > _SHOWN:
        parts.append(f"{len(endpoints) - _SHOWN} more")
    if labels:
        parts.append(f"whoever bears {', '.join(f'{clean(key, 60)}={clean(labels[key], 60)}' for key in labels)}")
    return f"for {listed(parts)}" if parts else "for all endpoints"
