"""Records what the prober and third-party servers say to each other, for the replays of the unit tests.

`python -m tests.interop.record_transcripts [KIND ...]` starts a server of each of these kinds, or of all, and writes
`tests/transcripts/`. What differs from run to run has a name there that stays the same, and times are written anew only
where they have changed by a quarter of a second: the difference is what has changed.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from time import monotonic

import httpx

from checks.model import Profile
from checks.spec import Era
from prober.clock import SystemClock
from prober.net.client import Net
from prober.net.failures import NetError
from prober.net.guard import GuardPolicy
from prober.net.http1 import Chunk
from prober.net.phases import Phases
from prober.net.transport import BODY, PHASES, Body
from prober.probing.runner import Assignment, probe
from tests.interop.environments import NotOnThisMachine
from tests.interop.kinds import KINDS, Kind
from tests.interop.serving import serving
from tests.unit.transcripts.replay import replayed
from tests.unit.transcripts.stable import like_before, stable
from tests.unit.transcripts.transcript import (
    Asked,
    End,
    Head,
    Piece,
    Transcript,
    Turn,
    asked_of,
    endpoint_of,
    outcome_of,
    path_of,
    read,
    recordings_of,
    text_of,
)


class RecordingNet(Net):
    """The way out, which writes down what goes over it."""

    def __init__(self) -> None:
        super().__init__(GuardPolicy(allow_private=True), clock=SystemClock())
        self._open: list[_Recording] = []

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What has been asked, and what came back."""
        return tuple(each.turn() for each in self._open)

    def client(self, *, verify: bool = True, confidential: bool = False) -> httpx.AsyncClient:
        client = super().client(verify=verify, confidential=confidential)
        return httpx.AsyncClient(transport=_Tap(client, self), headers=client.headers, trust_env=False)

    def begin(self, asked: Asked, phases: Phases) -> "_Recording":
        """Note a request that goes out now."""
        beside = any(each.end is None and not each.asked.is_standing for each in self._open)
        self._open.append(_Recording(self, asked, beside and not asked.is_standing, phases))
        return self._open[-1]

    def since(self, recording: "_Recording", moment: float) -> tuple[float, int | None]:
        """Milliseconds since the turn began; of a standing stream since the newest one did, with its place."""
        newest = len(self._open) - 1
        if not recording.asked.is_standing or self._open[newest] is recording:
            return _ms(moment - recording.phases.started), None
        return _ms(moment - self._open[newest].phases.started), newest


@dataclass(slots=True)
class _Recording:
    """A turn while it happens."""

    net: RecordingNet
    asked: Asked
    beside: bool
    phases: Phases
    head: Head | None = None
    pieces: list[Piece] = field(default_factory=list)
    end: End | None = None

    def begin_answer(self, response: httpx.Response) -> None:
        arrived = self.phases.first_byte_at or monotonic()
        headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in response.headers.raw)
        ms = _ms(arrived - self.phases.started)
        self.head = Head(ms=ms, status=response.status_code, headers=headers, kept=self.phases.reused)

    def add(self, at: float, data: bytes) -> None:
        ms, after = self.net.since(self, at)
        self.pieces.append(Piece(ms=ms, data=data, after=after))

    def finish(self, how: str, reason: str = "", detail: str = "") -> None:
        """Note the end, if it is not known yet."""
        if self.end is None:
            ms, after = self.net.since(self, monotonic())
            self.end = End(ms=ms, how=how, reason=reason, detail=detail, after=after)

    def fail(self, failed: NetError) -> None:
        self.finish(failed.error.failure.value, failed.error.reason, failed.error.detail)

    def turn(self) -> Turn:
        assert self.end is not None, f"still under way: {self.asked}"
        return Turn(asked=self.asked, beside=self.beside, head=self.head, pieces=tuple(self.pieces), end=self.end)


