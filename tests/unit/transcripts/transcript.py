"""What a probe asked of a third-party server and what came back, byte for byte, as a file of JSON lines.

The lines stand in the order of the asking. The first says of whom and how. A request begins with a line that has `ask`;
what came back follows it: a line with `status`, one with `data` (or `base64`) for every piece of the body, and one with
`end`. Times are in milliseconds since the request began. An event stream that outlives its request, as HTTP+SSE has it,
is named by its number among such streams: its pieces stand with the request that went before them, and count from
there. The last lines say what came of the probe.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from checks.model import Endpoint, OnRequest, ProbeReport, Profile, Sentinel
from checks.spec import EVENT_STREAM_TYPE, Era
from prober.net.transport import FRESH
from prober.wire.asking import CLIENT_INFO
from prober.wire.tracing import TRACEPARENT
from tests.interop.kinds import Kind, Runtime, kind_of

FOLDER: Final = Path(__file__).parents[2] / "transcripts"
ORIGIN: Final = "http://127.0.0.1:8000"
"""Where every recorded server seems to be."""

_TIMEOUT_S: Final = 30.0
_BY_THE_CLIENT: Final = frozenset({"host", "content-length", "user-agent", "accept-encoding", TRACEPARENT})
"""Headers that stand on every request and say nothing about the conversation."""

_DURATION: Final = re.compile(r"\b\d[\d.,]* (ms|s)\b")

_COUNTS: Final = "mcp_1_server.py"
"""Has a tool that reports its progress."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, as far as it matters to the server."""

    method: str
    path: str
    headers: Headers
    body: Any = None
    """A JSON value, or None."""
    fresh: bool = False
    """Over a connection of its own."""

    @property
    def is_standing(self) -> bool:
        """Whether it opens an event stream on which the answers to other requests arrive."""
        names = {name.lower() for name, _ in self.headers}
        accepted = any(value == EVENT_STREAM_TYPE for name, value in self.headers if name.lower() == "accept")
        return self.method == "GET" and accepted and "last-event-id" not in names

    @property
    def rpc_method(self) -> str | None:
        return self.body.get("method") if isinstance(self.body, Mapping) else None

    def __str__(self) -> str:
        return " ".join(filter(None, (self.method, self.path, self.rpc_method)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Status and headers of an answer."""

    ms: float
    status: int
    headers: Headers
    kept: bool = False
    """Over a connection that an earlier request had opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Bytes of a body that arrived together."""

    ms: float
    data: bytes
    after: int | None = None
    """The turn from whose beginning `ms` counts, where it is not its own: on a stream that stands open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an answer ended: `complete`, `left` where we hung up, or by a failure of the network, with its reason."""

    ms: float
    how: str
    reason: str = ""
    detail: str = ""
    after: int | None = None
    """As of a piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One request and all that came back."""

    asked: Asked
    beside: bool = False
    """Asked while another request was under way; event streams that stand open are no request under way."""
    head: Head | None = None
    pieces: tuple[Piece, ...] = ()
    end: End


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One probe of a server of one kind."""

    kind: str
    profile: Profile
    era: Era | None = None
    """The one that the endpoint is pinned to."""
    replay_ms: float = 0.0
    """How long a replay takes on its own clock: what the server took, and what the prober waits of its own accord."""
    turns: tuple[Turn, ...]
    expected: tuple[Mapping[str, Any], ...] = field(default=())
    """What came of the probe, line by line, as `outcome_of` tells it."""

    @property
    def name(self) -> str:
        return name_of(self.kind, self.profile, self.era)

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint that was probed."""
        return endpoint_of(kind_of(self.kind), ORIGIN, self.era)


def endpoint_of(kind: Kind, origin: str, era: Era | None) -> Endpoint:
    """A server of this kind, as its owner would describe it."""
    counts = kind.runtime is Runtime.PYTHON and kind.script == _COUNTS
    return Endpoint(
        name=kind.name,
        url=origin + kind.path,
        era=era,
        timeout_s=_TIMEOUT_S,
        streaming=True if counts else None,
        # How many of a burst are answered together follows from chance, which no recording holds.
        on_request=(OnRequest.TASKS, OnRequest.SUBSCRIPTIONS),
        sentinels=(
            Sentinel(tool="add", arguments={"a": 2, "b": 3}, safe_to_repeat=True),
            *([Sentinel(tool="count", arguments={"n": 3}, safe_to_repeat=True)] if counts else []),
        ),
    )


def name_of(kind: str, profile: Profile, era: Era | None) -> str:
    """What a transcript is called."""
    pinned = "" if era is None else f".{era.value}"
    return f"{kind}.{profile.value}{pinned}"


def recordings_of(kind: Kind) -> tuple[tuple[Profile, Era | None], ...]:
    """How a kind is recorded: at both profiles, and where it hides a handshake behind the newer era, pinned to it."""
    pinned = () if kind.by_handshake is None else ((Profile.FULL, Era.HANDSHAKE),)
    return ((Profile.STANDARD, None), (Profile.FULL, None), *pinned)


def asked_of(request: httpx.Request, content: bytes) -> Asked:
    """What of a request matters."""
    headers = ((name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw)
    return Asked(
        method=request.method,
        path=request.url.raw_path.decode("ascii"),
        headers=tuple((name, value) for name, value in headers if name.lower() not in _BY_THE_CLIENT),
        body=_of_any_probe(json.loads(content)) if content else None,
        fresh=request.extensions.get(FRESH, False),
    )


def outcome_of(report: ProbeReport) -> tuple[Mapping[str, Any], ...]:
    """What came of a probe, as far as it does not depend on the time."""
    return (
        {"verdict": report.verdict.value},
        *(
            {
                "check": result.check,
                "outcome": result.outcome.value,
                "findings": [_untimed(finding.text) for finding in result.findings],
            }
            for result in report.results
        ),
        *(
            {"diagnosis": each.id, "effect": each.effect.value, "summary": _untimed(each.summary)}
            for each in report.diagnoses
        ),
    )


def path_of(name: str) -> Path:
    """The file of the transcript of this name."""
    return FOLDER / f"{name}.jsonl"


def text_of(transcript: Transcript) -> str:
    """The transcript as the content of its file."""
    lines = [json.dumps(line, ensure_ascii=False) for line in _lines(transcript)]
    return "\n".join(lines) + "\n"


def read(text: str) -> Transcript:
    """The transcript that a file holds."""
    head, *lines = (json.loads(line) for line in text.splitlines())
    turns, rest = _Reader().read(lines)
    return Transcript(
        kind=head["kind"],
        profile=Profile(head["profile"]),
        era=Era(head["era"]) if "era" in head else None,
        replay_ms=head["replay_ms"],
        turns=turns,
        expected=rest,
    )


def _untimed(text: str) -> str:
    """The text without its durations, which belong to the machine that it was recorded on."""
    return _DURATION.sub(r"… \1", text)


def _of_any_probe(value: Any) -> Any:
    """The value as it would be whatever probe, of whatever version of ours, had sent it."""
    if value == CLIENT_INFO:
        return {**CLIENT_INFO, "version": "0"}
    if isinstance(value, dict):
        return {name: _of_any_probe(member) for name, member in value.items() if name != TRACEPARENT}
    return [_of_any_probe(each) for each in value] if isinstance(value, list) else value


# writing


def _lines(transcript: Transcript) -> Iterator[Mapping[str, Any]]:
    pinned = {} if transcript.era is None else {"era": transcript.era.value}
    yield {
        "kind": transcript.kind,
        "profile": transcript.profile.value,
        **pinned,
        "replay_ms": transcript.replay_ms,
    }
    standing = [number for number, turn in enumerate(transcript.turns) if turn.asked.is_standing]
    for number, turn in enumerate(transcript.turns):
        yield from _of_asked(turn)
        if turn.head is not None:
            yield _of_head(turn.head)
        yield from _of_body(turn, None, {})
        for place, stream in enumerate(standing, 1):
            yield from _of_body(transcript.turns[stream], number, {"stream": place})
    yield from transcript.expected


def _of_asked(turn: Turn) -> Iterator[Mapping[str, Any]]:
    asked = turn.asked
    yield {
        "ask": f"{asked.method} {asked.path}",
        "headers": _joined(asked.headers),
        **({"fresh": True} if asked.fresh else {}),
        **({"beside": True} if turn.beside else {}),
        **({"body": asked.body} if asked.body is not None else {}),
    }


def _of_head(head: Head) -> Mapping[str, Any]:
    kept = {"kept": True} if head.kept else {}
    return {"ms": head.ms, "status": head.status, "headers": _joined(head.headers), **kept}


def _of_body(turn: Turn, after: int | None, stream: Mapping[str, int]) -> Iterator[Mapping[str, Any]]:
    """The lines of what came after the turn `after` had begun, or after its own."""
    for piece in turn.pieces:
        if piece.after == after:
            yield {**stream, "ms": piece.ms, **_of_bytes(piece.data)}
    end = turn.end
    if end.after == after:
        failed = {"reason": end.reason, "detail": end.detail} if end.reason else {}
        yield {**stream, "ms": end.ms, "end": end.how, **failed}


def _of_bytes(data: bytes) -> Mapping[str, str]:
    try:
        return {"data": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _joined(headers: Headers) -> list[str]:
    return [f"{name}: {value}" for name, value in headers]


# reading


@dataclass(slots=True)
class _Open:
    """A turn while its lines are read."""

    asked: Asked
    beside: bool
    head: Head | None = None
    pieces: list[Piece] = field(default_factory=list)
    end: End | None = None

    def turn(self) -> Turn:
        assert self.end is not None, f"the answer to {self.asked} has no end"
        return Turn(asked=self.asked, beside=self.beside, head=self.head, pieces=tuple(self.pieces), end=self.end)


class _Reader:
    """Puts the lines of a file together."""

    def __init__(self) -> None:
        self._open: list[_Open] = []

    def read(self, lines: Sequence[Mapping[str, Any]]) -> tuple[tuple[Turn, ...], tuple[Mapping[str, Any], ...]]:
        """The turns, and the lines after them."""
        for number, line in enumerate(lines):
            if line.keys() & {"verdict"}:
                return tuple(each.turn() for each in self._open), tuple(lines[number:])
            self._take(line)
        raise ValueError("the transcript does not say what came of the probe")

    def _take(self, line: Mapping[str, Any]) -> None:
        if "ask" in line:
            self._open.append(_asked(line))
            return
        of, after = self._of(line)
        if "status" in line:
            kept = line.get("kept", False)
            of.head = Head(ms=line["ms"], status=line["status"], headers=_split(line["headers"]), kept=kept)
        elif "end" in line:
            failed = {"reason": line.get("reason", ""), "detail": line.get("detail", "")}
            of.end = End(ms=line["ms"], how=line["end"], after=after, **failed)
        else:
            of.pieces.append(Piece(ms=line["ms"], data=_bytes(line), after=after))

    def _of(self, line: Mapping[str, Any]) -> tuple[_Open, int | None]:
        """The turn to which a line belongs, and the one from which it counts where that is another."""
        if "stream" not in line:
            return self._open[-1], None
        standing = [each for each in self._open if each.asked.is_standing]
        return standing[line["stream"] - 1], len(self._open) - 1


def _asked(line: Mapping[str, Any]) -> _Open:
    method, path = line["ask"].split(" ")
    asked = Asked(
        method=method,
        path=path,
        headers=_split(line["headers"]),
        body=line.get("body"),
        fresh=line.get("fresh", False),
    )
    return _Open(asked, line.get("beside", False))


def _bytes(line: Mapping[str, Any]) -> bytes:
    return binascii.a2b_base64(line["base64"]) if "base64" in line else line["data"].encode("utf-8")


def _split(headers: Iterable[str]) -> Headers:
    pairs = (header.partition(": ") for header in headers)
    return tuple((name, value) for name, _, value in pairs)
