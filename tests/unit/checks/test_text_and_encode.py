"""Foreign text is safe to show and to store, whatever it is."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.encode import SHOWN_BODY_LIMIT, SHOWN_MESSAGES, as_json
from checks.model import CheckResult, Finding, Irregularity, Outcome
from checks.text import clean, clean_bytes, shown_url, storable
from tests.unit.checks.conversations import ENDPOINT, NOW, exchange, ok, opened, progress

anything = st.text(st.characters(), max_size=400)
acting = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | anything,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(anything, inner, max_size=4),
    max_leaves=10,
)


@given(anything, st.integers(1, 300))
def test_cleaned_text_is_bounded_and_nothing_in_it_acts(text: str, limit: int) -> None:
    shown = clean(text, limit)

    assert len(shown) <= limit
    assert not any(unicodedata.category(character) in acting for character in shown)


@given(anything)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean(text, 10_000)

    assert clean(once, 10_000) == once


def test_lines_are_kept_only_where_asked_for() -> None:
    assert clean("a\nb\tc") == "a b c"
    assert clean("a\nb\tc\r", keep_lines=True) == "a\nb\tc\\u{d}"


def test_a_cut_is_marked() -> None:
    assert clean("abcdef", 4) == "abc…"
    assert clean("abcd", 4) == "abcd"


@given(st.binary(max_size=400))
def test_bytes_that_are_no_text_become_visible_escapes(body: bytes) -> None:
    assert clean_bytes(body, 5000).isprintable() or not body


@given(json_values)
def test_what_is_stored_holds_no_character_that_postgresql_refuses(value: Any) -> None:
    text = json.dumps(storable(value), ensure_ascii=False)

    text.encode("utf-8")
    assert "\\u0000" not in text.replace("\\\\u0000", "")


@given(st.binary(max_size=2000), json_values)
def test_every_exchange_can_be_stored(body: bytes, data: Any) -> None:
    stored = as_json(exchange("tools/list", body=body, messages=[data]))

    json.dumps(stored).encode("utf-8")
    assert len(stored["body"]) <= SHOWN_BODY_LIMIT


@given(anything, anything, json_values)
def test_every_hostile_string_survives_storage(text: str, other: str, data: Any) -> None:
    odd = Irregularity(code="bom", detail=text)
    answer = exchange("tools/list", messages=[ok(data)], headers=((text, other),), irregularities=(odd,))
    result = CheckResult(
        check="c",
        outcome=Outcome.WARN,
        summary=text,
        exchanges=(answer,),
        findings=(Finding(text=other),),
        facts={text: [other, {other: data}]},
    )

    stored = json.dumps(as_json(result), ensure_ascii=False)

    stored.encode("utf-8")
    assert "\\u0000" not in stored.replace("\\\\u0000", "")


@pytest.mark.parametrize("text", ["\ufeffa", "a\ud800b", "\udfff", "a\0b", "\U0001f600"])
def test_what_is_stored_can_be_told_from_what_it_stands_for(text: str) -> None:
    stored = storable({text: text})

    assert json.loads(json.dumps(stored)) == stored
    assert all(character not in f"{stored}" for character in "\0\ud800\udfff")
    assert ("\ufeff" in text) == ("\ufeff" in next(iter(stored)))


def test_messages_are_stored_by_kind_and_arrival_without_their_data() -> None:
    answer = exchange(
        "tools/list", messages=[progress(1), ok({"secret": 1}), {"jsonrpc": "2.0", "error": {}}, 7], at=[1, 2, 3, 4]
    )

    assert [(each["kind"], each["at_ms"]) for each in as_json(answer)["messages"]] == [
        ("notifications/progress", 1),
        ("result", 2),
        ("error", 3),
        ("not JSON-RPC", 4),
    ]


def test_a_flood_of_messages_is_cut() -> None:
    flood = exchange("tools/list", messages=[progress(number) for number in range(100)])

    assert len(as_json(flood)["messages"]) == SHOWN_MESSAGES


def test_model_values_become_plain_json() -> None:
    result = CheckResult(check="c", outcome=Outcome.WARN, summary="s", facts={"at": NOW, "tools": ("a",)})

    stored = as_json({"result": result, "opening": opened(), "endpoint": ENDPOINT})

    assert stored["result"]["outcome"] == "warn"
    assert stored["result"]["facts"] == {"at": "2026-11-20T12:00:00+00:00", "tools": ["a"]}
    assert stored["opening"]["opener"]["era"] == "stateless"
    json.dumps(stored)


def test_a_space_that_is_no_space_is_shown_as_one() -> None:
    assert clean("pay\u00a0pal\u3000x\u2003y") == "pay pal x y"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:geheim@host.example:8443/mcp?key=geheim#geheim", "https://host.example:8443/mcp?[redacted]"),
        ("https://host.example/mcp#geheim", "https://host.example/mcp"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("http://[broken", "an address that cannot be read"),
        ("https://host.example/\u202e", "https://host.example/\\u{202e}"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_a_shown_address_is_bounded() -> None:
    assert len(shown_url(f"https://host.example/{'x' * 600}", 500)) == 500
