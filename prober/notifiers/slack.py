"""Slack: one message per notice through an incoming webhook, laid out with Block Kit."""

import re
from typing import Any, ClassVar, Final, Self

from pydantic import Field

from checks.text import ELLIPSIS
from prober.incidents.notice import About, Notice, NoticeKind
from prober.incidents.rules import Severity
from prober.incidents.wording import moment_in_words
from prober.notifiers.contract import ChannelSettings, Reference, Tools, refusal, to_mend
from prober.notifiers.forms import LINK_WORDS, bounded, heading
from prober.notifiers.posting import encoded, is_taken, post, url_behind

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
_MARK_OF_IMPAIRMENT: Final = "🟣"
_MARK_OF_TEST: Final = "⚪"

_ABOUT_THE_WEBHOOK: Final = frozenset(
    {
        "action_prohibited", "channel_is_archived", "channel_not_found", "invalid_token", "no_active_hooks",
        "no_service", "no_service_id", "no_team", "posting_to_general_channel_denied", "team_disabled",
        "user_not_found",
    }
)  # fmt: skip
"""Slack's words for a webhook or a channel that somebody has to mend; some come with status 400, as if the message
were wrong ("Sending messages using incoming webhooks", "Handling errors")."""


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
        url = await url_behind(self._tools, self._reference)
        content = encoded(message(notice, self._tools.public_url))
        outcome = await post(self._tools, url, content, hide=self._reference)
        if is_taken(outcome.status):
            return
        status, code = outcome.status or 0, outcome.body_excerpt.strip()
        if code in _ABOUT_THE_WEBHOOK:
            raise to_mend(f"HTTP {status}: {_said(code)}")
        raise refusal(status, _said(code), outcome.retry_after_s)


def message(notice: Notice, public_url: str | None) -> dict[str, Any]:
    """The webhook's payload. Remote text can neither mention anybody, nor make a link, nor exceed a limit."""
    notice = bounded(notice)
    title = f"{_mark(notice)} {notice.title}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": escaped(title, HEADER_LIMIT), "emoji": False}},
        _context(f"*{escaped(heading(notice), SECTION_LIMIT - 2)}*"),
        _section("\n".join(notice.lines)),
    ]
    if notice.fix:
        blocks.append(_section(notice.fix, "*What to do*\n"))
    blocks.append(_context(_footer(notice, public_url)))
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


def _mark(notice: Notice) -> str:
    """A colour that is seen in a list of messages; the words beside it say the same."""
    if notice.is_end:
        return _MARK_OF_END
    if notice.kind is NoticeKind.TEST:
        return _MARK_OF_TEST
    return _MARK_OF_IMPAIRMENT if notice.about is About.PROBER else _MARKS[notice.severity]


def _context(written: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_text(written)]}


def _section(text: str, title: str = "") -> dict[str, Any]:
    body = escaped(text, SECTION_LIMIT - len(title))
    return {"type": "section", "text": _text(title + (body if body.strip() else "-"))}


def _text(written: str) -> dict[str, Any]:
    """`verbatim` keeps Slack from turning addresses and names that it finds in the text into links."""
    return {"type": "mrkdwn", "text": written, "verbatim": True}


def _footer(notice: Notice, public_url: str | None) -> str:
    known = f"since {moment_in_words(notice.since)} · notice {notice.id}"
    link = notice.link(public_url)
    return f"<{escaped(link, 2000)}|{LINK_WORDS[notice.about]}> · {known}" if link else known


def _said(code: str) -> str:
    """Slack's own error code. Any other answer is not repeated: it may echo the address, whole or cut short."""
    return f"Slack says {code}" if _ERROR_CODE.fullmatch(code) else "an answer without an error code of Slack"
