"""Slack: one message per notice through an incoming webhook, laid out with Block Kit."""

import re
from typing import Any, ClassVar, Final, Self

from pydantic import Field

from checks.text import ELLIPSIS
from prober.incidents.notice import Notice
from prober.incidents.rules import Severity
from prober.incidents.wording import moment_in_words
from prober.notifiers.contract import ChannelSettings, NotifyError, Reference, Tools, refusal
from prober.secrets.references import SecretError

TIMEOUT_S: Final = 10.0

# Slack, "Block Kit: header block" and "section block": maximum lengths of their texts.
HEADER_LIMIT: Final = 150
SECTION_LIMIT: Final = 3000
TEXT_LIMIT: Final = 4000
"""Slack recommends this length for the plain text beside the blocks."""

_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""The only characters that act in Slack's text: they make links and mentions ("Formatting text for app surfaces")."""
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,60}")
_MARKS: Final = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}
_MARK_OF_END: Final = "🟢"


class SlackSettings(ChannelSettings):
    """Where the messages go."""

    webhook: Reference = Field(description="Reference to the incoming webhook's URL, which is a secret.")


class Slack:
    """Messages in a Slack channel, through an incoming webhook."""

    kind: ClassVar[str] = "slack"
    settings: ClassVar[type[ChannelSettings]] = SlackSettings

    def __init__(self, settings: SlackSettings, tools: Tools) -> None:
        self._reference = settings.webhook
        self._tools = tools

    @classmethod
    def build(cls, settings: SlackSettings, tools: Tools) -> Self:
        return cls(settings, tools)

    async def send(self, notice: Notice) -> None:
        url = await self._url()
        payload = message(notice, self._tools.public_url)
        outcome = await self._tools.net.post_json(url, payload, timeout_s=TIMEOUT_S)
        if outcome.status is None:
            reason = outcome.error.detail if outcome.error else "no answer"
            raise NotifyError(_hidden(reason, url, self._reference), permanent=False)
        if not 200 <= outcome.status < 300:
            raise refusal(outcome.status, _said(outcome.body_excerpt), outcome.retry_after_s)

    async def _url(self) -> str:
        """Resolved for every message, so that a webhook which was replaced works without a restart."""
        try:
            url = await self._tools.secret(self._reference)
        except SecretError as unavailable:
            raise NotifyError(str(unavailable), permanent=False) from None
        if not url.startswith(("https://", "http://")):
            raise NotifyError(f"{self._reference} does not hold a URL: put the webhook's URL there", permanent=False)
        return url


def message(notice: Notice, public_url: str | None) -> dict[str, Any]:
    """The webhook's payload. Remote text can neither mention anybody, nor make a link, nor exceed a limit."""
    mark = _MARK_OF_END if notice.is_end else _MARKS[notice.severity]
    title = f"{mark} {notice.title}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": escaped(title, HEADER_LIMIT), "emoji": False}},
        _section("\n".join(notice.lines)),
    ]
    if notice.fix.strip():
        blocks.append(_section(notice.fix, "*What to do*\n"))
    blocks.append({"type": "context", "elements": [_text(_footer(notice, public_url))]})
    return {
        "text": escaped(title, TEXT_LIMIT),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }


def escaped(text: str, limit: int) -> str:
    """`text` for Slack in at most `limit` UTF-16 units, never cut inside an entity; a cut is marked."""
    pieces: list[str] = []
    room = limit - 1
    for character in text:
        piece = _ENTITIES.get(character, character)
        room -= len(piece.encode("utf-16-le", "surrogatepass")) // 2
        if room < 0:
            return "".join(pieces) + ELLIPSIS
        pieces.append(piece)
    return "".join(pieces)


def _section(text: str, heading: str = "") -> dict[str, Any]:
    body = escaped(text, SECTION_LIMIT - len(heading))
    return {"type": "section", "text": _text(heading + (body if body.strip() else "-"))}


def _text(written: str) -> dict[str, Any]:
    """`verbatim` keeps Slack from turning addresses and names that it finds in the text into links."""
    return {"type": "mrkdwn", "text": written, "verbatim": True}


def _footer(notice: Notice, public_url: str | None) -> str:
    known = f"since {moment_in_words(notice.since)} · notice {notice.id}"
    link = notice.link(public_url)
    return f"<{escaped(link, 1000)}|Open the probe> · {known}" if link else known


def _said(body: str) -> str:
    """Slack's own error code. Any other answer is not repeated: it may echo the address, whole or cut short."""
    code = body.strip()
    return f"Slack says {code}" if _ERROR_CODE.fullmatch(code) else "an answer without an error code of Slack"


def _hidden(text: str, url: str, reference: str) -> str:
    """`text` without the webhook's URL, whole or its path alone, which is what makes it a secret."""
    path = "/" + url.split("://", 1)[-1].partition("/")[2]
    for secret in (url, path):
        if len(secret) > 1:
            text = text.replace(secret, f"${{{reference}}}")
    return text
