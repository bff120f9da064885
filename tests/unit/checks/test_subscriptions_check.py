"""Subscriptions up to their acknowledgement: what it has to say, and whose refusal counts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.model import CheckResult, Endpoint, Exchange, Failure, OnRequest, Opening, Outcome
from checks.protocol.subscriptions import ACKNOWLEDGED, SUBSCRIPTION_ID, subscriptions
from checks.spec import Era
from checks.unit import CheckContext
from tests.unit.checks.conversations import (
    ScriptedWire,
    endpoint,
    error,
    exchange,
    failed,
    notified,
    ok,
    opened,
    refused,
    run,
)

WATCHED = endpoint(on_request=(OnRequest.SUBSCRIPTIONS,))
ANNOUNCES = opened(capabilities={"tools": {"listChanged": True}, "prompts": {}, "resources": {"listChanged": True}})
SILENT = opened(capabilities={"tools": {"listChanged": False}, "prompts": None})
BOTH = {"toolsListChanged": True, "resourcesListChanged": True}
STREAM = "text/event-stream"


def acknowledged(agreed: Any = BOTH, rpc_id: Any = "s1", **more: Any) -> Exchange:
    params = {"_meta": {SUBSCRIPTION_ID: rpc_id}, "notifications": agreed}
    return listened({"jsonrpc": "2.0", "method": ACKNOWLEDGED, "params": params, **more})


def listened(*messages: Any, **more: Any) -> Exchange:
    return exchange("subscriptions/listen", **{"messages": messages, "media": STREAM, "rpc_id": "s1", **more})


def asked(
    answer: Exchange, opening: Opening = ANNOUNCES, watched: Endpoint = WATCHED
) -> tuple[CheckResult, ScriptedWire]:
    wire = ScriptedWire(opening, others=[answer])
    return run(subscriptions.run, CheckContext(endpoint=watched, wire=wire)), wire


def test_what_is_announced_is_asked_for_and_agreed_to() -> None:
    result, wire = asked(acknowledged())

    assert (result.outcome, result.findings) == (Outcome.PASS, ())
    assert wire.asked_otherwise == [("listen", BOTH)]
    assert result.facts == {
        "announced": ["toolsListChanged", "resourcesListChanged"],
        "accepted": ["toolsListChanged", "resourcesListChanged"],
        "acknowledged_ms": 20.0,
    }


def test_a_server_that_announces_nothing_may_agree_to_nothing() -> None:
    result, wire = asked(acknowledged({}), SILENT)

    assert result.outcome is Outcome.PASS
    assert wire.asked_otherwise == [("listen", {"toolsListChanged": True})]
    assert "no change at all" in result.summary


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (acknowledged(rpc_id="s2"), 'names the subscription "s2"'),
        (acknowledged(rpc_id=1), "names the subscription 1"),
        (acknowledged(rpc_id=None), "names the subscription null"),
        (acknowledged(None), "does not say what was agreed to"),
        (acknowledged({"toolsListChanged": True}), "announces resourcesListChanged and does not agree"),
        (acknowledged({**BOTH, "resourcesListChanged": False}), "announces resourcesListChanged and does not agree"),
        (acknowledged({**BOTH, "promptsListChanged": True}), 'agrees to more than was asked for: "promptsListChanged"'),
        (listened({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}), "and no acknowledgement"),
        (listened(ok({"resultType": "complete"})), "and no acknowledgement"),
        (listened("text"), "and no acknowledgement"),
        (listened(media=STREAM), "stays silent"),
        (listened(failure=Failure.DEADLINE, reason="no-event", total_ms=5000.0), "stays silent"),
        (listened(error(-32601, "Method not found"), status=404, media="application/json"), "takes no subscription"),
        (listened(error(-32601, "Method not found"), media="application/json"), "takes no subscription"),
        (listened(status=404, media="text/html", body=b"Not Found"), "takes no subscription"),
        (listened(status=405, media="text/plain", body=b""), "takes no subscription"),
    ],
)
def test_a_server_that_announces_and_does_not_deliver_is_a_warning(answer: Exchange, said: str) -> None:
    result, _ = asked(answer)

    assert result.outcome is Outcome.WARN
    assert any(said in finding.text for finding in result.findings), result.findings
    for finding in result.findings:
        page = "https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/subscriptions"
        assert (finding.rule or "").startswith(page)


@pytest.mark.parametrize(
    "answer",
    [
        listened(error(-32601, "Method not found"), status=404, media="application/json"),
        listened(status=404, media="text/html", body=b"Not Found"),
    ],
)
def test_who_announces_nothing_may_refuse(answer: Exchange) -> None:
    result, _ = asked(answer, SILENT)

    assert (result.outcome, result.findings) == (Outcome.SKIP, ())
    assert "announces no changes" in result.summary


@pytest.mark.parametrize(
    "answer",
    [
        failed(Failure.DEADLINE, "exhausted", method="subscriptions/listen"),
        failed(Failure.DEADLINE, "no-answer", method="subscriptions/listen"),
        listened(failure=Failure.DEADLINE, reason="no-event", total_ms=200.0),
        listened(status=429, media="text/plain", body=b""),
        listened(status=502, media="text/plain", body=b"Internal Server Error"),
        listened(error(-32603, "too many streams"), media="application/json"),
    ],
)
def test_what_could_not_be_observed_says_nothing(answer: Exchange) -> None:
    assert asked(answer)[0].outcome is Outcome.SKIP


@pytest.mark.parametrize(
    ("opening", "watched", "reason"),
    [
        (ANNOUNCES, endpoint(), "only on request"),
        (refused(), WATCHED, "no conversation is open"),
        (opened(era=Era.HANDSHAKE), WATCHED, "have no subscriptions/listen"),
    ],
)
def test_nothing_is_asked_without_a_reason_to(opening: Opening, watched: Endpoint, reason: str) -> None:
    result, wire = asked(notified(), opening, watched)

    assert (result.outcome, wire.asked_otherwise) == (Outcome.SKIP, [])
    assert reason in result.summary


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["params", "_meta", SUBSCRIPTION_ID, "notifications", "toolsListChanged", "error"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(json_values, st.sampled_from([200, 400, 404, 500]), st.sampled_from([STREAM, "application/json"]), st.booleans())
def test_nothing_that_a_server_says_raises(value: Any, status: int, media: str, acknowledges: bool) -> None:
    data = {"jsonrpc": "2.0", "method": ACKNOWLEDGED, "params": value} if acknowledges else value

    result, _ = asked(listened(data, status=status, media=media))

    assert result.outcome in (Outcome.PASS, Outcome.WARN, Outcome.SKIP)
    assert all(len(finding.text) < 500 for finding in result.findings)
