"""Where in an exchange each proof of a diagnosis can be seen, so that the page marks it there.

A stored proof is a sentence and the id of its exchange. The sentences follow the few forms of `checks.proofs`, and
quote what came; whatever is not found again is marked at the exchange as a whole.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Final

from checks.text import ELLIPSIS

_QUOTED: Final = re.compile(r"“(.+?)”")
_PLAINLY_QUOTED: Final = re.compile(r'"([^"]{3,})"|`([^`]{3,})`')
_HTTP: Final = re.compile(r"\bHTTP (\d{3})\b")
_RPC_ERROR: Final = re.compile(r"JSON-RPC error (?:-?\d+|without a code) on HTTP \d+: (.*)", re.DOTALL)
_RPC_RESULT: Final = re.compile(r"a JSON-RPC result on HTTP \d+: (.*)", re.DOTALL)
_SPACES: Final = re.compile(r"(?<=[:,]) ")
_MESSAGE: Final = re.compile(r"^message (\d{1,3}) after ")
_EVENTS: Final = re.compile(r"\b(?:first|last) event\b|\bevents\b")
_WAITING: Final = re.compile(r"\bwait(?:ed|s)?\b|first byte|\bgiven up on\b|\b(?:answered with|no answer).* after ")
_ADDRESS: Final = re.compile(r"^address ")
_ZEROS: Final = re.compile(r"(?:\\u\{0\}){8}")
_NAMED: Final = re.compile(r"^([\w./-]{2,128}): ")
_LEAST: Final = 3
"""Shorter quotations stand everywhere."""


class Part(StrEnum):
    """A part of an exchange that can be marked."""

    STATUS = "status"
    ERROR = "error"
    HEADER = "header"
    BODY = "body"
    WAIT = "wait"
    ARRIVAL = "arrival"
    PEER = "peer"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Place:
    """`at` counts headers and arrivals from 0; of a body it is the first character, and `end` the one after it all."""

    part: Part
    at: int = 0
    end: int = 0


WHOLE: Final = Place(Part.WHOLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the page shows of an exchange, as far as a proof can be about it."""

    status: int | None = None
    failed_how: tuple[str, ...] = ()
    """The words of a failure: its kind, reason and detail."""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    arrivals: int = 0
    has_wait: bool = False
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a body, with the numbers of the proofs that are seen in it, and of those that begin there."""

    text: str
    proofs: tuple[int, ...] = ()
    begins: tuple[int, ...] = ()


@dataclass(slots=True)
class Marks:
    """The proofs that are seen in one exchange, by their numbers on the page."""

    places: dict[int, tuple[Place, ...]] = field(default_factory=dict)

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(self.places)

    def on(self, part: str, at: int = 0) -> tuple[int, ...]:
        """The proofs that are seen there."""
        return tuple(number for number, places in self.places.items() if Place(Part(part), at) in places)

    def begins(self, part: str, at: int = 0) -> tuple[int, ...]:
        """Those of them whose first place it is: links to a proof lead there."""
        return tuple(number for number, places in self.places.items() if places[0] == Place(Part(part), at))

    def pieces(self, body: str) -> tuple[Piece, ...]:
        """The body in stretches, marked and not."""
        ranges = [
            (place, number) for number, places in self.places.items() for place in places if place.part is Part.BODY
        ]
        borders = sorted({0, len(body), *(at for place, _ in ranges for at in (place.at, place.end))})
        return tuple(
            Piece(
                text=body[start:end],
                proofs=tuple(number for place, number in ranges if place.at <= start < place.end),
                begins=tuple(
                    number for place, number in ranges if place.at == start and self.places[number][0] == place
                ),
            )
            for start, end in pairwise(borders)
        )


def places(proof: str, seen: Seen) -> tuple[Place, ...]:
    """Where the proof is seen: at least in the exchange as a whole."""
    return tuple(dict.fromkeys(_places(proof, seen))) or (WHOLE,)


def _places(proof: str, seen: Seen) -> Iterator[Place]:
    yield from _in_failure(proof, seen)
    yield from _in_body(proof, seen.body)
    yield from _in_headers(proof, seen.headers)
    named = _HTTP.search(proof)
    if named is not None and int(named[1]) == seen.status:
        yield Place(Part.STATUS)
    yield from _in_time(proof, seen)
    if seen.peer and _ADDRESS.match(proof):
        yield Place(Part.PEER)


def _in_failure(proof: str, seen: Seen) -> Iterator[Place]:
    if any(len(word) >= _LEAST and word in proof for word in seen.failed_how):
        yield Place(Part.ERROR)


def _in_headers(proof: str, headers: Sequence[tuple[str, str]]) -> Iterator[Place]:
    said = proof.lower()
    for at, (name, value) in enumerate(headers):
        begun = f"{name}: {value[:80]}".lower()
        media_type = value.split(";", 1)[0].strip().lower()
        named_as_type = name.lower() == "content-type" and media_type and f", {media_type}," in said
        if value and (begun in said or named_as_type):
            yield Place(Part.HEADER, at)


def _in_body(proof: str, body: str) -> Iterator[Place]:
    # Proofs stand on one line, so they are looked for with every line break of the body as a space.
    flat = body.replace("\n", " ").replace("\t", " ")
    for words in _quotations(proof):
        at = flat.find(words)
        if at >= 0:
            yield Place(Part.BODY, at, at + len(words))
            return
    zeros = _ZEROS.search(flat) if "zero bytes" in proof else None
    if zeros is not None:
        yield Place(Part.BODY, *zeros.span())


def _quotations(proof: str) -> Iterator[str]:
    """What the proof quotes of a body, the surest first."""
    quoted = [found[1] for found in _QUOTED.finditer(proof)]
    error, result = _RPC_ERROR.search(proof), _RPC_RESULT.search(proof)
    if error is not None:
        quoted.append(error[1])
    elif result is not None:
        # Proofs write JSON with spaces between its parts, and most servers without.
        quoted += [result[1], _SPACES.sub("", result[1])]
    else:
        quoted += [found[1] or found[2] for found in _PLAINLY_QUOTED.finditer(proof)]
    for text in quoted:
        words = text.removesuffix(ELLIPSIS)
        if len(words) >= _LEAST:
            yield words
            yield json.dumps(words, ensure_ascii=False)[1:-1]
            yield json.dumps(words)[1:-1]
    if error is not None:
        yield '"error"'
    if result is not None:
        yield '"result"'
    named = _NAMED.match(proof)
    if named is not None:
        yield json.dumps(named[1])


def _in_time(proof: str, seen: Seen) -> Iterator[Place]:
    message = _MESSAGE.match(proof)
    if message is not None and 0 < int(message[1]) <= seen.arrivals:
        yield Place(Part.ARRIVAL, int(message[1]) - 1)
    elif message is None and seen.arrivals and _EVENTS.search(proof):
        yield Place(Part.ARRIVAL, 0)
        yield Place(Part.ARRIVAL, seen.arrivals - 1)
    elif seen.has_wait and _WAITING.search(proof):
        yield Place(Part.WAIT)
