"""Which incidents the page shows: all of it stands in the address, so that it can be shared.

What an address says that nobody understands is left out: a page is still worth more than an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from checks.text import clean
from prober.incidents.rules import Severity
from prober.storage.incident_log import Place, Stretch

INCIDENTS_HREF: Final = "/incidents"
Choice = TypeVar("Choice", bound=StrEnum)

_LONGEST: Final = 120
_OPENED: Final = "%Y%m%dT%H%M%S%f"
_OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Window(StrEnum):
    """How long a stretch of time is shown."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"

    @property
    def lasts(self) -> timedelta:
        return {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}.get(
            self.value, timedelta(days=90)
        )


class State(StrEnum):
    """Which of them."""

    ALL = "all"
    OPEN = "open"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentQuery:
    """What somebody wants to see of the incidents."""

    window: Window = Window.WEEK
    until: datetime | None = None
    """None: now."""
    state: State = State.ALL
    severity: Severity | None = None
    endpoint: str = ""
    """A part of its name."""
    after: Place | None = None
    """Where the page before ended; None for the first one."""

    @property
    def is_narrowed(self) -> bool:
        return self.state is not State.ALL or self.severity is not None or self.endpoint != ""

    def stretch(self, now: datetime) -> Stretch:
        """What storage is asked for."""
        until = min(self.until or now, now)
        is_open = {State.OPEN: True, State.OVER: False}.get(self.state)
        return Stretch(
            since=until - self.window.lasts, until=until, is_open=is_open, named=self.endpoint, severity=self.severity
        )

    def earlier(self, now: datetime) -> str:
        """The address of the stretch before this one."""
        return href(replace(self, until=self.stretch(now).since, after=None))

    def later(self, now: datetime) -> str | None:
        """The address of the stretch after it; None for the one that ends now."""
        if self.until is None or self.until >= now:
            return None
        following = self.until + self.window.lasts
        return href(replace(self, until=None if following >= now else following, after=None))


EVERYTHING: Final = IncidentQuery()


def query_of(params: Mapping[str, str]) -> IncidentQuery:
    """What the address asks for."""
    return IncidentQuery(
        window=_choice(Window, params.get("window"), Window.WEEK),
        until=_moment(params.get("until")),
        state=_choice(State, params.get("state"), State.ALL),
        severity=_severity(params.get("severity")),
        endpoint=clean(params.get("endpoint", "").strip(), _LONGEST),
        after=_place(params.get("after", "")),
    )


def href(query: IncidentQuery) -> str:
    """The address that asks for it, without what is usual."""
    said: dict[str, str] = {}
    if query.window is not Window.WEEK:
        said["window"] = query.window.value
    if query.until is not None:
        said["until"] = query.until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if query.state is not State.ALL:
        said["state"] = query.state.value
    if query.severity is not None:
        said["severity"] = query.severity.value
    if query.endpoint:
        said["endpoint"] = query.endpoint
    if query.after is not None:
        said["after"] = _written(query.after)
    return f"{INCIDENTS_HREF}?{urlencode(said)}" if said else INCIDENTS_HREF


def _written(place: Place) -> str:
    """`over.20261120T101112123456.` and the id of the incident."""
    opened_at = place.opened_at.astimezone(UTC).strftime(_OPENED)
    return ".".join((State.OVER if place.is_over else State.OPEN, opened_at, place.id.hex))


def _place(said: str) -> Place | None:
    try:
        state, opened_at, identity = said.split(".")
        opened = datetime.strptime(opened_at, _OPENED).replace(tzinfo=UTC)
        return Place(is_over=State(state) is State.OVER, opened_at=opened, id=UUID(identity))
    except ValueError:
        return None


def _choice(kind: type[Choice], said: str | None, otherwise: Choice) -> Choice:
    return kind(said) if said in set(kind) else otherwise


def _severity(said: str | None) -> Severity | None:
    return Severity(said) if said in set(Severity) else None


def _moment(said: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(said) if said else None
    except ValueError:
        return None
    if moment is None:
        return None
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # Years near the ends of the calendar cannot be counted on from.
    return known if known >= _OLDEST and known.year < 9000 else None
