"""One worded message, and which channels it is for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter

from checks.model import Verdict
from checks.text import storable
from prober.incidents.rules import Severity


class NoticeKind(StrEnum):
    """What a notice tells."""

    OPENED = "opened"
    WORSENED = "worsened"
    CAUSE_CHANGED = "cause-changed"
    FLAPPING = "flapping"
    """One summary in place of many openings and closings."""
    REMINDER = "reminder"
    ESCALATED = "escalated"
    """Nobody has acknowledged it for as long as this channel waits."""
    CLOSED = "closed"
    OUTAGE_OPENED = "outage-opened"
    """Many endpoints at once; it stands for all of them."""
    OUTAGE_CHANGED = "outage-changed"
    OUTAGE_CLOSED = "outage-closed"
    IMPAIRED = "impaired"
    """The prober itself cannot observe: nothing is said about any endpoint."""
    RESTORED = "restored"
    TEST = "test"


ENDS: Final = frozenset({NoticeKind.CLOSED, NoticeKind.OUTAGE_CLOSED, NoticeKind.RESTORED})


class About(StrEnum):
    """What a notice is about."""

    ENDPOINT = "endpoint"
    OUTAGE = "outage"
    PROBER = "prober"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One worded message. Its id is stable: whoever gets it twice can tell."""

    id: UUID
    kind: NoticeKind
    about: About = About.ENDPOINT
    thread: UUID
    """The incident, outage or impairment that it belongs to. Of the notices of one thread that still wait on a channel
    only the newest is sent; PagerDuty and others fold by it."""
    endpoint: str
    """Name of the endpoint, of the group of an outage, of the prober or of the channel."""
    severity: Severity
    """Of the incident, also in the notice of its end."""
    verdict: Verdict | None = None
    """`down` or `degraded`: the worst of the incident. None where it is about no endpoint."""
    diagnosis: str | None
    title: str
    lines: tuple[str, ...]
    """Cause, evidence and since when, a sentence each."""
    fix: str
    """What to do about it; empty when there is nothing to do."""
    since: datetime
    at: datetime
    path: str
    """Of the page that shows what is behind it, below the dashboard's address."""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_end(self) -> bool:
        """Whether it says that something is over."""
        return self.kind in ENDS

    def link(self, public_url: str | None) -> str | None:
        """The address of that page, or None where nobody said under which address the dashboard is reached."""
        return f"{public_url.rstrip('/')}{self.path}" if public_url else None

    def to_json(self) -> dict[str, Any]:
        """A JSON value that PostgreSQL accepts and `from_json` reads back to an equal notice."""
        plain: dict[str, Any] = storable(_NOTICE.dump_python(self, mode="json"))
        return plain

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Notice":
        """The notice that `to_json` wrote. Raises ValueError for anything else."""
        return _NOTICE.validate_python(dict(value))


_NOTICE: Final = TypeAdapter(Notice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What one channel is told."""

    channel: str
    least: Severity = Severity.WARNING
    """Nothing below it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Only about endpoints that bear all of these."""
    after_s: float | None = None
    """Seconds in which somebody may acknowledge an incident first: the channel is for escalation. None: at once."""
    remind_every_s: float | None = None
    """Seconds between two reminders of an incident that nobody has acknowledged. None: never."""
    impairments: bool = True
    """Whether it hears that the prober itself cannot observe."""

    def takes(self, severity: Severity, labels: Mapping[str, str]) -> bool:
        """Whether something of this weight about an endpoint with these labels is for the channel."""
        return severity.weight >= self.least.weight and self.labels.items() <= labels.items()
