"""Third-party servers as they were recorded: the wire asks what it asked then, and judges the answers as it did."""

import re
from dataclasses import replace
from typing import Any

import pytest

from checks.axes import axes_of
from checks.model import Failure, Outcome, Profile, Verdict
from tests.interop.kinds import KINDS, Axes, Kind
from tests.unit.transcripts.conftest import Played, Recorded
from tests.unit.transcripts.replay import replayed
from tests.unit.transcripts.transcript import FOLDER, End, Transcript, name_of, outcome_of, path_of, recordings_of

RECORDED = {name_of(kind.name, *how): kind for kind in KINDS for how in recordings_of(kind)}
"""The kind of each transcript, by its name."""

every_transcript = pytest.mark.parametrize("name", RECORDED)

HANDSHAKE, STATELESS = "mcp-1.30.standard", "ts-2.4.standard"


def turn_of(transcript: Transcript, rpc_method: str, tool: str | None = None) -> int:
    """The place of the first request of a method, or of a call of a tool."""
    turns = enumerate(transcript.turns)
    return next(
        place
        for place, turn in turns
        if turn.asked.rpc_method == rpc_method and tool in (None, turn.asked.body["params"].get("name"))
    )


def with_turn(transcript: Transcript, place: int, **changed: Any) -> Transcript:
    """The transcript with one turn that is different."""
    turns = list(transcript.turns)
    turns[place] = replace(turns[place], **changed)
    return replace(transcript, turns=tuple(turns))


def with_asked(transcript: Transcript, place: int, **changed: Any) -> Transcript:
    """The transcript with one request that is different."""
    return with_turn(transcript, place, asked=replace(transcript.turns[place].asked, **changed))


# as recorded


@every_transcript
def test_the_wire_asks_what_it_asked_when_the_server_was_recorded(played: Played, name: str) -> None:
    differences = played(name).differences
    assert not differences, "\n".join(differences)


@every_transcript
def test_the_answers_come_to_what_they_came_to_then(played: Played, recorded: Recorded, name: str) -> None:
    assert outcome_of(played(name).report) == recorded(name).expected


@every_transcript
def test_the_wire_waits_as_long_as_it_waited_then(played: Played, recorded: Recorded, name: str) -> None:
    assert played(name).report.duration_ms == pytest.approx(recorded(name).replay_ms, abs=1.0)


