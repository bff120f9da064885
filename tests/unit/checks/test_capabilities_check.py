"""Capabilities: declared and served, or one without the other."""

from typing import Any

import pytest

from checks.model import Exchange, Failure, Opening, Outcome, Verdict
from checks.protocol.capabilities import capabilities
from tests.unit.checks.conversations import Judged, exchange, failed, ok, opened, tool_page
from tests.unit.checks.full_profile import ask, handshake, refusal

ALL = {"tools": {}, "prompts": {"listChanged": True}, "resources": {}, "logging": {}}
NO_PROMPTS = refusal(-32601, "Method not found", 404, "prompts/list")
NO_RESOURCES = refusal(-32601, "Method not found", 404, "resources/list")


def listed(name: str, *items: Any) -> Exchange:
    return exchange(f"{name}/list", messages=[ok({name: list(items)})])


def asked(declared: Any, prompts: Exchange, resources: Exchange, **more: Any) -> Judged:
    return ask(capabilities, opened(capabilities=declared), prompts, resources, **more)


@pytest.mark.parametrize("opening", [opened(capabilities=ALL), handshake("2024-11-05", capabilities=ALL)])
def test_what_is_declared_and_served_passes_even_where_there_is_none_of_it(opening: Opening) -> None:
    judged = ask(capabilities, opening, listed("prompts"), listed("resources", {"uri": "a"}))

    result = judged.results[-1]
    assert (result.outcome, judged.ids) == (Outcome.PASS, [])
    assert result.summary == "declared and served: tools, prompts, resources"
    assert result.facts["declared"] == ["tools", "prompts", "resources", "logging"]
    assert [result.facts[name]["state"] for name in ("tools", "prompts", "resources")] == ["served"] * 3
    assert [method for method, _, _ in judged.wire.asked] == ["tools/list", "prompts/list", "resources/list"]


@pytest.mark.parametrize(
    "refused",
    [
        NO_PROMPTS,
        refusal(-32602, "Invalid request parameters", 200, "prompts/list"),
        listed("prompts"),
        exchange("prompts/list", status=502, media="text/plain", body=b"Internal Server Error"),
        exchange("prompts/list", media="text/html", body=b"<h1>no</h1>"),
    ],
)
def test_what_is_neither_declared_nor_served_passes_however_it_is_refused(refused: Exchange) -> None:
    judged = asked({"tools": {}, "prompts": None}, refused, NO_RESOURCES)

    assert (judged.results[-1].outcome, judged.ids, judged.verdict) == (Outcome.PASS, [], Verdict.UP)
    assert judged.results[-1].facts["prompts"]["state"] == "absent"


@pytest.mark.parametrize(
    ("refused", "confidence"),
    [
        (NO_PROMPTS, 0.95),
        (refusal(-32603, "the table is not there", 500, "prompts/list"), 0.75),
        (exchange("prompts/list", media="text/html", body=b"<h1>no</h1>"), 0.75),
        (exchange("prompts/list", messages=[ok(None)]), 0.75),
    ],
)
def test_what_is_declared_and_not_served_is_degraded(refused: Exchange, confidence: float) -> None:
    judged = asked(ALL, refused, listed("resources"))

    diagnosis = judged.diagnosis("capability-untruthful")
    assert (judged.ids, judged.verdict) == (["capability-untruthful"], Verdict.DEGRADED)
    assert (judged.results[-1].outcome, diagnosis.confidence) == (Outcome.FAIL, confidence)
    assert diagnosis.summary.startswith("prompts is declared, but not served: prompts/list → ")
    assert diagnosis.reproduce.startswith("curl ")
    assert judged.results[-1].findings[0].rule == (
        "https://modelcontextprotocol.io/specification/2026-07-28/server/prompts#capabilities"
    )


def test_two_capabilities_that_are_not_served_are_one_diagnosis() -> None:
    diagnosis = asked(ALL, NO_PROMPTS, NO_RESOURCES).diagnosis("capability-untruthful")

    assert diagnosis.summary.startswith("prompts and resources are declared, but not served")
    assert len(diagnosis.evidence) == 2


def test_a_result_without_a_list_is_a_finding() -> None:
    judged = asked(ALL, exchange("prompts/list", messages=[ok({"prompts": None})]), listed("resources"))

    assert (judged.results[-1].outcome, judged.verdict) == (Outcome.WARN, Verdict.UP)
    assert "holds no array" in judged.results[-1].summary


def test_what_is_served_and_not_declared_is_information() -> None:
    judged = asked({"tools": {}}, listed("prompts", {"name": "greet"}), NO_RESOURCES)

    assert (judged.ids, judged.verdict) == (["capability-untruthful"], Verdict.UP)
    assert judged.results[-1].outcome is Outcome.WARN
    assert "prompts is served, but not declared" in judged.diagnosis("capability-untruthful").summary


def test_tools_that_are_listed_and_not_declared_are_information_too() -> None:
    judged = asked({}, NO_PROMPTS, NO_RESOURCES)

    assert (judged.ids, judged.verdict) == (["capability-untruthful"], Verdict.UP)
    assert judged.diagnosis("capability-untruthful").evidence[0].exchange == judged.results[1].exchanges[0].id


@pytest.mark.parametrize("listing", [refusal(-32601, "Method not found", 404), tool_page()])
def test_a_server_of_resources_alone_passes(listing: Exchange) -> None:
    judged = asked({"resources": {}}, NO_PROMPTS, listed("resources"), listing=[listing])

    assert (judged.results[-1].outcome, judged.ids) == (Outcome.PASS, [])


def test_what_never_arrived_is_skipped() -> None:
    spent = [failed(Failure.DEADLINE, "exhausted", method) for method in ("prompts/list", "resources/list")]
    throttled = exchange("prompts/list", status=429, media="text/plain", body=b"")

    nothing = asked(ALL, *spent)
    partly = asked(ALL, throttled, listed("resources"))

    assert (nothing.results[-1].outcome, nothing.ids) == (Outcome.SKIP, [])
    assert (partly.results[-1].outcome, partly.ids) == (Outcome.PASS, [])
    assert partly.results[-1].summary == "declared and served: tools, resources; not observed: prompts"


def test_without_a_conversation_or_a_tool_list_nothing_is_asked() -> None:
    closed = ask(capabilities, Opening())
    broken = ask(capabilities, opened(), listing=[refusal(-32603, "registry not loaded", 500)])

    assert closed.results[-1].summary == "not asked: no conversation is open"
    assert broken.results[-1].summary == "not asked: the tools could not be listed"
