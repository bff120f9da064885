"""The tool list, read twice: the same, in another order, or another list."""

import pytest

from checks.model import Exchange, Failure, Opening, Outcome, Verdict
from checks.protocol.order import order
from tests.unit.checks.conversations import exchange, failed, ok, opened, tool, tool_page
from tests.unit.checks.full_profile import ask, handshake, refusal


@pytest.mark.parametrize("opening", [opened(), handshake(), handshake("2024-11-05")])
def test_the_same_list_again_passes(opening: Opening) -> None:
    first, second = tool_page("a", "b"), tool_page("a", "b")

    judged = ask(order, opening, second, listing=[first])

    result = judged.results[-1]
    assert (result.outcome, judged.ids) == (Outcome.PASS, [])
    assert result.summary == "2 tools in the same order when asked for again"
    assert result.facts == {
        "second": "same",
        "only_first": [],
        "only_second": [],
        "first_exchange": first.id,
        "second_exchange": second.id,
    }


def test_pages_may_be_cut_elsewhere_the_second_time() -> None:
    again = (tool_page("a", cursor="x"), tool_page("b", "c"))

    judged = ask(order, opened(), *again, listing=[tool_page("a", "b", cursor="y"), tool_page("c")])

    assert judged.results[-1].outcome is Outcome.PASS


def test_another_order_is_a_finding_by_the_rule_of_the_stateless_era() -> None:
    judged = ask(order, opened(), tool_page("b", "a"), listing=[tool_page("a", "b")])

    result = judged.results[-1]
    assert (result.outcome, result.facts["second"], judged.verdict) == (Outcome.WARN, "reordered", Verdict.UP)
    assert result.findings[0].text == "the same 2 tools come in another order when asked for again"
    assert (result.findings[0].rule or "").endswith("/2026-07-28/server/tools#capabilities")


def test_another_order_after_a_handshake_is_worded_as_advice() -> None:
    result = ask(order, handshake(), tool_page("b", "a"), listing=[tool_page("a", "b")]).results[-1]

    assert "(advice of 2026-07-28; 2025-11-25 does not speak of it)" in result.findings[0].text


def test_other_tools_are_a_stronger_finding_with_their_names() -> None:
    judged = ask(order, opened(), tool_page("a", "c", "d"), listing=[tool_page("a", "b")])

    result = judged.results[-1]
    assert (result.outcome, result.facts["second"], judged.verdict) == (Outcome.WARN, "other-tools", Verdict.UP)
    assert result.summary == ("two lists within one probe differ: only the first has b; only the second has c, d")
    assert (result.facts["only_first"], result.facts["only_second"]) == (["b"], ["c", "d"])


def test_a_name_that_comes_twice_once_is_a_difference() -> None:
    result = ask(order, opened(), tool_page("a", "b", "b"), listing=[tool_page("a", "b")]).results[-1]

    assert "a name comes more often in one of them" in result.summary


@pytest.mark.parametrize(
    "again",
    [
        (refusal(-32603, "registry not loaded", 500),),
        (exchange("tools/list", messages=[ok({"tools": None})]),),
        (tool_page("a", cursor="x"), tool_page("b", cursor="x")),
    ],
)
def test_a_list_that_works_once_is_a_finding(again: tuple[Exchange, ...]) -> None:
    judged = ask(order, handshake("2025-06-18"), *again, listing=[tool_page("a", "b")])

    assert (judged.results[-1].outcome, judged.verdict) == (Outcome.WARN, Verdict.UP)
    assert "works once and not again" in judged.results[-1].summary
    assert (judged.results[-1].findings[0].rule or "").endswith("/2025-06-18/server/tools#listing-tools")


@pytest.mark.parametrize(
    "again",
    [
        failed(Failure.DEADLINE, "exhausted", "tools/list"),
        failed(Failure.CONNECTION_LOST, "reset", "tools/list"),
        exchange("tools/list", status=429, media="text/plain", body=b""),
    ],
)
def test_a_second_list_that_never_came_is_skipped(again: Exchange) -> None:
    result = ask(order, opened(), again).results[-1]

    assert (result.outcome, result.findings, result.facts["second"]) == (Outcome.SKIP, (), "not-observed")
    assert result.summary.startswith("not observed: ")


def test_without_a_whole_first_list_nothing_is_asked() -> None:
    toolless = ask(order, opened(capabilities={"prompts": {}}), listing=[tool_page()])
    endless = ask(order, opened(), listing=[tool_page("a", cursor="x"), tool_page("b", cursor="x")])
    broken = ask(order, opened(), listing=[refusal(-32603, "no", 500)])

    assert toolless.results[-1].summary == "not asked: the server lists no tools"
    assert endless.results[-1].summary == "not asked: the first list was not read to its end"
    assert broken.results[-1].summary == "not asked: the tools could not be listed"


def test_hostile_names_are_kept_bounded() -> None:
    hostile = exchange("tools/list", messages=[ok({"tools": [tool(f"{n}\x1b" + "x" * 9000) for n in range(200)]})])

    result = ask(order, opened(), hostile, listing=[tool_page("a")]).results[-1]

    assert len(result.facts["only_second"]) == 50
    assert all(len(name) <= 128 for name in result.facts["only_second"])
    assert len(result.summary) < 600
    assert "\x1b" not in result.summary
