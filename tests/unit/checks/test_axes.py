"""Five axes, told one by one."""

from checks.axes import Axes, ReplyMode, SessionMode, axes_of, replies_in_words
from checks.model import CheckResult, Exchange, Opening, Outcome, ProbeReport, Verdict
from checks.proofs import listed
from checks.spec import Era, Transport
from tests.unit.checks.conversations import NOW, discovered, error, exchange, initialized, ok, opened, refused

EVENTS = "text/event-stream"


def report(opening: Opening, **exchanges: tuple[Exchange, ...]) -> ProbeReport:
    results = tuple(
        CheckResult(check=check, outcome=Outcome.PASS, summary="", exchanges=made) for check, made in exchanges.items()
    )
    return ProbeReport(
        endpoint="orders", slot=NOW, started_at=NOW, duration_ms=1, verdict=Verdict.UP, opening=opening, results=results
    )


def test_an_old_revision_over_the_newer_transport_with_sessions_and_both_ways_of_answering() -> None:
    opening = opened(initialized("2024-11-05"), era=Era.HANDSHAKE, version="2024-11-05", has_session=True)
    listing = exchange("tools/list", messages=[ok({"tools": []})])
    calls = (
        exchange("tools/call", messages=[ok({"content": []})], media=EVENTS),
        exchange("tools/call", messages=[ok({"content": []})]),
        exchange("tools/call", messages=[ok({"content": []})]),
    )
    assert axes_of(report(opening, tools_list=(listing,), sentinel_call=calls)) == Axes(
        era=Era.HANDSHAKE,
        protocol_version="2024-11-05",
        transport=Transport.STREAMABLE_HTTP,
        session=SessionMode.SESSION,
        replies={
            "initialize": (ReplyMode.JSON,),
            "tools/list": (ReplyMode.JSON,),
            "tools/call": (ReplyMode.EVENT_STREAM, ReplyMode.JSON),
        },
    )


def test_the_older_transport_always_has_a_session_in_its_address() -> None:
    opening = opened(initialized(), era=Era.HANDSHAKE, transport=Transport.SSE)
    assert axes_of(report(opening)).session is SessionMode.SESSION


def test_without_a_conversation_nothing_is_known() -> None:
    assert axes_of(report(refused(discovered(status=503)))) == Axes()


def test_refusals_and_the_answers_to_odd_questions_are_no_reply_modes() -> None:
    refusal = exchange("tools/list", messages=[error(-32603, "no")])
    odd = exchange("tools/list", messages=[ok({"tools": []})], media=EVENTS)
    axes = axes_of(report(opened(), tools_list=(refusal,), headers=(odd,)))
    assert axes.session is SessionMode.NONE
    assert axes.replies == {"server/discover": (ReplyMode.JSON,)}


def test_how_answers_came_is_told_by_methods_that_were_answered_alike() -> None:
    replies = {
        "initialize": (ReplyMode.JSON,),
        "tools/list": (ReplyMode.EVENT_STREAM, ReplyMode.JSON),
        "ping": (ReplyMode.JSON,),
        "tools/call": ("later",),
    }
    assert replies_in_words(replies) == "JSON to initialize and ping; events or JSON to tools/list; later to tools/call"
    assert replies_in_words({}) == ""


def test_words_are_listed_as_in_a_sentence() -> None:
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
