"""What the page of settings shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from checks.text import clean
from dashboard.views.common import Moment, moment_of
from dashboard.views.silence import SilenceView, silence_view
from prober.incidents.windows import MaintenanceWindow, whom_in_words
from prober.storage.mutes import MuteRow

SETTINGS_HREF: Final = "/settings"

_LENGTHS: Final = ((30, "30 minutes"), (60, "an hour"), (240, "4 hours"), (1440, "a day"), (10_080, "a week"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteView:
    kind: str
    whom: str
    reason: str
    by: str
    starts: Moment
    ends: Moment
    runs: bool
    end: str
    """Where it is ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsView:
    mutes: tuple[MuteView, ...]
    """Single times in which nobody is told, which a person made."""
    recurring: SilenceView
    """Those of the file, which only the file changes."""
    has_logins: bool
    lengths: tuple[tuple[int, str], ...] = _LENGTHS
    add: str = f"{SETTINGS_HREF}/maintenance"


def settings_view(
    single: Sequence[MuteRow], windows: Sequence[MaintenanceWindow], now: datetime, *, has_logins: bool
) -> SettingsView:
    lasting = [row for row in single if row.ends_at > now]
    return SettingsView(
        mutes=tuple(_mute(row, now) for row in sorted(lasting, key=lambda row: row.starts_at)),
        recurring=silence_view((), windows, now),
        has_logins=has_logins,
    )


def whom_of(text: str) -> tuple[list[str], dict[str, str]]:
    """Names of endpoints, and labels as `key=value`: one on each line, or separated by commas. Raises ValueError."""
    names, labels = [], {}
    for entry in (each.strip() for line in text.splitlines() for each in line.split(",")):
        key, equals, value = entry.partition("=")
        if equals and (not key.strip() or not value.strip()):
            raise ValueError("a label is written as key=value, such as team=payments")
        if equals:
            labels[key.strip()] = value.strip()
        elif entry:
            names.append(entry)
    return names, labels


def _mute(row: MuteRow, now: datetime) -> MuteView:
    return MuteView(
        kind=row.kind,
        whom=clean(whom_in_words(row.endpoints, row.labels)),
        reason=clean(row.reason),
        by=clean(row.created_by, 100),
        starts=moment_of(row.starts_at, now),
        ends=moment_of(row.ends_at, now),
        runs=row.starts_at <= now,
        end=f"{SETTINGS_HREF}/maintenance/{row.id}/end",
    )
