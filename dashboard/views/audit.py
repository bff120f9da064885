"""What the page of the audit log shows."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from checks.text import clean
from dashboard.views.common import Moment, incident_href, moment_of
from dashboard.wording import absolute
from prober.storage.audit import AuditRow, Via

AUDIT_HREF: Final = "/settings/audit"

_DOORS: Final = {
    Via.PAGE: "on a page",
    Via.API: "by API",
    Via.COMMAND: "at the prompt",
    Via.PROBER: "the prober itself",
}
_INCIDENT: Final = "incident"
_VALUE_SHOWN: Final = 200
_MOMENT: Final = re.compile(r"20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(\.\d{6})?\+00:00")
"""How a time stands in a row, as `datetime.isoformat` writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which rows are looked for; empty is any."""

    author: str = ""
    action: str = ""
    """Whole, such as `incident.snooze`, or the noun alone."""
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    at: Moment
    author: str
    door: str
    """Which way it came; empty where the name of its author says that already."""
    action: str
    subject: str
    detail: tuple[tuple[str, str], ...]
    incident: str
    """The page of the incident that it is about; empty where it is about none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    changes: tuple[ChangeView, ...]
    wanted: AuditFilter
    older: str
    """The next page; empty on the last."""
    newest: str
    """The first page; empty where this is it."""
    href: str = AUDIT_HREF


def audit_view(
    rows: Sequence[AuditRow], wanted: AuditFilter, now: datetime, *, more: bool = False, first: bool = True
) -> AuditView:
    kept = {"author": wanted.author, "action": wanted.action, "subject": wanted.subject}
    query = {name: value for name, value in kept.items() if value}
    return AuditView(
        changes=tuple(_change(row, now) for row in rows),
        wanted=wanted,
        older=f"{AUDIT_HREF}?{urlencode({**query, 'before': rows[-1].number})}" if more else "",
        newest="" if first else f"{AUDIT_HREF}?{urlencode(query)}",
    )


def _change(row: AuditRow, now: datetime) -> ChangeView:
    door = _DOORS[row.via]
    return ChangeView(
        at=moment_of(row.at, now),
        author=row.author,
        door="" if row.author.endswith(door) else door,
        action=row.action,
        subject=row.subject,
        detail=tuple(
            (clean(key, 60), _shown(value))
            for key, value in row.detail.items()
            if value not in ("", []) and key != _INCIDENT
        ),
        incident=_incident(row.detail.get(_INCIDENT)),
    )


def _incident(written: Any) -> str:
    with suppress(ValueError):
        return incident_href(UUID(str(written)))
    return ""


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(each) for each in value[:20])
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        with suppress(ValueError):  # such as a reason that somebody wrote like a time
            return absolute(datetime.fromisoformat(value))
    return clean("none" if value is None else str(value), _VALUE_SHOWN)
