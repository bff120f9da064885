"""Answers a probe from a transcript, without a socket, at the recorded times of a virtual clock."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx

from checks.model import Endpoint, Failure, ProbeReport
from prober.net.client import Net
from prober.net.failures import NetError
from prober.net.guard import GuardPolicy
from prober.net.http1 import Chunk
from prober.net.phases import Phases, Step
from prober.net.transport import BODY, PHASES
from prober.probing.runner import Assignment, probe
from tests.unit.transcripts.transcript import Asked, End, Head, Piece, Transcript, Turn, asked_of
from tests.unit.transcripts.virtual_time import VirtualTime, run

OUR_ID: Final = re.compile(r"mp-[0-9a-f]{8}-[0-9]+")
"""A request id or a progress token of the prober."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay."""

    report: ProbeReport
    differences: tuple[str, ...]
    """Where the wire differs from the recording, and what to do about it."""


def replayed(transcript: Transcript, endpoint: Endpoint | None = None) -> Replayed:
    """Probe the server of a transcript as it was probed then, or as `endpoint` has it."""

    async def main(time: VirtualTime) -> Replayed:
        tape = Tape(transcript, time)
        assignment = Assignment(endpoint=endpoint or transcript.endpoint, slot=time.now(), profile=transcript.profile)
        report = await probe(assignment, net=_Net(tape, time), clock=time)
        return Replayed(report, tape.differences())

    return run(main)


class _Net(Net):
    """The way out, which leads to a tape."""

    def __init__(self, tape: "Tape", time: VirtualTime) -> None:
        super().__init__(GuardPolicy(), clock=time)
        self._tape = tape

    def client(self, *, verify: bool = True, confidential: bool = False) -> httpx.AsyncClient:
        headers = super().client(verify=verify, confidential=confidential).headers
        return httpx.AsyncClient(transport=self._tape, headers=headers, trust_env=False)


@dataclass(slots=True, eq=False)
class _Playing:
    """A turn of the transcript, and how far the replay has come with it."""

    turn: Turn
    crowd: int
    """Turns of one crowd were asked at the same time; they may begin in any order."""
    parts: Mapping[str, Any]
    began: "asyncio.Future[float]" = field(default_factory=asyncio.Future)
    is_over: bool = False

    @property
    def has_begun(self) -> bool:
        return self.began.done()

    @property
    def is_under_way(self) -> bool:
        return self.has_begun and not self.is_over and not self.turn.asked.is_standing


