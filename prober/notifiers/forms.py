"""The forms of a notice that several channels share: safe and bounded, as text, as HTML, in few words, and as JSON.

There is no template language: whoever wants another form has the JSON.
"""

import html
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from checks.text import ELLIPSIS, clean
from prober.incidents.notice import About, Notice, NoticeKind
from prober.incidents.rules import Severity
from prober.incidents.wording import moment_in_words

VERSION: Final = 1
"""Of the JSON form. `notice.v1.schema.json` describes it; a field that goes or changes its meaning makes another."""

ROOM: Final = 16_000
"""Characters of all lines and the fix together: several times what any notice of ours has."""
TITLE_LIMIT: Final = 300
LINE_LIMIT: Final = 2000
NAME_LIMIT: Final = 200
MOST_LABELS: Final = 16
LABEL_LIMIT: Final = 100

_WORDS: Final[Mapping[NoticeKind, str]] = {
    NoticeKind.OPENED: "New incident",
    NoticeKind.WORSENED: "Got worse",
    NoticeKind.CAUSE_CHANGED: "Another cause",
    NoticeKind.FLAPPING: "Flapping",
    NoticeKind.REMINDER: "Reminder: nobody has acknowledged it",
    NoticeKind.ESCALATED: "Escalation: nobody has acknowledged it",
    NoticeKind.CLOSED: "Resolved",
    NoticeKind.OUTAGE_OPENED: "Outage of many endpoints",
    NoticeKind.OUTAGE_CHANGED: "The outage has grown",
    NoticeKind.OUTAGE_CLOSED: "The outage is over",
    NoticeKind.IMPAIRED: "The prober itself cannot observe",
    NoticeKind.RESTORED: "The prober observes again",
    NoticeKind.TEST: "Test of this channel",
}
_THREADS: Final[Mapping[About, str]] = {
    About.ENDPOINT: "Incident",
    About.OUTAGE: "Outage",
    About.PROBER: "Impairment",
    About.CHANNEL: "Test",
}
LINK_WORDS: Final[Mapping[About, str]] = {
    About.ENDPOINT: "Open the probe",
    About.OUTAGE: "Open the outage",
    About.PROBER: "Open the dashboard",
    About.CHANNEL: "Open the channels",
}
"""What a link says, by what the notice is about."""
_COLOURS: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "#b3261e",
    Severity.WARNING: "#b25e09",
    Severity.INFO: "#1f5fa8",
}
_COLOUR_OF_END: Final = "#1a7f37"
_COLOUR_OF_IMPAIRMENT: Final = "#6b3fa0"


