"""Reading answers leniently: what counts as the answer to a request, and what never does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.messages import RpcError, answer_of, error_of, next_cursor_of, result_of, revision_of, text_of, tools_of
from checks.symptoms import Symptom, symptom_of
from tests.unit.checks.conversations import error, exchange, ok, progress

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
envelopes: st.SearchStrategy[Any] = st.lists(
    json_values
    | st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.sampled_from(["2.0", "1.0", 2]) | json_values,
            "id": st.sampled_from(["r", None, 1]) | json_values,
            "result": json_values,
            "error": json_values | st.fixed_dictionaries({"code": json_values, "message": json_values}),
            "method": json_values,
        },
    ),
    max_size=4,
)


@pytest.mark.parametrize("rpc_id", [None, "server-error", 17])
def test_an_error_with_another_id_is_the_answer(rpc_id: Any) -> None:
    assert error_of(exchange(messages=[error(-32600, "Missing session ID", rpc_id)])) == RpcError(
        -32600, "Missing session ID"
    )


def test_an_error_without_an_id_is_the_answer() -> None:
    message = {"jsonrpc": "2.0", "error": {"code": -32022, "message": "no", "data": {"supported": ["2026-07-28"]}}}

    assert error_of(exchange(messages=[message])) == RpcError(-32022, "no", {"supported": ["2026-07-28"]})


def test_our_own_result_weighs_more_than_a_stray_error() -> None:
    assert result_of(exchange(messages=[error(-1, "stray", None), ok({"tools": []})])) == {"tools": []}


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "id": "other", "result": {}},
        {"jsonrpc": "2.0", "id": None, "result": {}},
        {"jsonrpc": "2.0", "id": True, "result": {}},
        {"id": ..., "result": {}},
        {**ok({}), "error": {"code": 1, "message": "both"}},
        {"jsonrpc": "2.0", "id": ...},
        {"error": "Unauthorized"},
        progress(1),
        "text",
        None,
        [],
    ],
)
def test_what_is_no_answer_is_not_taken_for_one(message: Any) -> None:
    assert answer_of(exchange(messages=[message])) is None


def test_a_null_member_counts_as_absent() -> None:
    assert result_of(exchange(messages=[{**ok({"x": 1}), "error": None}])) == {"x": 1}
    assert error_of(exchange(messages=[{**error(1, "no"), "result": None}])) == RpcError(1, "no")


def test_a_notification_has_no_answer() -> None:
    assert answer_of(exchange("notifications/initialized", messages=[error(-1, "no", None)])) is None


def test_tools_without_a_name_are_left_out() -> None:
    entries = [
        {"name": "a", "annotations": None},
        {"name": ""},
        {"name": 7},
        "b",
        {"name": "c", "annotations": {"x": 1}},
    ]

    assert [(each.name, dict(each.annotations)) for each in tools_of(exchange(messages=[ok({"tools": entries})]))] == [
        ("a", {}),
        ("c", {"x": 1}),
    ]


@pytest.mark.parametrize(("cursor", "read"), [("x", "x"), ("", ""), (None, None), (7, None)])
def test_only_text_is_a_cursor_and_the_empty_text_is_one(cursor: Any, read: str | None) -> None:
    assert next_cursor_of(exchange(messages=[ok({"tools": [], "nextCursor": cursor})])) == read


def test_only_text_blocks_are_text() -> None:
    content = [
        {"type": "text", "text": "a"},
        {"type": "image", "text": "b"},
        {"type": "text"},
        "c",
        {"type": "text", "text": "d"},
    ]

    assert text_of({"content": content}) == "a\nd"
    assert text_of({"content": None}) == ""


@given(envelopes, st.sampled_from([200, 202, 400, 404, 500, 502]))
def test_no_message_whatever_breaks_a_reader(messages: Any, status: int) -> None:
    for method in ("tools/list", "tools/call", None):
        answer = (
            exchange(method, messages=messages, status=status, rpc_id="r") if method else exchange(None, status=status)
        )
        assert (result_of(answer) is None) or (error_of(answer) is None)
        assert (symptom_of(answer) is Symptom.ANSWERED) == (result_of(answer) is not None)
        tools_of(answer)
        next_cursor_of(answer)
        text_of(result_of(answer) or {})


@given(st.binary(max_size=400), st.sampled_from(["application/json", "text/event-stream", "text/html", ""]))
def test_no_body_whatever_breaks_the_reading_of_symptoms(body: bytes, media: str) -> None:
    for status in (200, 301, 401, 403, 404, 429, 500, 502, 503, 504):
        assert symptom_of(exchange("initialize", body=body, media=media, status=status)) in Symptom


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"a":' * 20_000, b"\xff\xfe", b'{"statusCode":' * 5_000])
def test_hostile_nesting_is_only_a_symptom(body: bytes) -> None:
    for status in (200, 403, 502):
        assert symptom_of(exchange("initialize", body=body, messages=(), status=status)) in Symptom


@pytest.mark.parametrize(
    ("version", "read"),
    [
        ("2025-11-25", "2025-11-25"),
        ("draft", "draft"),
        ("2025-11-25\r\nX-Api-Key: 1", None),
        ("2026\ud800", None),
        ("9" * 41, None),
        ("", None),
        (20251125, None),
    ],
)
def test_a_revision_is_only_what_a_header_could_carry_back(version: Any, read: str | None) -> None:
    assert revision_of(exchange("initialize", messages=[ok({"protocolVersion": version})])) == read
