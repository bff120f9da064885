"""The files: what is written is read again, and what differs from run to run is out of them."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from checks.model import Profile
from tests.unit.transcripts.stable import like_before, stable
from tests.unit.transcripts.transcript import FOLDER, Asked, End, Head, Piece, Transcript, Turn, read, text_of
from tests.unit.transcripts.virtual_time import VirtualTime, run


def recording(*, port: int = 40001, session: str = "", probe: str = "1a2b3c4d", ms: float = 5.0) -> Transcript:
    """A tool list over a session, as it comes from the wire."""
    session = session or uuid4().hex
    asked = Asked(
        method="POST",
        path=f"/messages/?session_id={session}",
        headers=(("Origin", f"http://127.0.0.1:{port}"), ("Mcp-Session-Id", session)),
        body={"jsonrpc": "2.0", "id": f"mp-{probe}-7", "method": "tools/list", "params": {}},
    )
    head = Head(ms=ms, status=200, headers=(("Date", "Sat, 01 Jan 2000 00:00:00 GMT"), ("X-Id", str(uuid4()))))
    pieces = (
        Piece(ms=ms, data=f'data: {{"id":"mp-{probe}-7"}}\r\n\r\n'.encode()),
        Piece(ms=ms, data=b"\xff\x00"),
    )
    turn = Turn(asked=asked, head=head, pieces=pieces, end=End(ms=ms, how="complete"))
    raw = Transcript(kind="mcp-1.30", profile=Profile.FULL, turns=(turn,), expected=({"verdict": "up"},))
    return stable(raw, f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_a_transcript_is_written_as_it_was_read(path: Any) -> None:
    text = path.read_text("utf-8")
    assert text_of(read(text)) == text


def test_bytes_that_are_no_text_are_kept_too() -> None:
    assert read(text_of(recording())) == recording()


def test_two_recordings_of_one_server_are_the_same() -> None:
    assert recording(port=40001, probe="1a2b3c4d") == recording(port=50555, probe="99999999")


def test_what_names_two_sessions_stays_two_names() -> None:
    transcript = recording(session="0123456789abcdef0123456789abcdef")
    path, (_, (_, session)) = transcript.turns[0].asked.path, transcript.turns[0].asked.headers
    assert path.endswith(session)
    assert transcript.turns[0].head.headers[1][1].replace("-", "") != session


def test_an_id_that_is_spread_over_two_pieces_cannot_be_recorded() -> None:
    transcript = recording()
    turn = transcript.turns[0]
    split = tuple(Piece(ms=1.0, data=data) for data in (b"mp-12345", b"678-1"))
    with pytest.raises(ValueError, match="spread over two pieces"):
        stable(replace(transcript, turns=(replace(turn, pieces=split),)), "http://127.0.0.1:40001")


def test_times_that_are_nearly_the_same_are_no_difference() -> None:
    before = recording(ms=5.0)
    assert like_before(recording(ms=90.0), before) == before
    assert like_before(recording(ms=2000.0), before) == recording(ms=2000.0)


def test_times_are_kept_beside_a_request_that_is_new() -> None:
    before, now = recording(ms=5.0), recording(ms=9.0)
    other = replace(now.turns[0], asked=replace(now.turns[0].asked, method="GET", body=None))
    longer = like_before(replace(now, turns=(other, *now.turns)), before)
    assert [turn.head.ms for turn in longer.turns] == [9.0, 5.0]


def test_time_passes_only_by_being_waited_for() -> None:
    async def main(time: VirtualTime) -> float:
        began = time.monotonic()
        await asyncio.sleep(3600)
        assert asyncio.get_running_loop().time() == time.monotonic()
        return time.monotonic() - began

    assert run(main) == pytest.approx(3600)


def test_what_will_never_happen_is_not_waited_for() -> None:
    async def main(time: VirtualTime) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing will happen"):
        run(main)