def bounded(notice: Notice, room: int = ROOM) -> Notice:
    """The notice with every text cleaned and bounded, whoever wrote it. Idempotent.

    `room`: characters of all lines and the fix together; what does not fit is cut, the fix last.
    """
    fix = clean(notice.fix, min(room // 2, 2 * LINE_LIMIT), keep_lines=True).strip()
    return replace(
        notice,
        endpoint=clean(notice.endpoint, NAME_LIMIT).strip() or "-",
        diagnosis=None if notice.diagnosis is None else clean(notice.diagnosis, NAME_LIMIT).strip() or None,
        title=clean(notice.title, TITLE_LIMIT).strip() or "-",
        lines=_within(notice.lines, room - len(fix)),
        fix=fix,
        path=clean(notice.path, NAME_LIMIT),
        labels={
            clean(name, LABEL_LIMIT): clean(notice.labels[name], LABEL_LIMIT)
            for name in sorted(notice.labels)[:MOST_LABELS]
        },
    )


def _within(lines: tuple[str, ...], room: int) -> tuple[str, ...]:
    """Lines that together have at most `room` characters, breaks between them included."""
    kept: list[str] = []
    for line in lines:
        room -= 1
        if room < 1:
            kept[-1:] = [ELLIPSIS]
            break
        shown = clean(line, min(LINE_LIMIT, room), keep_lines=True)
        room -= len(shown)
        kept.append(shown)
    return tuple(kept)


def heading(notice: Notice) -> str:
    """What kind of notice it is and how much it weighs, in words."""
    if notice.is_end or notice.kind is NoticeKind.TEST:
        return _WORDS[notice.kind]
    parts = (_WORDS[notice.kind], notice.severity, notice.verdict)
    return " · ".join(part for part in parts if part)


def colour(notice: Notice) -> str:
    """The colour of its weight, as CSS writes it; ends and impairments have one of their own."""
    if notice.is_end:
        return _COLOUR_OF_END
    return _COLOUR_OF_IMPAIRMENT if notice.about is About.PROBER else _COLOURS[notice.severity]


def short(notice: Notice, limit: int) -> str:
    """What fits into a text message: the title and the first line, in one line of at most `limit` characters."""
    first = notice.lines[0] if notice.lines else ""
    return clean(f"{notice.title}. {first}".strip(), limit)


def identity(notice: Notice) -> str:
    """What to ask for, and since when: the line under every message."""
    since = moment_in_words(notice.since)
    return f"{_THREADS[notice.about]} {notice.thread}, since {since}\nNotice {notice.id}"


def plain_text(notice: Notice, public_url: str | None) -> str:
    """The whole notice as text, for channels without a layout of their own."""
    parts = [notice.title, heading(notice), "\n".join(notice.lines)]
    if notice.fix:
        parts.append(f"What to do:\n{notice.fix}")
    link = notice.link(public_url)
    if link:
        parts.append(f"{LINK_WORDS[notice.about]}: {link}")
    parts.append(identity(notice))
    return "\n\n".join(part for part in parts if part)


def page(notice: Notice, public_url: str | None) -> str:
    """The whole notice as an HTML document without scripts, images or anything that is loaded."""
    link = notice.link(public_url)
    parts = [
        f'<h1 style="font-size:1.2em;border-left:.4em solid {colour(notice)};padding-left:.6em">'
        f"{html.escape(notice.title)}</h1>",
        f"<p><strong>{html.escape(heading(notice))}</strong></p>",
        *(f"<p>{_broken(line)}</p>" for line in notice.lines),
        f'<h2 style="font-size:1em">What to do</h2><pre style="white-space:pre-wrap">{html.escape(notice.fix)}</pre>'
        if notice.fix
        else "",
        f'<p><a href="{html.escape(link)}">{LINK_WORDS[notice.about]}</a></p>' if link else "",
        f'<p style="color:#555;font-size:.85em">{_broken(identity(notice))}</p>',
    ]
    body = "\n".join(part for part in parts if part)
    title = html.escape(notice.title)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n'
        f'<body style="font-family:sans-serif;max-width:44em">\n{body}\n</body></html>\n'
    )


def versioned(notice: Notice, public_url: str | None) -> dict[str, Any]:
    """The notice for programs, as `notice.v1.schema.json` describes it.

    `type`, `timestamp` and `data` are laid out as Standard Webhooks recommends ("Payload structure").
    """
    return {
        "version": VERSION,
        "type": f"{notice.about}.{notice.kind.replace('-', '_')}",
        "timestamp": _moment(notice.at),
        "data": {
            "notice": str(notice.id),
            "thread": str(notice.thread),
            "kind": notice.kind.value,
            "about": notice.about.value,
            "over": notice.is_end,
            "endpoint": notice.endpoint,
            "severity": notice.severity.value,
            "verdict": notice.verdict.value if notice.verdict else None,
            "diagnosis": notice.diagnosis,
            "title": notice.title,
            "lines": list(notice.lines),
            "fix": notice.fix,
            "since": _moment(notice.since),
            "labels": dict(notice.labels),
            "link": notice.link(public_url),
        },
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _broken(text: str) -> str:
    return html.escape(text).replace("\n", "<br>\n")
