"""Envelopes out, bounded JSON in."""

import json
from typing import Any

import pytest

from prober.wire import jsonrpc


def decode(text: bytes, depth: int = 64, values: int = 1000) -> Any:
    return jsonrpc.decode(text, depth=depth, values=values).value


def test_a_request_is_compact_ascii_with_its_id() -> None:
    text = jsonrpc.encode(jsonrpc.request("tools/call", {"name": "é"}, "p1"))
    assert text == r'{"jsonrpc":"2.0","id":"p1","method":"tools/call","params":{"name":"\u00e9"}}'
    assert jsonrpc.encode(jsonrpc.notification("notifications/initialized")).count('"id"') == 0


def test_utf8_is_read_with_and_without_a_byte_order_mark() -> None:
    assert decode('\ufeff{"a":"é"}'.encode()) == {"a": "é"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"Internal Server Error", "not-json"),
        (b'{"a":1} {"a":2}', "not-json"),
        (b'{"a":1,}', "not-json"),
        (b'{"a":"\0"}', "not-json"),
        (b'{"a":"\xff"}', "bad-encoding"),
        (b'{"a":"\xed\xa0\x80"}', "bad-encoding"),
        ('{"a":1}'.encode("utf-16"), "bad-encoding"),
        ('{"a":1}'.encode("utf-16-le"), "bad-encoding"),
        ('{"a":1}'.encode("utf-32-be"), "bad-encoding"),
        (b"[NaN]", "json-non-standard"),
        (b"[-Infinity]", "json-non-standard"),
        (b"[1e999]", "json-non-standard"),
        (b"[" + b"9" * 5000 + b"]", "json-non-standard"),
    ],
)
def test_what_is_not_json_is_unreadable_for_its_own_reason(text: bytes, code: str) -> None:
    with pytest.raises(jsonrpc.Unreadable) as refused:
        decode(text)
    assert refused.value.code == code
    assert not isinstance(refused.value, jsonrpc.TooMuch)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"[" * 65 + b"]" * 65, "json-too-deep"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "json-too-deep"),
        (b"[" * 100_000, "json-too-deep"),
        (b"[{}" * 100_000, "json-too-deep"),
        (b'["]",' * 100_000, "json-too-deep"),
        (b'["\\\\",' * 100_000, "json-too-deep"),
        (b"[" * 60 + b"]" * 60 + b"[" * 65, "json-too-deep"),
        (b"[" + b"[]," * 1000 + b"[]]", "json-too-many-values"),
        (b"[" + b"1," * 1000 + b"1]", "json-too-many-values"),
        (b'{"a":[' + b"{}, " * 500 + b"[1,2]," * 500 + b"0]}", "json-too-many-values"),
    ],
)
def test_what_is_too_much_is_refused_before_it_is_parsed(
    text: bytes, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json, "loads", None)
    with pytest.raises(jsonrpc.TooMuch) as refused:
        decode(text)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "value", "codes"),
    [
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}, ["bom"]),
        (b'{"a":1,"b":{"c":1,"c":2}}', {"a": 1, "b": {"c": 2}}, ["duplicate-key"]),
        (rb'{"a":"\ud800"}', {"a": "\ud800"}, ["lone-surrogate"]),
        (rb'{"\uDFFFb":1}', {"\udfffb": 1}, ["lone-surrogate"]),
        (rb'{"a":"\ud83d\ude00"}', {"a": "\U0001f600"}, []),
        (rb'{"a":"\\ud800"}', {"a": "\\ud800"}, []),
        (rb'{"a":"\u0000"}', {"a": "\0"}, ["nul"]),
        (rb'{"a":"\\\u0000"}', {"a": "\\\0"}, ["nul"]),
        (rb'{"a":"\\u0000"}', {"a": "\\u0000"}, []),
        (b'{"a":"[[[[", "b":"\\"[{"}', {"a": "[[[[", "b": '"[{'}, []),
    ],
)
def test_what_is_odd_but_readable_is_kept_and_noticed(text: bytes, value: Any, codes: list[str]) -> None:
    read = jsonrpc.decode(text, depth=3, values=100)
    assert read.value == value
    assert [each.code for each in read.noticed] == codes


def test_brackets_and_commas_in_strings_count_for_nothing() -> None:
    text = json.dumps({"a": "[{," * 5000, 'q"': ["\\", '\\"[', "]"]}).encode()
    assert decode(text) == json.loads(text)


def test_a_number_with_an_exponent_or_many_digits_is_read_as_far_as_python_can() -> None:
    assert decode(b"[1e308, -0.0, 1E5]") == [1e308, -0.0, 1e5]
    assert decode(b"[" + b"9" * 4000 + b"]") == [10**4000 - 1]


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
