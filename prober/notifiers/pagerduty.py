"""PagerDuty, Events API v2: the notices of a thread trigger one alert, and its end resolves it.

Limits and answers: PagerDuty developer documentation, "Events API v2 Overview" and "Send an Alert Event".
"""

import json
import re
from enum import StrEnum
from http import HTTPStatus
from typing import Any, ClassVar, Final, Self

from pydantic import Field

from checks.text import clean
from prober.incidents.notice import Notice, NoticeKind
from prober.notifiers.contract import ChannelSettings, NotifyError, Reference, Tools, refusal, secret_behind, to_mend
from prober.notifiers.forms import LINK_WORDS, bounded, heading, versioned
from prober.notifiers.posting import encoded, post

_ROUTING_KEY: Final = re.compile(r"[A-Za-z0-9]{32}")
_SERVER: Final = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}

_ENDLESS: Final = ": resolve it by hand, a test has no end"
"""An alert that nobody resolves stays open, and the next test would be another one."""


class Region(StrEnum):
    """Service regions of PagerDuty; each keeps its own accounts."""

    US = "us"
    EU = "eu"


class PagerDutySettings(ChannelSettings):
    """Which integration of which account."""

    routing_key: Reference = Field(
        description="Reference to the integration key of a service, of the type Events API v2."
    )
    region: Region = Field(default=Region.US, description="Service region of the account: us or eu.")
    endpoint_url: str | None = Field(
        default=None, pattern=r"^https?://", description="Another address of the Events API, such as a proxy's."
    )

    @property
    def url(self) -> str:
        return self.endpoint_url or _SERVER[self.region]


class PagerDuty:
    """Alerts in PagerDuty through its Events API v2, which the end of an incident resolves."""

    kind: ClassVar[str] = "pagerduty"
    settings: ClassVar[type[ChannelSettings]] = PagerDutySettings

    def __init__(self, settings: PagerDutySettings, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools

    @classmethod
    def build(cls, settings: PagerDutySettings, tools: Tools) -> Self:
        return cls(settings, tools)

    async def send(self, notice: Notice) -> None:
        reference = self._settings.routing_key
        key = await secret_behind(self._tools, reference)
        if not _ROUTING_KEY.fullmatch(key):
            raise to_mend(f"{reference} does not hold an integration key: those have 32 letters and digits")
        content = encoded(event(notice, key, self._tools.public_url))
        outcome = await post(self._tools, self._settings.url, content, hide="the Events API")
        if outcome.status != HTTPStatus.ACCEPTED:
            said = _said(outcome.body_excerpt).replace(key, f"${{{reference}}}")
            raise _refused(outcome.status or 0, said, outcome.retry_after_s)


def event(notice: Notice, routing_key: str, public_url: str | None) -> dict[str, Any]:
    """The event for a notice: all notices of one thread are about one alert.

    While an alert is open, another trigger becomes an entry in its log and rings nobody again.
    """
    notice = bounded(notice)
    known = {"routing_key": routing_key, "dedup_key": str(notice.thread)}
    if notice.is_end:
        return {**known, "event_action": "resolve"}
    link = notice.link(public_url)
    data = versioned(notice, public_url)["data"]
    shown = ("lines", "fix", "since", "kind", "verdict", "diagnosis", "labels", "notice")
    return {
        **known,
        "event_action": "trigger",
        "payload": {
            "summary": f"{notice.title}{_ENDLESS}" if notice.kind is NoticeKind.TEST else notice.title,
            "source": notice.endpoint,
            "severity": notice.severity.value,
            "timestamp": notice.at.isoformat(),
            "component": notice.endpoint,
            "class": notice.diagnosis or notice.kind.value,
            "custom_details": {"what": heading(notice), **{name: data[name] for name in shown}},
        },
        "client": "mcp-prober",
        **({"client_url": link, "links": [{"href": link, "text": LINK_WORDS[notice.about]}]} if link else {}),
    }


def _said(body: str) -> str:
    """PagerDuty's own words, which name the field. Anything else is not repeated: it may echo the key."""
    try:
        answer = json.loads(body)
        words = [answer["message"], *answer.get("errors", ())]
    except (ValueError, TypeError, KeyError, AttributeError):
        return "an answer without a message of PagerDuty"
    return clean("PagerDuty says " + ", ".join(str(each) for each in words), 200)


def _refused(status: int, said: str, retry_after_s: float | None) -> NotifyError:
    # A field like the others to PagerDuty, but the configuration's, not the notice's.
    if status == HTTPStatus.BAD_REQUEST and "routing_key" in said:
        return to_mend(f"HTTP {status}: {said}")
    return refusal(status, said, retry_after_s)