class Tape(httpx.AsyncBaseTransport):
    """Answers requests as the transcript has it, and remembers those that it does not hold."""

    def __init__(self, transcript: Transcript, time: VirtualTime) -> None:
        self._kind = transcript.kind
        self._time = time
        self._turns = _playing(transcript)
        self._ids: dict[str, str] = {}
        """The ids of this probe, by those that were recorded."""
        self._unlike: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        playing = self._begin(asked_of(request, await request.aread()))
        phases: Phases = request.extensions[PHASES]
        phases.remote_address, phases.step, phases.sent_at = "127.0.0.1", Step.ANSWER, playing.began.result()
        try:
            head = await self._head(playing)
        except BaseException:
            playing.is_over = True
            raise
        phases.reused, phases.step, phases.first_byte_at = head.kept, Step.BODY, self._time.monotonic()
        body = _Body(self, playing)
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in head.headers]
        return httpx.Response(head.status, headers=headers, stream=body, extensions={PHASES: phases, BODY: body})

    async def pieces(self, playing: _Playing) -> AsyncGenerator[Chunk, None]:
        """The body of an answer, at the times of its arrival, for the ids of this probe."""
        for piece in playing.turn.pieces:
            at = await self._reached(playing, piece)
            text = piece.data.decode("latin-1")
            yield at, OUR_ID.sub(lambda found: self._ids.get(found[0], found[0]), text).encode("latin-1")
        await self._end(playing)

    def differences(self) -> tuple[str, ...]:
        """Where the wire differs from the recording, once the probe is over."""
        never = (f"not asked: {each.turn.asked}" for each in self._turns if not each.has_begun)
        found = (*self._unlike, *never)
        advice = f"where that is meant, record anew: python -m tests.interop.record_transcripts {self._kind}"
        return (*found, advice) if found else ()

    def _begin(self, asked: Asked) -> _Playing:
        """Find the turn of a request. Raises NetError where there is none that is at all like it."""
        recorded_ids = {actual: recorded for recorded, actual in self._ids.items()}
        parts = _parts(_renamed(asked, recorded_ids))
        waiting = [each for each in self._turns if not each.has_begun]
        playing = next((each for each in waiting if each.parts == parts), None) or self._instead(asked, parts, waiting)
        if playing is None:
            self._unlike.append(f"not recorded: {asked}")
            raise NetError(Failure.OBSERVER, "not-recorded", f"the transcript has no {asked}")
        if playing.crowd > waiting[0].crowd:
            self._unlike.append(f"asked too early: {asked}, before {waiting[0].turn.asked}")
        is_beside = any(each.is_under_way for each in self._turns)
        if is_beside is not playing.turn.beside and not asked.is_standing:
            self._unlike.append(f"asked {'beside' if is_beside else 'after'} another request: {asked}")
        self._ids.update(zip(_own_ids(playing.turn.asked), _own_ids(asked), strict=False))
        playing.began.set_result(self._time.monotonic())
        return playing

    def _instead(self, asked: Asked, parts: Mapping[str, Any], waiting: Sequence[_Playing]) -> _Playing | None:
        """The turn that is next, where the request is one of its method that says something else."""
        alike = (each for each in waiting if each.crowd == waiting[0].crowd and str(each.turn.asked) == str(asked))
        playing = next(alike, None)
        if playing is not None:
            unlike = {name: value for name, value in playing.parts.items() if parts[name] != value}
            shown = (f"\n  {name}: {parts[name]}\n  recorded: {value}" for name, value in unlike.items())
            self._unlike.append(f"asked otherwise: {asked}{''.join(shown)}")
        return playing

    async def _head(self, playing: _Playing) -> Head:
        head = playing.turn.head
        if head is None:
            await self._end(playing)
            raise ValueError(f"an answer without a status is complete: {playing.turn.asked}")
        await self._until(playing.began.result() + head.ms / 1000)
        return head

    async def _end(self, playing: _Playing) -> None:
        end = playing.turn.end
        if end.how == "left":
            await asyncio.get_running_loop().create_future()
        await self._reached(playing, end)
        if end.how != "complete":
            raise NetError(Failure(end.how), end.reason, end.detail)

    async def _reached(self, playing: _Playing, what: Piece | End) -> float:
        """The moment when this came, once it is there."""
        since = playing if what.after is None else self._turns[what.after]
        moment = await since.began + what.ms / 1000
        await self._until(moment)
        return moment

    async def _until(self, moment: float) -> None:
        await asyncio.sleep(max(moment - self._time.monotonic(), 0.0))


class _Body(httpx.AsyncByteStream):
    """Stands in for `prober.net.transport.Body`."""

    is_followed = False

    def __init__(self, tape: Tape, playing: _Playing) -> None:
        self._tape = tape
        self._playing = playing

    def stamped(self) -> AsyncGenerator[Chunk, None]:
        return self._tape.pieces(self._playing)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(self.stamped()) as pieces:
            async for _, data in pieces:
                yield data

    async def aclose(self) -> None:
        self._playing.is_over = True


def _playing(transcript: Transcript) -> list[_Playing]:
    found: list[_Playing] = []
    crowd = 0
    for turn in transcript.turns:
        crowd += not (turn.beside or turn.asked.is_standing)
        found.append(_Playing(turn, crowd, _parts(turn.asked)))
    return found


def _parts(asked: Asked) -> Mapping[str, Any]:
    """What two requests must have in common to be the same, whatever ids they chose."""
    body = asked.body
    for own in _own_ids(asked):
        body = json.loads(json.dumps(body).replace(json.dumps(own), '"*"'))
    headers = sorted((name.lower(), value) for name, value in asked.headers)
    return {"request": str(asked), "headers": headers, "fresh": asked.fresh, "body": body}


def _own_ids(asked: Asked) -> list[str]:
    """The ids that a request brings up: its own, and the token of its progress."""
    body = asked.body if isinstance(asked.body, Mapping) else {}
    params = body.get("params")
    meta = params.get("_meta") if isinstance(params, Mapping) else None
    token = meta.get("progressToken") if isinstance(meta, Mapping) else None
    return [each for each in (body.get("id"), token) if each is not None]


def _renamed(asked: Asked, names: Mapping[str, str]) -> Asked:
    """The request with these ids under other names."""
    body = OUR_ID.sub(lambda found: names.get(found[0], found[0]), json.dumps(asked.body))
    return replace(asked, body=json.loads(body))
