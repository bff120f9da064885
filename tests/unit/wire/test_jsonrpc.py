"""Envelopes out, bounded JSON in."""

from typing import Any

import pytest

from prober.wire import jsonrpc


def decode(text: bytes, depth: int = 64, values: int = 1000) -> Any:
    return jsonrpc.decode(text, depth=depth, values=values)


def test_a_request_is_compact_ascii_with_its_id() -> None:
    text = jsonrpc.encode(jsonrpc.request("tools/call", {"name": "é"}, "p1"))
    assert text == r'{"jsonrpc":"2.0","id":"p1","method":"tools/call","params":{"name":"\u00e9"}}'
    assert jsonrpc.encode(jsonrpc.notification("notifications/initialized")).count('"id"') == 0


def test_utf8_is_read_with_and_without_a_byte_order_mark() -> None:
    assert decode('\ufeff{"a":"é"}'.encode()) == {"a": "é"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"Internal Server Error",
        b'{"a":"\xff"}',
        '{"a":1}'.encode("utf-16"),
        b"[NaN]",
        b"[-Infinity]",
        b"[1e999]",
        b"[" + b"9" * 5000 + b"]",
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b"[" * 100_000,
        b"[" + b"[]," * 1000 + b"[]]",
        b"[" + b"1," * 1000 + b"1]",
    ],
)
def test_what_a_database_or_a_stack_would_choke_on_is_unreadable(text: bytes) -> None:
    with pytest.raises(jsonrpc.Unreadable):
        decode(text)


def test_values_up_to_the_limits_are_read() -> None:
    assert decode(b"[" * 64 + b"]" * 64) is not None
    assert len(decode(b"[" + b"[]," * 500 + b"[]]")) == 501


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"jsonrpc": "2.0", "id": "p1", "result": {}}, True),
        ({"jsonrpc": "2.0", "id": None, "error": {"code": -32600}}, True),
        ({"jsonrpc": "2.0", "error": {}}, True),
        ({"jsonrpc": "2.0", "id": "other", "result": {}}, True),
        ([{"method": "notifications/progress"}, {"id": "p1", "result": {}}], True),
        ({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}, False),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping"}, False),
        ({"id": "p1"}, False),
        ("result", False),
        (None, False),
    ],
)
def test_only_a_response_ends_the_wait(data: Any, expected: bool) -> None:
    assert jsonrpc.is_response(data) is expected