class _Tap(httpx.AsyncBaseTransport):
    """Sends by a client, and lets it be known what is sent and what comes back."""

    def __init__(self, client: httpx.AsyncClient, net: RecordingNet) -> None:
        self._client = client
        self._net = net

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        recording = self._net.begin(asked_of(request, await request.aread()), request.extensions[PHASES])
        try:
            response = await self._client.send(request, stream=True, auth=httpx.Auth())
        except NetError as failed:
            recording.fail(failed)
            raise
        except asyncio.CancelledError:
            recording.finish("left")
            raise
        recording.begin_answer(response)
        body = _TappedBody(response.extensions[BODY], recording)
        extensions = {**response.extensions, BODY: body}
        return httpx.Response(response.status_code, headers=response.headers.raw, stream=body, extensions=extensions)

    async def aclose(self) -> None:
        await self._client.aclose()


class _TappedBody(httpx.AsyncByteStream):
    """A body whose pieces are written down as they are read."""

    def __init__(self, body: Body, recording: _Recording) -> None:
        self._body = body
        self._recording = recording

    @property
    def is_followed(self) -> bool:
        return self._body.is_followed

    async def stamped(self) -> AsyncGenerator[Chunk, None]:
        try:
            async with aclosing(self._body.stamped()) as chunks:
                async for at, data in chunks:
                    self._recording.add(at, data)
                    yield at, data
        except NetError as failed:
            self._recording.fail(failed)
            raise
        self._recording.finish("complete")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(self.stamped()) as pieces:
            async for _, data in pieces:
                yield data

    async def aclose(self) -> None:
        self._recording.finish("left")
        await self._body.aclose()


async def record(kind: Kind, profile: Profile, era: Era | None) -> Transcript:
    """Probe a new server of this kind. Raises NotOnThisMachine where what it runs on is not installed."""
    async with serving(kind) as url:
        origin = url.removesuffix(kind.path)
        net, clock = RecordingNet(), SystemClock()
        assignment = Assignment(endpoint=endpoint_of(kind, origin, era), slot=clock.now(), profile=profile)
        report = await probe(assignment, net=net, clock=clock)
    transcript = Transcript(kind=kind.name, profile=profile, era=era, turns=net.turns, expected=outcome_of(report))
    return stable(transcript, origin)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Record what third-party servers say, for the replays.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="name of a kind in kinds.py; by default all")
    names = parser.parse_args(arguments).kinds
    unknown = set(names) - {kind.name for kind in KINDS}
    if unknown:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    os.environ["PYTHONHASHSEED"] = "0"  # some servers put a set into a header
    failed = False
    for kind in KINDS:
        if not names or kind.name in names:
            failed = not _renewed(kind) or failed
    return int(failed)


def _renewed(kind: Kind) -> bool:
    """Whether the files of a kind are written, and their replays come to what the recordings came to."""
    try:
        recorded = [asyncio.run(record(kind, profile, era)) for profile, era in recordings_of(kind)]
    except NotOnThisMachine as missing:
        print(f"{kind.name}: not recorded: {missing}")
        return False
    written = [_is_written(transcript) for transcript in recorded]
    return all(written)


def _is_written(transcript: Transcript) -> bool:
    path = path_of(transcript.name)
    timed = like_before(transcript, read(path.read_text("utf-8"))) if path.exists() else transcript
    timed, unlike = _tried(timed)
    if unlike:
        timed, unlike = _tried(transcript)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text_of(timed), "utf-8")
    print(f"{transcript.name}: {len(transcript.turns)} requests", *unlike, sep="\n  ")
    return not unlike


def _tried(transcript: Transcript) -> tuple[Transcript, tuple[str, ...]]:
    """The transcript with the time that a replay takes, and in what the replay differs."""
    again = replayed(read(text_of(transcript)))
    lines = (str(line) for line in outcome_of(again.report) if line not in transcript.expected)
    return replace(transcript, replay_ms=round(again.report.duration_ms, 1)), (*again.differences, *lines)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
