"""Gives what differs from recording to recording a name that stays the same, so that files differ by what has changed.

Names are as long as what they stand for where a length counts: our ids, session ids, dates.
"""

import json
import re
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any, Final

from tests.unit.transcripts.transcript import ORIGIN, Headers, Transcript, Turn

_NEWS_MS: Final = 250.0
_NEWS_TIMES: Final = 4.0
"""A time that differs by less from what was recorded before, or by a smaller factor, is the machine's and no news of
the server."""

_SAME: Final = (
    (re.compile(r"mp-[0-9a-f]{8}-"), "mp-00000000-"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "2026-11-20T12:00:00Z"),
    (re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}"), f"Root=1-{'0' * 8}-{'0' * 24}"),
    (re.compile(r"Parent=[0-9a-f]{16}"), f"Parent={'0' * 16}"),
)
_NUMBERED: Final = re.compile(r"\b[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}\b")
"""A UUID, with dashes or without."""

_EVENT_ID: Final = re.compile(r"(?<=^id: )[^\r\n]+", re.MULTILINE)

_HEADERS: Final = {"date": "Fri, 20 Nov 2026 12:00:00 GMT", "etag": 'W/"0"'}


def stable(transcript: Transcript, origin: str) -> Transcript:
    """The transcript of a server at `origin`, with stable names in it."""
    names = _Names(origin)
    turns = tuple(_renamed(turn, names) for turn in transcript.turns)
    return replace(transcript, turns=turns, expected=tuple(_value(transcript.expected, names)))


class _Names:
    """Names by what they stand for, given in the order of their appearance."""

    def __init__(self, origin: str) -> None:
        self._host, self._stable_host = (each.partition("//")[2] for each in (origin, ORIGIN))
        self._numbers: dict[str, str] = {}
        self._events: dict[str, str] = {}

    def text(self, value: str) -> str:
        """A text of any kind, with the names in it."""
        value = value.replace(self._host, self._stable_host)
        for pattern, name in _SAME:
            value = pattern.sub(name, value)
        value = _NUMBERED.sub(self._number, value)
        return _EVENT_ID.sub(lambda found: self.event(found[0]), value)

    def event(self, value: str) -> str:
        """The name of an event of a stream: servers number the events of all streams together."""
        return self._events.setdefault(value, str(len(self._events) + 1))

    def _number(self, found: re.Match[str]) -> str:
        name = self._numbers.setdefault(found[0].replace("-", ""), f"{len(self._numbers) + 1:032x}")
        return found[1].join((name[:8], name[8:12], name[12:16], name[16:20], name[20:]))


def like_before(new: Transcript, old: Transcript) -> Transcript:
    """The new transcript with the times of the old one where nothing else has changed, and they not by much."""
    blocks = SequenceMatcher(None, _signs(old), _signs(new), autojunk=False).get_matching_blocks()
    turns = list(new.turns)
    for block in blocks:
        for place in range(block.size):
            before, now = old.turns[block.a + place], new.turns[block.b + place]
            turns[block.b + place] = _timed(now, before)
    return replace(new, turns=tuple(turns))


def _renamed(turn: Turn, names: _Names) -> Turn:
    asked = replace(
        turn.asked,
        path=names.text(turn.asked.path),
        headers=_headers(turn.asked.headers, names),
        body=_value(turn.asked.body, names),
    )
    head = None if turn.head is None else replace(turn.head, headers=_headers(turn.head.headers, names))
    pieces = tuple(replace(piece, data=_bytes(piece.data, names)) for piece in turn.pieces)
    whole = _bytes(b"".join(piece.data for piece in turn.pieces), names)
    if whole != b"".join(piece.data for piece in pieces):
        raise ValueError(f"what differs from run to run is spread over two pieces of an answer: {whole!r}")
    return replace(turn, asked=asked, head=head, pieces=pieces)


def _headers(headers: Headers, names: _Names) -> Headers:
    return tuple((name, _header(name.lower(), value, names)) for name, value in headers)


def _header(name: str, value: str, names: _Names) -> str:
    if name == "last-event-id":
        return names.event(names.text(value))
    return _HEADERS.get(name) or names.text(value)


def _value(value: Any, names: _Names) -> Any:
    return json.loads(names.text(json.dumps(value, ensure_ascii=False)))


def _bytes(data: bytes, names: _Names) -> bytes:
    return names.text(data.decode("latin-1")).encode("latin-1")


def _signs(transcript: Transcript) -> list[str]:
    """What each turn says, whenever it says it."""
    return [
        repr((turn.asked, turn.beside, turn.head and (turn.head.status, turn.head.headers), _said(turn)))
        for turn in transcript.turns
    ]


def _said(turn: Turn) -> tuple[Any, ...]:
    return (*(piece.data for piece in turn.pieces), turn.end.how, turn.end.reason, turn.end.detail)


def _timed(turn: Turn, before: Turn) -> Turn:
    """The turn at the times of an earlier recording of the same, unless they are too far off."""
    if any(_is_news(*times) for times in zip(_times(turn), _times(before), strict=True)):
        return turn
    pieces = zip(turn.pieces, before.pieces, strict=True)
    return replace(
        turn,
        head=before.head,
        pieces=tuple(replace(now, ms=then.ms) for now, then in pieces),
        end=replace(turn.end, ms=before.end.ms),
    )


def _times(turn: Turn) -> list[float]:
    head = [] if turn.head is None else [turn.head.ms]
    return [*head, *(piece.ms for piece in turn.pieces), turn.end.ms]


def _is_news(now: float, before: float) -> bool:
    shorter, longer = sorted((now, before))
    return longer - shorter >= _NEWS_MS and longer >= shorter * _NEWS_TIMES
