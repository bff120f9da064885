"""Lists of tools against the accepted one, versions that take turns, and slowness after a deploy."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from checks.inventory import Inventory, inventory_of
from checks.model import Diagnosis, Effect, Exchange, Failure, History
from checks.protocol.order import order
from checks.protocol.session import session
from checks.tool_lists import function_version
from checks.tool_memory import Deploy, Reading, ToolMemory, after_probe
from tests.unit.checks.conversations import (
    CACHED,
    COMPLETE,
    NOW,
    Judged,
    discovered,
    error,
    exchange,
    failed,
    judge,
    ok,
    opened,
    refused,
    tool,
)
from tests.unit.checks.full_profile import ask, in_session

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
ORDERS = tool("get_order", inputSchema={"type": "object", "properties": {"id": STRING}})
STRICTER = tool("get_order", inputSchema={"type": "object", "properties": {"id": INTEGER}})
REWORDED = {**ORDERS, "description": "Reads an order"}
SEARCH = tool("search")

DAY = (24.0, 25.0, 23.0, 26.0, 24.0)


@pytest.mark.parametrize(
    ("now", "effect", "said"),
    [
        ([STRICTER], Effect.DEGRADED, "1 breaking; first: get_order inputSchema/properties/id/type type changed"),
        ([SEARCH], Effect.DEGRADED, "2 changes, 1 breaking, 1 additive; first: get_order tool removed (breaking)"),
        ([ORDERS, SEARCH], Effect.INFORMATION, "1 additive; first: search tool added (additive)"),
        ([REWORDED], Effect.INFORMATION, "1 of text only; first: get_order description text changed"),
    ],
    ids=["breaking", "a tool gone", "additive", "text only"],
)
def test_a_list_that_three_probes_agree_on_is_measured_by_the_accepted_one(
    now: list[Any], effect: Effect, said: str
) -> None:
    drift = _drift(probe(now, history([ORDERS], [ORDERS], now, now)))

    assert drift.effect is effect
    assert said in drift.summary
    assert drift.confidence == 0.95
    assert drift.reproduce.startswith("curl ")
    assert "baseline accept" in drift.fix


def test_a_diff_stands_in_the_evidence_and_in_the_facts() -> None:
    drift = _drift(probe([STRICTER, SEARCH], history([ORDERS], *[[STRICTER, SEARCH]] * 2)))

    assert [each.text for each in drift.evidence[1:]] == [
        "get_order inputSchema/properties/id/type type changed: “string” → “integer” (breaking)",
        "search tool added (additive)",
    ]
    assert drift.facts["changes"][0] == {
        "tool": "get_order",
        "path": "inputSchema/properties/id/type",
        "kind": "type-changed",
        "impact": "breaking",
        "certain": True,
        "before": "“string”",
        "after": "“integer”",
    }
    assert (drift.facts["impact"], drift.facts["breaking"], drift.facts["additive"]) == ("breaking", 1, 1)


def test_what_no_rule_tells_is_said_with_less_confidence() -> None:
    own = [{**ORDERS, "inputSchema": {**ORDERS["inputSchema"], "x-own": 1}}]

    drift = _drift(probe(own, history([ORDERS], own, own)))

    assert (drift.effect, drift.confidence) == (Effect.DEGRADED, 0.6)


def test_a_long_diff_is_cut_and_says_so() -> None:
    many = [tool(f"t{number:03}") for number in range(300)]

    drift = _drift(probe(many, history([ORDERS], many, many)))

    assert len(drift.evidence) <= 15
    assert drift.evidence[-1].text == "and 188 more changes"
    assert len(drift.facts["changes"]) == 100
    assert "200 changes and more" in drift.summary


def test_the_accepted_list_in_another_order_is_no_drift() -> None:
    both, turned = [ORDERS, SEARCH], [SEARCH, {**ORDERS, "_meta": {"instance": 7}}]

    assert probe(turned, history(both, both, both)).ids == []


def test_nothing_drifts_where_nothing_was_accepted() -> None:
    assert probe([SEARCH], history(None, [ORDERS], [ORDERS])).ids == []
    assert probe([SEARCH], History()).ids == []


@pytest.mark.parametrize(("before", "times"), [(1, 1), (2, 1), (4, 1)])
def test_a_change_that_one_probe_saw_does_not_count_yet(before: int, times: int) -> None:
    drift = _drift(probe([STRICTER], history([ORDERS], *[[ORDERS]] * before)))

    assert drift.effect is Effect.INFORMATION
    assert f"in {times} of the last {before + 1} probes; it counts once 3 agree" in drift.summary
    assert any("a deploy" in each.lower() for each in drift.alternatives)


def test_lists_that_take_turns_between_probes_are_versions_and_no_drift() -> None:
    turns = [ORDERS], [STRICTER], [ORDERS], [STRICTER]
    judged = probe([ORDERS], history([ORDERS], *turns))

    drift = _drift(judged)
    assert drift.effect is Effect.INFORMATION
    assert "2 different lists of tools take turns over the last 5 probes" in drift.summary
    assert drift.evidence[1].text.endswith("A B A B A")
    assert any("RoutingConfig" in each for each in drift.alternatives)


def test_another_list_in_each_probe_is_no_drift_either() -> None:
    lists = [[tool(letter)] for letter in "abcd"]

    drift = _drift(probe([ORDERS], history([ORDERS], *lists)))

    assert "5 different lists" in drift.summary
    assert drift.effect is Effect.INFORMATION


def test_a_change_that_settled_stands_while_one_probe_sees_the_old_list_again() -> None:
    drift = _drift(probe([ORDERS], history([ORDERS], *[[STRICTER]] * 3)))

    assert drift.effect is Effect.DEGRADED


def test_a_list_that_cannot_be_read_is_nobodys_drift() -> None:
    broken = exchange("tools/list", messages=[error(-32603, "registry not loaded")])

    assert judge(opened(), broken, history=history([ORDERS], [ORDERS])).ids == ["tools-list-failed"]
    assert probe([], history([ORDERS], [], [])).ids == ["tools-empty"]


def test_two_lists_within_one_probe_are_two_versions() -> None:
    first, second = listed([ORDERS]), listed([STRICTER])

    drift = _drift(ask(order, opened(), second, listing=[first]))

    assert drift.effect is Effect.INFORMATION
    assert "2 different lists of tools within one probe" in drift.summary
    assert [each.exchange for each in drift.evidence[:2]] == [first.id, second.id]


def test_a_second_list_in_another_order_is_of_the_same_version() -> None:
    judged = ask(order, opened(), listed([SEARCH, ORDERS]), listing=[listed([ORDERS, SEARCH])])

    assert judged.ids == []


def test_parallel_connections_that_see_other_tools_meet_two_versions() -> None:
    crowd = [listed([ORDERS]), listed([STRICTER]), listed([ORDERS])]

    drift = _drift(ask(session, in_session(), listing=[listed([ORDERS])], crowd=crowd))

    assert "within one probe" in drift.summary
    assert drift.evidence[1].exchange == crowd[1].id


@pytest.mark.parametrize("past", [{"usual_wait_ms": DAY}, {"warm_wait_ms": DAY}], ids=["a day", "the last probes"])
def test_slowness_soon_after_a_deploy_is_information(past: Any) -> None:
    deploy = Deploy(at=NOW - timedelta(minutes=4), what="version 1 → 2")
    judged = probe([ORDERS], History(**past, tools=ToolMemory(deploys=(deploy,))), wait_ms=405.0)

    (warming,) = judged.diagnoses
    assert (warming.id, warming.effect) == ("deploy-warming", Effect.INFORMATION)
    assert "version 1 → 2 was first seen 4 minutes ago" in warming.summary


def test_the_probe_that_sees_the_new_version_sees_the_deploy() -> None:
    past = History(usual_wait_ms=DAY, tools=ToolMemory(versions=("1", "1", "1")))

    judged = probe([ORDERS], past, wait_ms=405.0, version="2")

    assert judged.ids == ["deploy-warming"]
    assert "first seen by this probe" in judged.diagnoses[0].summary


@pytest.mark.parametrize(
    ("stream", "version"),
    [
        ("2026/11/20/[7]0123456789abcdef0123456789abcdef", "7"),
        ("2026/11/20/orders[12][0123456789abcdef0123456789abcdef]", "12"),
        ("2026/11/20/[$LATEST]0123456789abcdef0123456789abcdef", None),
        ("something else", None),
    ],
)
def test_the_log_stream_of_a_web_function_tells_the_version_of_the_function(stream: str, version: str | None) -> None:
    first = discovered(headers=(("lambda-web-logstream", stream), ("lambda-web-request-id", "r")))

    assert function_version(opened(first)) == version


def test_nothing_else_tells_the_version_of_the_function() -> None:
    assert function_version(opened(discovered())) is None
    assert function_version(refused()) is None


def test_another_version_of_the_function_is_a_deploy() -> None:
    first = discovered(
        wait_ms=405.0, headers=(("lambda-web-logstream", "2026/11/20/[8]ab"), ("lambda-web-request-id", "r"))
    )
    past = History(usual_wait_ms=DAY, tools=ToolMemory(functions=("7", "7")), log_streams=("2026/11/20/[8]ab",))

    judged = judge(opened(first), listed([ORDERS]), history=past)

    assert judged.ids == ["deploy-warming"]
    assert "function version 7 → 8 was first seen by this probe" in judged.diagnoses[0].summary


def test_a_deploy_takes_the_place_of_slowness_and_of_late_cold_starts_within_its_window_alone() -> None:
    slowed = (400.0, 410.0, 390.0, 420.0)
    for minutes, ids in ((9, ["deploy-warming"]), (11, ["slow"])):
        deploy = Deploy(at=NOW - timedelta(minutes=minutes), what="version 1 → 2")
        past = History(usual_wait_ms=DAY, warm_wait_ms=slowed, tools=ToolMemory(deploys=(deploy,)))

        assert probe([ORDERS], past, wait_ms=405.0).ids == ids


def test_what_is_not_slow_or_cannot_be_judged_is_no_warming() -> None:
    tools = ToolMemory(deploys=(Deploy(at=NOW, what="version 1 → 2"),))

    assert probe([ORDERS], History(usual_wait_ms=DAY, tools=tools), wait_ms=25.0).ids == []
    assert probe([ORDERS], History(usual_wait_ms=DAY[:2], tools=tools), wait_ms=405.0).ids == []
    assert probe([ORDERS], History(usual_wait_ms=DAY), wait_ms=405.0).ids == []


def test_an_impaired_observer_sees_no_warming() -> None:
    tools = ToolMemory(deploys=(Deploy(at=NOW, what="version 1 → 2"),))
    first = discovered(wait_ms=405.0)
    judged = judge(
        opened(first),
        failed(Failure.OBSERVER, "loop-lag", method="tools/list"),
        history=History(usual_wait_ms=DAY, tools=tools),
    )

    assert judged.ids == ["observer-impaired"]


def listed(tools: Sequence[Any]) -> Exchange:
    return exchange("tools/list", messages=[ok({**COMPLETE, **CACHED, "tools": list(tools)})])


def history(accepted: Sequence[Any] | None, *lists: Sequence[Any]) -> History:
    """A past in which this list was accepted and those were read, newest last."""
    known = None if accepted is None else inventory_of(accepted)
    memory = ToolMemory()
    for each in lists:
        memory = after_probe(memory, _reading(each, known), accepted=known and known.fingerprint)
    return History(accepted=known, tools=replace(memory, deploys=()))


def _reading(tools: Sequence[Any], known: Inventory | None) -> Reading:
    found = inventory_of(tools)
    return Reading(at=NOW, version=None, fingerprint=found.fingerprint, inventory=None if found == known else found)


def probe(tools: Sequence[Any], past: History, *, wait_ms: float = 20.0, version: str = "") -> Judged:
    return judge(opened(discovered(wait_ms=wait_ms), server_version=version), listed(tools), history=past)


def _drift(judged: Judged) -> Diagnosis:
    return judged.diagnosis("tools-drift")