@every_transcript
def test_a_recorded_server_is_up_and_on_its_five_axes(played: Played, recorded: Recorded, name: str) -> None:
    report, kind = played(name).report, RECORDED[name]
    axes = axes_of(report)
    (replies,) = {mode for modes in axes.replies.values() for mode in modes}
    assert report.verdict is Verdict.UP
    assert Axes(axes.era, axes.protocol_version, axes.transport, axes.session, replies) == (
        kind.axes if recorded(name).era is None else kind.by_handshake
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_only_what_breaks_a_rule_is_found_of_a_recorded_server(played: Played, kind: Kind) -> None:
    results = played(name_of(kind.name, Profile.FULL, None)).report.results
    found = [(result.check, finding.text) for result in results for finding in result.findings]
    assert len(found) == len(kind.violations)
    for (check, text), violation in zip(sorted(found), sorted(kind.violations, key=str), strict=True):
        assert check == violation.check
        assert text.startswith(violation.says)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_which_revisions_a_recorded_server_has_is_told(played: Played, kind: Kind) -> None:
    results = played(name_of(kind.name, Profile.FULL, None)).report.results
    (eras,) = (result for result in results if result.check == "eras")
    met = eras.facts["revisions"].items()
    assert tuple(revision for revision, answer in met if answer["answer"] == "served") == kind.serves


def test_there_is_a_file_for_every_kind_and_profile_and_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {path_of(name).name for name in RECORDED}


def test_the_files_name_no_machine_and_are_of_reviewable_size() -> None:
    texts = [path.read_text("utf-8") for path in FOLDER.iterdir()]
    place = re.compile(r"/(home|root|work|usr|tmp|var|Users|opt)/|localhost|site-packages|node_modules")
    assert [found[0] for text in texts for found in place.finditer(text)] == []
    assert sum(map(len, texts)) < 1_500_000


# what is unlike


def test_a_request_that_is_missing_from_the_recording_is_named(recorded: Recorded) -> None:
    transcript = recorded(HANDSHAKE)
    place = turn_of(transcript, "tools/list")
    fewer = replace(transcript, turns=transcript.turns[:place] + transcript.turns[place + 1 :])
    differences = replayed(fewer).differences
    assert differences[0] == "not recorded: POST /mcp tools/list"
    assert differences[-1].endswith("python -m tests.interop.record_transcripts mcp-1.30")


def test_a_recorded_request_that_is_not_made_is_named(recorded: Recorded) -> None:
    transcript = recorded(HANDSHAKE)
    place = turn_of(transcript, "tools/list")
    more = replace(transcript, turns=(*transcript.turns, transcript.turns[place]))
    assert replayed(more).differences[0] == "not asked: POST /mcp tools/list"


def test_a_header_that_is_unlike_is_shown(recorded: Recorded) -> None:
    transcript = recorded(HANDSHAKE)
    place = turn_of(transcript, "tools/list")
    headers = transcript.turns[place].asked.headers
    without = tuple(header for header in headers if header[0] != "Mcp-Session-Id")
    differences = replayed(with_asked(transcript, place, headers=without)).differences
    assert "\n  headers: " in differences[0]
    assert "mcp-session-id" in differences[0]


def test_a_connection_of_its_own_is_part_of_a_request(recorded: Recorded) -> None:
    transcript = recorded(HANDSHAKE)
    place = turn_of(transcript, "tools/list")
    differences = replayed(with_asked(transcript, place, fresh=True)).differences
    assert differences[0].endswith("\n  fresh: False\n  recorded: True")


def test_requests_in_another_order_are_noticed(recorded: Recorded) -> None:
    transcript = recorded(HANDSHAKE)
    place = turn_of(transcript, "tools/list")
    turns = list(transcript.turns)
    turns[place - 1], turns[place] = turns[place], turns[place - 1]
    differences = replayed(replace(transcript, turns=tuple(turns))).differences
    assert differences[0].startswith(
        "asked too early: POST /mcp notifications/initialized, before POST /mcp tools/list"
    )


def test_requests_that_are_no_longer_made_at_the_same_time_are_noticed(recorded: Recorded) -> None:
    transcript = recorded(HANDSHAKE)
    place = turn_of(transcript, "tools/list")
    differences = replayed(with_turn(transcript, place, beside=True)).differences
    assert differences[0] == "asked after another request: POST /mcp tools/list"


# at other times


def with_steps(transcript: Transcript, place: int, first_ms: float, step_ms: float) -> Transcript:
    """The transcript with an answer whose pieces arrive at this pace."""
    turn = transcript.turns[place]
    pieces = tuple(replace(piece, ms=first_ms + step_ms * number) for number, piece in enumerate(turn.pieces))
    head = replace(turn.head, ms=first_ms)
    return with_turn(transcript, place, head=head, pieces=pieces, end=replace(turn.end, ms=pieces[-1].ms))


def test_progress_that_takes_its_time_is_seen_to_stream(recorded: Recorded) -> None:
    transcript = recorded(HANDSHAKE)
    slow = with_steps(transcript, turn_of(transcript, "tools/call", "count"), 10, 400)
    replay = replayed(slow)
    (streaming,) = (result for result in replay.report.results if result.check == "streaming")
    assert replay.differences == ()
    assert streaming.outcome is Outcome.PASS
    assert (streaming.facts["events"], streaming.facts["spread_ms"]) == (4, 1200.0)


def test_the_same_progress_held_back_to_the_end_is_a_burst(recorded: Recorded) -> None:
    transcript = recorded(HANDSHAKE)
    held_back = with_steps(transcript, turn_of(transcript, "tools/call", "count"), 1210, 0)
    replay = replayed(held_back)
    assert replay.differences == ()
    assert replay.report.verdict is not Verdict.UP
    assert [each.id for each in replay.report.diagnoses] == ["streaming-buffered"]


def test_a_call_that_is_never_answered_lasts_until_the_deadline_of_the_probe(recorded: Recorded) -> None:
    transcript = recorded(STATELESS)
    place = turn_of(transcript, "tools/call")
    silent = with_turn(transcript, place, head=None, pieces=(), end=End(ms=0, how="left"))
    replay = replayed(silent)
    assert replay.differences == ()
    assert [each.id for each in replay.report.diagnoses] == ["response-timeout"]
    assert replay.report.exchanges[-1].transport_error.reason == "no-answer"
    assert replay.report.duration_ms == pytest.approx(transcript.endpoint.timeout_s * 1000)


def test_a_call_that_is_never_answered_is_called_off_where_hanging_up_is_not_enough(recorded: Recorded) -> None:
    transcript = recorded(HANDSHAKE)
    place = turn_of(transcript, "tools/call", "count")
    silent = with_turn(transcript, place, head=None, pieces=(), end=End(ms=0, how="left"))
    assert replayed(silent).differences[0] == "not recorded: POST /mcp notifications/cancelled"


def test_an_answer_that_breaks_off_is_a_failure_of_the_network(recorded: Recorded) -> None:
    transcript = recorded(STATELESS)
    place = turn_of(transcript, "tools/list")
    lost = End(ms=900, how=Failure.CONNECTION_LOST.value, reason="in-body", detail="gone")
    replay = replayed(with_turn(transcript, place, pieces=(), end=lost))
    assert replay.report.exchanges[1].transport_error.failure is Failure.CONNECTION_LOST
    assert replay.report.exchanges[1].timings.total_ms == pytest.approx(900)
