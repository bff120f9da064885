"""Which way in comes next, for every answer that servers are known to give."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checks.model import Endpoint, Exchange, Failure, Message, Opener, TransportError
from checks.spec import Era, Transport
from prober.wire.eras import CHOOSE_AGAIN_AFTER, Opened, Plan, Way, next_step, opened_by

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DISCOVER = Way(Transport.STREAMABLE_HTTP, Era.STATELESS, "2026-07-28")
INITIALIZE = Way(Transport.STREAMABLE_HTTP, Era.HANDSHAKE, "2025-11-25")
STREAM = Way(Transport.SSE, Era.HANDSHAKE, "2025-11-25")
METHODS = {DISCOVER: "server/discover", INITIALIZE: "initialize", STREAM: "initialize"}
ANYTHING = Plan()


def answer(
    way: Way, status: int | None = 200, data: Any = None, failure: Failure | None = None
) -> tuple[Way, Exchange]:
    """A try of `way` that was answered by `data` as JSON, or not answered."""
    error = TransportError(failure=failure, reason="x", detail="x") if failure is not None else None
    messages = () if data is None else (Message(data=data, at_ms=1.0),)
    return way, Exchange(
        id="x1",
        method="POST",
        url="http://h/",
        rpc_method=METHODS.get(way, "server/discover"),
        rpc_id="p1",
        started_at=NOW,
        status=status,
        headers=(("Content-Type", "application/json"),) if data is not None else (),
        body=json.dumps(data).encode() if data is not None else b"",
        messages=messages,
        transport_error=error,
    )


def result(value: Any, rpc_id: Any = "p1") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": rpc_id, "result": value}


def error(code: int, message: str = "no", data: Any = None, rpc_id: Any = "p1") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": rpc_id, "error": {"code": code, "message": message, "data": data}}


def remembered(transport: Transport, era: Era, version: str, age: timedelta = timedelta(hours=1)) -> Opener:
    return Opener(transport=transport, era=era, protocol_version=version, reason="earlier", chosen_at=NOW - age)


def endpoint(**settings: Any) -> Endpoint:
    return Endpoint(name="e", url="http://h/", **settings)


def test_an_unknown_server_is_first_asked_what_it_speaks() -> None:
    assert next_step(ANYTHING, []) == DISCOVER


def test_a_server_that_names_our_revision_is_open() -> None:
    step = next_step(ANYTHING, [answer(DISCOVER, data=result({"supportedVersions": ["2026-07-28"]}))])
    assert isinstance(step, Opened)
    assert (step.way, step.version) == (DISCOVER, "2026-07-28")
    assert not step.confirms_memory


@pytest.mark.parametrize(
    ("status", "data"),
    [
        pytest.param(400, error(-32600, "Missing session ID", rpc_id="server-error"), id="python 1.30 stateful"),
        pytest.param(400, error(-32600, "Unsupported protocol version: 2026-07-28"), id="python 1.30 stateless"),
        pytest.param(200, error(-32602, "Invalid request parameters"), id="python 1.9 stateless"),
        pytest.param(400, error(-32000, "No valid session ID provided", rpc_id=None), id="typescript 1.x"),
        pytest.param(404, error(-32601, "Method not found"), id="awslabs"),
        pytest.param(200, error(-32601), id="a bridge to stdio"),
        pytest.param(405, None, id="an event stream endpoint"),
        pytest.param(404, None, id="express"),
        pytest.param(500, error(-32603), id="our JSON-RPC on a server error"),
        pytest.param(200, result({"supportedVersions": ["2025-11-25"]}), id="names only handshake revisions"),
        pytest.param(200, result({"tools": []}), id="another result"),
        pytest.param(200, None, id="no JSON-RPC"),
        pytest.param(202, None, id="accepted"),
        pytest.param(400, error(-32022, data={"supported": ["2025-11-25"]}), id="supports no stateless revision"),
    ],
)
def test_whatever_else_answers_discover_is_asked_to_initialize(status: int, data: Any) -> None:
    assert next_step(ANYTHING, [answer(DISCOVER, status, data)]) == INITIALIZE


@pytest.mark.parametrize("way", [DISCOVER, INITIALIZE])
@pytest.mark.parametrize("status", [301, 307, 401, 403, 408, 421, 429, 503, 504])
def test_refusals_at_the_door_and_server_errors_are_no_evidence_about_the_era(way: Way, status: int) -> None:
    assert next_step(ANYTHING, [answer(way, status)]) is None


@pytest.mark.parametrize("status", [500, 501, 502])
def test_a_server_that_fails_at_discover_is_asked_to_initialize_once(status: int) -> None:
    failed = answer(DISCOVER, status)
    assert next_step(ANYTHING, [failed]) == INITIALIZE
    assert next_step(ANYTHING, [failed, answer(INITIALIZE, status)]) is None
    assert next_step(ANYTHING, [answer(INITIALIZE, status)]) is None
    opened = next_step(ANYTHING, [failed, answer(INITIALIZE, data=result({"protocolVersion": "2025-06-18"}))])
    assert isinstance(opened, Opened)
    assert f"server/discover was answered with HTTP {status} and no JSON-RPC" in opened.reason


def test_a_server_that_is_known_to_be_stateless_is_not_asked_otherwise_for_failing() -> None:
    plan = Plan.of(endpoint(), remembered(Transport.STREAMABLE_HTTP, Era.STATELESS, "2026-07-28"), NOW)
    assert next_step(plan, [answer(DISCOVER, 502)]) is None
    assert next_step(Plan.of(endpoint(era=Era.STATELESS), None, NOW), [answer(DISCOVER, 502)]) is None


def test_what_fails_at_discover_and_does_not_open_by_a_handshake_is_left() -> None:
    failed, named = answer(DISCOVER, 502), error(-32022, data={"supported": ["2026-07-28"]})
    assert next_step(ANYTHING, [failed, answer(INITIALIZE, 400, named)]) is None
    assert next_step(ANYTHING, [failed, answer(INITIALIZE, 404)]) is None


@pytest.mark.parametrize("failure", list(Failure))
def test_a_broken_transport_is_no_evidence_about_the_era(failure: Failure) -> None:
    assert next_step(ANYTHING, [answer(DISCOVER, None, failure=failure)]) is None


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(error(-32020, "no header"), id="headers"),
        pytest.param(error(-32602, "params._meta must carry 'io.modelcontextprotocol/protocolVersion'"), id="python"),
        pytest.param(error(-32602, "no _meta envelope for protocol revision 2026-07-28"), id="typescript"),
        pytest.param(error(-32602, "_meta", {"missing": ["io.modelcontextprotocol/clientCapabilities"]}), id="data"),
    ],
)
def test_a_request_that_was_altered_on_the_way_is_not_taken_for_an_old_server(refusal: Any) -> None:
    assert next_step(ANYTHING, [answer(DISCOVER, 400, refusal)]) is None


def test_an_old_server_that_only_dislikes_meta_is_asked_to_initialize() -> None:
    refused = answer(DISCOVER, 200, error(-32602, "Invalid params: unrecognized key _meta"))
    assert next_step(ANYTHING, [refused]) == INITIALIZE
    opened = next_step(ANYTHING, [refused, answer(INITIALIZE, data=result({"protocolVersion": "2025-03-26"}))])
    assert isinstance(opened, Opened)
    assert "server/discover was answered with JSON-RPC error -32602" in opened.reason


def test_a_server_that_misses_meta_and_then_names_the_stateless_era_is_not_asked_for_ever() -> None:
    refused = answer(DISCOVER, 400, error(-32602, "_meta is missing"))
    modern = answer(INITIALIZE, 400, error(-32022, data={"supported": ["2026-07-28"]}))
    assert next_step(ANYTHING, [refused, modern]) == DISCOVER
    assert next_step(ANYTHING, [refused, modern, refused]) is None


def test_a_revision_that_a_refusal_names_is_tried_once_more_and_only_once() -> None:
    refused = answer(DISCOVER, 400, error(-32022, data={"supported": ["1999-01-01", "2026-07-28"]}))
    assert next_step(ANYTHING, [refused]) == DISCOVER
    assert next_step(ANYTHING, [refused, refused]) == INITIALIZE


def test_a_server_that_refuses_the_handshake_for_its_era_is_asked_again_without_one() -> None:
    plan = Plan(remembered=INITIALIZE)
    refused = answer(INITIALIZE, 400, error(-32022, data={"supported": ["2026-07-28"]}))
    assert next_step(plan, [refused]) == DISCOVER


def test_the_negotiated_revision_counts_and_not_the_offered_one() -> None:
    tries = [
        answer(DISCOVER, 400, error(-32600)),
        answer(INITIALIZE, 200, result({"protocolVersion": "2024-11-05"})),
    ]
    step = next_step(ANYTHING, tries)
    assert isinstance(step, Opened)
    assert step.version == "2024-11-05"
    assert step.reason == (
        "initialize negotiated 2024-11-05; server/discover was answered with JSON-RPC error -32600 on HTTP 400"
    )


@pytest.mark.parametrize(
    ("first", "negotiated"),
    [
        pytest.param(answer(DISCOVER, 400, error(-32600, "Missing session ID")), "2025-11-25", id="python 1.30"),
        pytest.param(answer(DISCOVER, 400, error(-32600, "Missing session ID")), "2025-06-18", id="python 1.12"),
        pytest.param(answer(DISCOVER, 200, error(-32602)), "2025-03-26", id="python 1.9 stateless"),
        pytest.param(answer(DISCOVER, 400, error(-32000, rpc_id=None)), "2025-11-25", id="typescript 1.x"),
        pytest.param(answer(DISCOVER, 404, error(-32601)), "2024-11-05", id="awslabs"),
    ],
)
def test_each_server_of_the_handshake_era_is_opened_by_its_second_answer(
    first: tuple[Way, Exchange], negotiated: str
) -> None:
    step = next_step(ANYTHING, [first, answer(INITIALIZE, data=result({"protocolVersion": negotiated}))])
    assert isinstance(step, Opened)
    assert (step.way, step.version) == (INITIALIZE, negotiated)


def test_a_handshake_that_is_refused_for_its_era_leads_back_to_the_stateless_one_at_first_contact_too() -> None:
    tries = [
        answer(DISCOVER, 400),
        answer(INITIALIZE, 400, error(-32022, data={"supported": ["2026-07-28"], "requested": "2025-11-25"})),
    ]
    assert next_step(ANYTHING, tries) == DISCOVER
    assert next_step(ANYTHING, [*tries, answer(DISCOVER, 400)]) is None


def test_the_older_transport_is_open_once_its_initialize_is_answered() -> None:
    tries = [
        answer(DISCOVER, 405),
        answer(INITIALIZE, 405),
        answer(STREAM, 202, result({"protocolVersion": "2025-11-25"})),
    ]
    step = next_step(ANYTHING, tries)
    assert isinstance(step, Opened)
    assert (step.way, step.version) == (STREAM, "2025-11-25")
    assert step.reason == (
        "the event stream named its endpoint and initialize negotiated 2025-11-25; "
        "server/discover was answered with HTTP 405 and no JSON-RPC; initialize was answered with HTTP 405 and no "
        "JSON-RPC"
    )


def test_a_way_tried_by_itself_is_open_by_the_same_rules() -> None:
    opened = opened_by(*answer(INITIALIZE, data=result({"protocolVersion": "2025-03-26"})))
    assert opened is not None
    assert (opened.version, opened.confirms_memory) == ("2025-03-26", False)
    assert opened_by(*answer(DISCOVER, data=result({"supportedVersions": ["2099-01-01"]}))) is None
    assert opened_by(*answer(INITIALIZE, 400, error(-32022))) is None


@pytest.mark.parametrize("status", [400, 404, 405])
def test_the_older_transport_is_looked_for_where_no_json_rpc_answers_initialize(status: int) -> None:
    tries = [answer(DISCOVER, status), answer(INITIALIZE, status)]
    assert next_step(ANYTHING, tries) == STREAM


@pytest.mark.parametrize(
    ("status", "data"), [(200, None), (406, None), (400, error(-32600)), (200, error(-32602)), (200, result({}))]
)
def test_the_older_transport_is_not_looked_for_where_something_else_answers(status: int, data: Any) -> None:
    assert next_step(ANYTHING, [answer(DISCOVER, 400, error(-32600)), answer(INITIALIZE, status, data)]) is None


def test_nothing_is_left_after_the_older_transport() -> None:
    tries = [answer(DISCOVER, 404), answer(INITIALIZE, 404), answer(STREAM, 404)]
    assert next_step(ANYTHING, tries) is None


@pytest.mark.parametrize(
    ("transport", "era", "version", "first"),
    [
        (Transport.SSE, Era.HANDSHAKE, "2024-11-05", STREAM),
        (Transport.STREAMABLE_HTTP, Era.HANDSHAKE, "2025-03-26", INITIALIZE),
        (Transport.STREAMABLE_HTTP, Era.STATELESS, "2026-07-28", DISCOVER),
    ],
)
def test_the_remembered_way_comes_first(transport: Transport, era: Era, version: str, first: Way) -> None:
    assert next_step(Plan.of(endpoint(), remembered(transport, era, version), NOW), []) == first


def test_a_remembered_way_that_still_works_is_confirmed() -> None:
    plan = Plan.of(endpoint(), remembered(Transport.STREAMABLE_HTTP, Era.HANDSHAKE, "2025-06-18"), NOW)
    step = next_step(plan, [answer(INITIALIZE, data=result({"protocolVersion": "2025-06-18"}))])
    assert isinstance(step, Opened)
    assert step.confirms_memory


def test_a_remembered_way_that_is_refused_starts_the_choice_anew() -> None:
    plan = Plan.of(endpoint(), remembered(Transport.STREAMABLE_HTTP, Era.HANDSHAKE, "2025-06-18"), NOW)
    assert next_step(plan, [answer(INITIALIZE, 404)]) == DISCOVER
    assert next_step(plan, [answer(INITIALIZE, 404), answer(DISCOVER, 404)]) == STREAM


def test_a_remembered_stream_that_names_no_endpoint_any_more_starts_the_choice_anew() -> None:
    plan = Plan.of(endpoint(), remembered(Transport.SSE, Era.HANDSHAKE, "2024-11-05"), NOW)
    assert next_step(plan, [answer(STREAM, 200, failure=Failure.PROTOCOL)]) == DISCOVER
    assert next_step(plan, [answer(STREAM, 200, failure=Failure.DEADLINE)]) is None


def test_a_remembered_way_that_is_not_available_stays_the_only_one_tried() -> None:
    plan = Plan.of(endpoint(), remembered(Transport.STREAMABLE_HTTP, Era.HANDSHAKE, "2025-06-18"), NOW)
    assert next_step(plan, [answer(INITIALIZE, 503)]) is None


def test_a_remembered_handshake_is_chosen_anew_once_a_day() -> None:
    second = timedelta(seconds=1)
    for age, first in ((CHOOSE_AGAIN_AFTER - second, INITIALIZE), (CHOOSE_AGAIN_AFTER, DISCOVER)):
        memory = remembered(Transport.STREAMABLE_HTTP, Era.HANDSHAKE, "2025-06-18", age)
        assert next_step(Plan.of(endpoint(), memory, NOW), []) == first
    stream = remembered(Transport.SSE, Era.HANDSHAKE, "2024-11-05", CHOOSE_AGAIN_AFTER)
    assert next_step(Plan.of(endpoint(), stream, NOW), []) == DISCOVER


def test_a_handshake_chosen_in_the_future_of_a_clock_that_was_wrong_is_chosen_anew() -> None:
    memory = remembered(Transport.STREAMABLE_HTTP, Era.HANDSHAKE, "2025-06-18", timedelta(days=-400))
    assert next_step(Plan.of(endpoint(), memory, NOW), []) == DISCOVER


def test_a_remembered_stateless_way_has_no_age_because_it_fails_by_itself() -> None:
    memory = remembered(Transport.STREAMABLE_HTTP, Era.STATELESS, "2026-07-28", timedelta(days=400))
    plan = Plan.of(endpoint(), memory, NOW)
    opened = next_step(plan, [answer(DISCOVER, data=result({"supportedVersions": ["2026-07-28"]}))])
    assert isinstance(opened, Opened)
    assert opened.confirms_memory
    assert next_step(plan, [answer(DISCOVER, 400, error(-32600, "Missing session ID"))]) == INITIALIZE


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({"era": Era.HANDSHAKE}, INITIALIZE),
        ({"era": Era.STATELESS}, DISCOVER),
        ({"transport": Transport.SSE}, STREAM),
        ({"transport": Transport.STREAMABLE_HTTP}, DISCOVER),
        ({"protocol_version": "2025-03-26"}, Way(Transport.STREAMABLE_HTTP, Era.HANDSHAKE, "2025-03-26")),
        ({"protocol_version": "2026-07-28"}, DISCOVER),
        ({"protocol_version": "2027-01-01"}, Way(Transport.STREAMABLE_HTTP, Era.STATELESS, "2027-01-01")),
        ({"transport": Transport.SSE, "protocol_version": "2024-11-05"}, Way(*STREAM.kind, "2024-11-05")),
    ],
)
def test_what_the_owner_pins_decides_the_first_way(settings: dict[str, Any], first: Way) -> None:
    assert next_step(Plan.of(endpoint(**settings), None, NOW), []) == first


@pytest.mark.parametrize("settings", [{"era": Era.STATELESS}, {"protocol_version": "2026-07-28"}])
@pytest.mark.parametrize(
    ("status", "data"), [(404, None), (405, None), (400, error(-32600, "Missing session ID")), (404, error(-32601))]
)
def test_a_server_that_refuses_the_pinned_stateless_era_is_asked_to_initialize(
    settings: dict[str, Any], status: int, data: Any
) -> None:
    pinned = Plan.of(endpoint(**settings), None, NOW)
    refused = answer(DISCOVER, status, data)
    assert next_step(pinned, [refused]) == INITIALIZE
    step = next_step(pinned, [refused, answer(INITIALIZE, data=result({"protocolVersion": "2025-06-18"}))])
    assert isinstance(step, Opened)
    assert step.reason.startswith("initialize negotiated 2025-06-18; server/discover was answered with ")
    assert step.reason.endswith("; the endpoint's settings pin the stateless era")


@pytest.mark.parametrize("settings", [{"era": Era.HANDSHAKE}, {"protocol_version": "2025-11-25"}])
@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(error(-32022, data={"supported": ["2026-07-28"]}), id="typescript 2.x modern only"),
        pytest.param(error(-32601), id="unknown method"),
        pytest.param(error(-32602, "_meta is required"), id="asks for _meta"),
        pytest.param(error(-32020), id="asks for headers"),
    ],
)
def test_a_server_whose_json_rpc_refuses_the_pinned_handshake_is_asked_without_one(
    settings: dict[str, Any], refusal: Any
) -> None:
    pinned = Plan.of(endpoint(**settings), None, NOW)
    refused = answer(INITIALIZE, 400, refusal)
    assert next_step(pinned, [refused]) == DISCOVER
    step = next_step(pinned, [refused, answer(DISCOVER, data=result({"supportedVersions": ["2026-07-28"]}))])
    assert isinstance(step, Opened)
    assert step.reason.endswith("; the endpoint's settings pin the handshake era")


@pytest.mark.parametrize(
    ("status", "data"),
    [
        pytest.param(404, None, id="no such page"),
        pytest.param(405, None, id="no such verb"),
        pytest.param(200, None, id="no JSON-RPC"),
        pytest.param(500, error(-32603), id="an internal error"),
        pytest.param(200, result({}), id="a result without a revision"),
        pytest.param(401, None, id="no credentials"),
        pytest.param(503, None, id="not available"),
    ],
)
def test_a_pinned_handshake_never_leads_to_discover_without_a_refusal_by_json_rpc(status: int, data: Any) -> None:
    pinned = Plan.of(endpoint(era=Era.HANDSHAKE), None, NOW)
    tries = [answer(INITIALIZE, status, data)]
    step = next_step(pinned, tries)
    assert step in (STREAM, None)
    if step is not None:
        assert next_step(pinned, [*tries, answer(STREAM, 404)]) is None


@pytest.mark.parametrize("era", list(Era))
@pytest.mark.parametrize("status", [307, 401, 403, 408, 429, 500, 502, 503, 504])
def test_what_says_nothing_about_the_era_ends_a_pinned_one_too(era: Era, status: int) -> None:
    plan = Plan.of(endpoint(era=era), None, NOW)
    first = next_step(plan, [])
    assert isinstance(first, Way)
    assert next_step(plan, [answer(first, status)]) is None


def test_a_pinned_era_comes_first_whatever_is_remembered() -> None:
    memory = remembered(Transport.STREAMABLE_HTTP, Era.HANDSHAKE, "2025-11-25")
    assert next_step(Plan.of(endpoint(era=Era.STATELESS), memory, NOW), []) == DISCOVER
    memory = remembered(Transport.STREAMABLE_HTTP, Era.STATELESS, "2026-07-28")
    assert next_step(Plan.of(endpoint(era=Era.HANDSHAKE), memory, NOW), []) == INITIALIZE


def test_a_pinned_transport_is_not_left() -> None:
    pinned = Plan.of(endpoint(transport=Transport.STREAMABLE_HTTP), None, NOW)
    assert next_step(pinned, [answer(DISCOVER, 405), answer(INITIALIZE, 405)]) is None
    pinned = Plan.of(endpoint(transport=Transport.SSE), None, NOW)
    refused = error(-32022, data={"supported": ["2026-07-28"]})
    assert next_step(pinned, [answer(STREAM, 202, refused)]) is None


def test_a_memory_of_another_transport_than_the_pinned_one_is_ignored() -> None:
    plan = Plan.of(
        endpoint(transport=Transport.STREAMABLE_HTTP), remembered(Transport.SSE, Era.HANDSHAKE, "2024-11-05"), NOW
    )
    assert next_step(plan, []) == DISCOVER


def test_a_memory_that_contradicts_the_pins_is_ignored() -> None:
    plan = Plan.of(endpoint(era=Era.STATELESS), remembered(Transport.SSE, Era.HANDSHAKE, "2024-11-05"), NOW)
    assert next_step(plan, []) == DISCOVER
