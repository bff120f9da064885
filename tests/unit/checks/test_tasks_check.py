"""Sentinels as tasks: how they are called, polled and called off, and what counts against the server."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.model import CheckResult, Endpoint, Exchange, Expectation, Failure, OnRequest, Opening, Outcome, Sentinel
from checks.protocol.tasks import EXTENSION, NO_TASK, POLL_CAP, RELATED, SENTINEL_CAP, tasks
from checks.spec import META_CLIENT_CAPABILITIES, Era
from checks.unit import CheckContext
from checks.wire import Alteration
from tests.unit.checks.conversations import (
    ScriptedWire,
    endpoint,
    error,
    exchange,
    failed,
    ok,
    opened,
    refused,
    run,
    tool,
)

ADD = Sentinel(tool="add", arguments={"a": 2}, expect=Expectation(text="5"))
WATCHED = endpoint(sentinels=(ADD,), on_request=(OnRequest.TASKS,))
DECLARED = {"tools": {}, "tasks": {"cancel": {}, "requests": {"tools": {"call": {}}}}}
CORE = opened(era=Era.HANDSHAKE, version="2025-11-25", capabilities=DECLARED)
EXTENDED = opened(capabilities={"tools": {}, "extensions": {EXTENSION: {}}})
AS_CLIENT = Alteration(meta={META_CLIENT_CAPABILITIES: {"extensions": {EXTENSION: {}}}})
STAMPS = {"createdAt": "2026-11-20T12:00:00Z", "lastUpdatedAt": "2026-11-20T12:00:00Z"}
SUM = {"content": [{"type": "text", "text": "5"}]}
UNKNOWN = exchange("tasks/get", messages=[error(-32602, "Task not found")])


def core_task(status: str = "working", **more: Any) -> dict[str, Any]:
    return {"taskId": "t1", "status": status, **STAMPS, "ttl": 60000, "pollInterval": 200, **more}


def extended_task(status: str = "working", **more: Any) -> dict[str, Any]:
    return {
        "resultType": "complete",
        "taskId": "t1",
        "status": status,
        **STAMPS,
        "ttlMs": None,
        "pollIntervalMs": 200,
        **more,
    }


def said(method: str, result: Any) -> Exchange:
    return exchange(method, messages=[ok(result)])


def created(**more: Any) -> Exchange:
    return said("tools/call", {"task": core_task(**more)})


def polled(status: str = "working", **more: Any) -> Exchange:
    return said("tasks/get", core_task(status, **more))


def fetched(result: Any = SUM, task_id: Any = "t1") -> Exchange:
    return said("tasks/result", {**result, "_meta": {RELATED: {"taskId": task_id}}})


def begun(**more: Any) -> Exchange:
    return said("tools/call", extended_task(**{"resultType": "task", **more}))


def seen(status: str = "working", **more: Any) -> Exchange:
    return said("tasks/get", extended_task(status, **more))


CANCELLED = said("tasks/cancel", core_task("cancelled"))
ENDED_WELL = (created(), polled(), polled("completed"), fetched(), UNKNOWN)
EXTENDED_WELL = (begun(), seen(), seen("completed", result=SUM), UNKNOWN)


def listed(support: Any = "optional", *more: dict[str, Any]) -> CheckResult:
    entry = tool("add", execution={"taskSupport": support})
    page = exchange("tools/list", messages=[ok({"tools": [entry, *more]})])
    return CheckResult(check="tools_list", outcome=Outcome.PASS, summary="", exchanges=(page,))


def asked(
    *answers: Exchange,
    opening: Opening = CORE,
    watched: Endpoint = WATCHED,
    listing: CheckResult | None = None,
    patience: int = 100,
) -> tuple[CheckResult, ScriptedWire]:
    wire = ScriptedWire(opening, answers, patience=patience)
    context = CheckContext(endpoint=watched, wire=wire, results=(listing or listed(),))
    return run(tasks.run, context), wire


def ends(result: CheckResult) -> list[str]:
    return [fact["outcome"] for fact in result.facts["tasks"]]


def test_a_task_of_2025_11_25_is_polled_no_sooner_than_suggested_and_its_result_fetched() -> None:
    result, wire = asked(*ENDED_WELL)

    assert (result.outcome, result.findings) == (Outcome.PASS, ())
    assert [(method, params) for method, params, _ in wire.asked] == [
        ("tools/call", {"name": "add", "arguments": {"a": 2}, "task": {"ttl": 60000}}),
        ("tasks/get", {"taskId": "t1"}),
        ("tasks/get", {"taskId": "t1"}),
        ("tasks/result", {"taskId": "t1"}),
        ("tasks/get", {"taskId": NO_TASK}),
    ]
    assert wire.asked_otherwise == [("pause", 200), ("pause", 240)]
    assert set(wire.alterations) == {None}
    assert result.facts == {
        "tasks": [
            {
                "tool": "add",
                "outcome": "ok",
                "polls": 2,
                "summary": "ends as expected after 2 polls",
                "exchange": ENDED_WELL[0].id,
            }
        ],
        "unknown_refused": True,
    }


def test_a_task_of_the_extension_is_declared_with_every_request_and_holds_its_result() -> None:
    result, wire = asked(*EXTENDED_WELL, opening=EXTENDED, listing=listed(None))

    assert (result.outcome, result.findings, ends(result)) == (Outcome.PASS, (), ["ok"])
    assert [method for method, _, _ in wire.asked] == ["tools/call", "tasks/get", "tasks/get", "tasks/get"]
    assert wire.asked[0][1] == {"name": "add", "arguments": {"a": 2}}
    assert wire.alterations == [AS_CLIENT] * 4


def test_the_extension_leaves_it_to_the_server_to_make_a_task_of_a_call() -> None:
    result, wire = asked(said("tools/call", {"resultType": "complete", **SUM}), opening=EXTENDED)

    assert (result.outcome, ends(result), len(wire.asked)) == (Outcome.PASS, ["at-once"], 1)
    assert result.facts["unknown_refused"] is None


@pytest.mark.parametrize(
    ("watched", "opening", "listing", "reason"),
    [
        (endpoint(sentinels=(ADD,)), CORE, None, "only on request"),
        (WATCHED, refused(), None, "no conversation is open"),
        (endpoint(on_request=(OnRequest.TASKS,)), CORE, None, "no sentinel is configured"),
        (WATCHED, opened(), None, "does not declare"),
        (WATCHED, opened(era=Era.HANDSHAKE, capabilities={"tasks": {"requests": {}}}), None, "does not declare"),
        (WATCHED, opened(era=Era.HANDSHAKE, version="2025-06-18", capabilities=DECLARED), None, "does not declare"),
        (WATCHED, CORE, listed("forbidden"), "no sentinel calls a tool that can be a task"),
        (WATCHED, CORE, listed(None), "no sentinel calls a tool that can be a task"),
        (
            WATCHED,
            EXTENDED,
            listed("optional", tool("add", annotations={"destructiveHint": True})),
            "no sentinel calls a tool that can be a task",
        ),
        (WATCHED, CORE, CheckResult(check="tools_list", outcome=Outcome.FAIL, summary=""), "could not be listed"),
    ],
)
def test_nothing_is_called_without_a_reason_to(
    watched: Endpoint, opening: Opening, listing: CheckResult | None, reason: str
) -> None:
    result, wire = asked(watched=watched, opening=opening, listing=listing)

    assert (result.outcome, wire.asked) == (Outcome.SKIP, [])
    assert reason in result.summary


@pytest.mark.parametrize(
    ("answers", "end", "said_so"),
    [
        ((created(), polled("completed"), fetched({"content": []}), UNKNOWN), "wrong", "expected the text"),
        (
            (created(), polled("failed"), fetched({"content": [], "isError": True}), UNKNOWN),
            "wrong",
            "as a task: isError",
        ),
        (
            (created(), polled("failed"), exchange("tasks/result", messages=[error(-32603, "boom")]), UNKNOWN),
            "wrong",
            "boom",
        ),
        (
            (created(), polled("cancelled", statusMessage="no room"), UNKNOWN),
            "wrong",
            "cancelled by its server: no room",
        ),
        ((exchange("tools/call", messages=[error(-32601, "no")]),), "refused", "is called as a task and refused"),
        ((said("tools/call", SUM),), "at-once", "answered without one"),
        (
            (created(), exchange("tasks/get", messages=[error(-32602, "not found")]), UNKNOWN),
            "refused",
            "cannot be asked for",
        ),
        ((created(), polled("completed"), fetched(task_id="t2"), UNKNOWN), "ok", "does not name its task"),
        ((created(), polled("completed"), said("tasks/result", SUM), UNKNOWN), "ok", "does not name its task"),
        ((created(status="completed"), fetched(), UNKNOWN), "ok", 'begins as "completed"'),
        ((created(), polled("completed", createdAt=7), fetched(), UNKNOWN), "ok", "createdAt 7"),
        ((created(), polled("completed", ttl="x"), fetched(), UNKNOWN), "ok", 'ttl "x"'),
        ((created(taskId=None), UNKNOWN), "refused", "taskId null"),
        ((created(), polled("napping"), CANCELLED, UNKNOWN), "refused", 'status "napping"'),
        ((created(), polled(["working"]), CANCELLED, UNKNOWN), "refused", "status"),
        ((*ENDED_WELL[:-1], polled("completed")), "ok", "described as if it did"),
        ((*ENDED_WELL[:-1], exchange("tasks/get", messages=[error(-32603, "x")])), "ok", "otherwise than with -32602"),
    ],
)
def test_what_breaks_a_rule_or_an_expectation_is_a_warning(
    answers: tuple[Exchange, ...], end: str, said_so: str
) -> None:
    result, _ = asked(*answers)

    assert (result.outcome, ends(result)) == (Outcome.WARN, [end])
    assert any(said_so in finding.text for finding in result.findings), result.findings
    for finding in result.findings:
        rules = "https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/tasks#"
        assert finding.rule is None or finding.rule.startswith(rules)


@pytest.mark.parametrize(
    ("answers", "end", "said_so"),
    [
        ((begun(), seen("completed", result={"content": []}), UNKNOWN), "wrong", "expected the text"),
        ((begun(), seen("completed"), UNKNOWN), "wrong", "does not say with what"),
        ((begun(), seen("failed", error={"code": -1, "message": "boom"}), UNKNOWN), "wrong", "boom"),
        ((begun(), seen("failed"), UNKNOWN), "wrong", "does not say with what"),
        ((begun(), seen("completed", result=SUM, resultType="task"), UNKNOWN), "ok", 'resultType "task"'),
        ((begun(ttlMs=True), seen("completed", result=SUM), UNKNOWN), "ok", "ttlMs true"),
    ],
)
def test_the_extension_has_rules_of_its_own(answers: tuple[Exchange, ...], end: str, said_so: str) -> None:
    result, _ = asked(*answers, opening=EXTENDED)

    assert (result.outcome, ends(result)) == (Outcome.WARN, [end])
    assert any(said_so in finding.text for finding in result.findings), result.findings


def test_a_task_that_outlasts_the_probe_is_called_off_and_said() -> None:
    result, wire = asked(created(), polled(), CANCELLED, UNKNOWN, patience=1)

    assert [method for method, _, _ in wire.asked] == ["tools/call", "tasks/get", "tasks/cancel", "tasks/get"]
    assert (result.outcome, ends(result)) == (Outcome.WARN, ["unfinished"])
    assert "has not come to its end after 1 poll" in result.summary


def test_a_task_that_wants_to_be_asked_later_than_the_probe_lasts_has_done_nothing_wrong() -> None:
    result, wire = asked(created(pollInterval=60_000), CANCELLED, UNKNOWN, patience=0)

    assert (result.outcome, ends(result)) == (Outcome.SKIP, ["skipped"])
    assert wire.asked_otherwise == [("pause", 60_000)]


def test_nothing_is_called_off_where_the_server_does_not_take_it() -> None:
    capabilities = {"tasks": {"requests": {"tools": {"call": {}}}}}
    opening = opened(era=Era.HANDSHAKE, version="2025-11-25", capabilities=capabilities)

    _, wire = asked(created(), polled(), UNKNOWN, opening=opening, patience=1)

    assert "tasks/cancel" not in [method for method, _, _ in wire.asked]


@pytest.mark.parametrize(
    ("wanted", "paused"),
    [
        (None, 1000),
        ("soon", 1000),
        (True, 1000),
        (-5, 1000),
        (0, 50),
        (float("nan"), 1000),
        (10**400, 1e9),
        (70.5, 70.5),
    ],
)
def test_no_suggestion_makes_the_prober_hurry_or_stumble(wanted: Any, paused: float) -> None:
    _, wire = asked(created(pollInterval=wanted), polled("completed"), fetched(), UNKNOWN)

    assert wire.asked_otherwise == [("pause", paused)]


def test_polling_ends_at_its_cap() -> None:
    result, _ = asked(created(), *(polled() for _ in range(POLL_CAP)), CANCELLED, UNKNOWN, patience=1000)

    assert result.facts["tasks"][0]["polls"] == POLL_CAP


@pytest.mark.parametrize("opening", [CORE, EXTENDED])
def test_what_a_task_wants_to_know_is_never_answered(opening: Opening) -> None:
    answers = (created(), polled("input_required")) if opening is CORE else (begun(), seen("input_required"))
    result, wire = asked(*answers, CANCELLED, UNKNOWN, opening=opening)

    assert (result.outcome, ends(result)) == (Outcome.SKIP, ["skipped"])
    assert [method for method, _, _ in wire.asked] == ["tools/call", "tasks/get", "tasks/cancel", "tasks/get"]


def test_a_call_that_wants_to_know_something_is_left_alone_too() -> None:
    result, wire = asked(said("tools/call", {"resultType": "input_required"}), opening=EXTENDED)

    assert (result.outcome, len(wire.asked)) == (Outcome.SKIP, 1)


@pytest.mark.parametrize(
    "answers",
    [
        (failed(Failure.DEADLINE, "exhausted", method="tools/call"),),
        (created(), failed(Failure.CONNECTION_LOST, method="tasks/get"), UNKNOWN),
        (created(), polled("completed"), failed(Failure.DEADLINE, method="tasks/result"), UNKNOWN),
        (exchange("tools/call", status=429, media="text/plain", body=b""),),
    ],
)
def test_what_could_not_be_observed_says_nothing(answers: tuple[Exchange, ...]) -> None:
    result, _ = asked(*answers)

    assert (result.outcome, ends(result)) == (Outcome.SKIP, ["skipped"])


def test_an_unknown_task_that_could_not_be_asked_for_says_nothing() -> None:
    result, _ = asked(*ENDED_WELL[:-1], failed(Failure.DEADLINE, "exhausted", method="tasks/get"))

    assert (result.outcome, result.facts["unknown_refused"]) == (Outcome.PASS, None)


def test_only_the_first_sentinels_are_called_once_more_and_a_mistake_is_told_once() -> None:
    watched = endpoint(sentinels=(ADD,) * (SENTINEL_CAP + 2), on_request=(OnRequest.TASKS,))
    answers = [
        each for _ in range(SENTINEL_CAP) for each in (created(ttl="x"), polled("completed", ttl="x"), fetched())
    ]

    result, wire = asked(*answers, UNKNOWN, watched=watched)

    assert [method for method, _, _ in wire.asked].count("tools/call") == SENTINEL_CAP
    assert len(result.findings) == SENTINEL_CAP


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["taskId", "status", "ttl", "ttlMs", "pollInterval", "result", "error", "task", "_meta", RELATED]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
statuses = st.sampled_from(["working", "completed", "failed", "cancelled", "input_required", "x"])


@given(
    st.sampled_from([CORE, EXTENDED]),
    st.builds(
        lambda value, status: {"taskId": "t1", "status": status, **value},
        st.dictionaries(st.text(), json_values),
        statuses,
    ),
    json_values,
)
def test_nothing_that_a_server_says_raises(opening: Opening, task: dict[str, Any], anything: Any) -> None:
    class AnyWire(ScriptedWire):
        async def request(self, method: str, *given: Any, **more: Any) -> Exchange:
            self.asked.append((method, None, False))
            result = {"resultType": "task", "task": task, **task} if method == "tools/call" else anything
            return said(method, task if method == "tasks/get" and len(self.asked) < 4 else result)

    context = CheckContext(endpoint=WATCHED, wire=AnyWire(opening, patience=3), results=(listed(),))
    result = run(tasks.run, context)

    assert result.outcome in (Outcome.PASS, Outcome.WARN, Outcome.SKIP)
    assert all(len(finding.text) < 500 for finding in result.findings)
