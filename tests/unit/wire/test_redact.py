"""Secrets are taken out of whatever repeats them."""

import base64
import gzip
import json
from typing import Any
from urllib.parse import quote

import pytest

from checks.text import REDACTED
from prober.wire.redact import Redactor, SentHeader

TOKEN = 'pa ss"w/örd+1'
BEARER = SentHeader(name="Authorization", value=f"Bearer {TOKEN}", shown="Bearer ${env:TOKEN}")


@pytest.mark.parametrize(
    "echo",
    [
        TOKEN,
        f"Bearer {TOKEN}",
        json.dumps(TOKEN),
        quote(TOKEN, safe=""),
        base64.b64encode(TOKEN.encode()).decode(),
        base64.urlsafe_b64encode(TOKEN.encode()).decode(),
    ],
)
def test_every_usual_spelling_of_a_secret_is_taken_out(echo: str) -> None:
    redactor = Redactor([BEARER])
    assert REDACTED in redactor.text(f"<{echo}>")
    assert echo.strip('"') not in redactor.text(f"<{echo}>")
    assert echo.encode() not in redactor.body(f"x={echo}&".encode()) or echo.startswith('"')
    assert redactor.value({echo: [echo, 1, None]}) != {echo: [echo, 1, None]}


def test_the_password_inside_basic_credentials_is_a_secret_too() -> None:
    value = "Basic " + base64.b64encode(b"user:hunter22").decode()
    redactor = Redactor([SentHeader(name="Authorization", value=value, shown="${env:BASIC}")])
    assert redactor.text("wrong password hunter22 for user") == f"wrong password {REDACTED} for user"


def test_a_header_that_is_shown_as_it_is_is_no_secret() -> None:
    redactor = Redactor([SentHeader(name="X-Tenant", value="blue", shown="blue")])
    assert redactor.text("the blue tenant") == "the blue tenant"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("X-Tenant", "acme", "acme_search"),
        ("X-Tenant", "acme-acme-acme", f"{REDACTED}_search"),
        ("X-Api-Key", "acme", f"{REDACTED}_search"),
        ("Authorization", "acme", f"{REDACTED}_search"),
    ],
)
def test_a_short_word_by_reference_is_a_secret_only_where_the_header_says_so(name: str, value: str, shown: str) -> None:
    redactor = Redactor([SentHeader(name=name, value=value, shown="${env:VALUE}")])
    assert redactor.text(f"{value}_search") == shown


def test_the_representation_of_a_header_does_not_hold_its_value() -> None:
    assert TOKEN not in repr(BEARER)
    assert TOKEN not in f"{[BEARER]}"


def test_the_query_of_the_address_is_a_secret() -> None:
    redactor = Redactor([], "https://example.com/mcp?stage=production&api_key=k-1234567")
    shown = "https://example.com/mcp?[redacted]"
    assert redactor.text("https://example.com/mcp?stage=production&api_key=k-1234567") == shown
    assert redactor.text("no such key: k-1234567 (api_key=k-1234567)") == f"no such key: {REDACTED} ({REDACTED})"
    assert redactor.text("tool of the production stage") == "tool of the production stage"


def test_a_word_as_query_leaves_other_texts_alone() -> None:
    redactor = Redactor([], "https://example.com/mcp?json&hunter2hunter2hunter2")
    assert redactor.text("application/json") == "application/json"
    assert redactor.text("hunter2hunter2hunter2") == REDACTED


def test_without_headers_and_query_nothing_is_taken_out() -> None:
    redactor = Redactor([], "https://example.com/mcp")
    assert (redactor.longest, redactor.text("https://example.com/mcp?a")) == (0, "https://example.com/mcp?a")


@pytest.mark.parametrize(
    "written",
    [
        'a/"b"&<c>+d=ef', 'a/\\"b\\"&<c>+d=ef', 'a/\\"b\\"\\u0026\\u003cc\\u003e+d=ef', 'a\\/\\"b\\"&<c>+d=ef',
        "a%2F%22b%22%26%3Cc%3E%2Bd%3Def", "a%2f%22b%22%26%3cc%3e%2bd%3def", "a/%22b%22%26%3Cc%3E%2Bd%3Def",
        "a/&quot;b&quot;&amp;&lt;c&gt;+d=ef", "YS8iYiImPGM+K2Q9ZWY=", "YS8iYiImPGM-K2Q9ZWY",
    ],
)  # fmt: skip
def test_a_secret_is_known_however_the_other_side_writes_it(written: str) -> None:
    redactor = Redactor([SentHeader(name="X-Api-Key", value='a/"b"&<c>+d=ef', shown="${env:KEY}")])
    assert redactor.text(f"<{written}>").rstrip("=>") == "<[redacted]"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_within_a_body_in_base64_does_not_come_through_wherever_it_stands(before: str, encode: Any) -> None:
    secret = "sk-live-51H~8x?Qz>secret"
    redactor = Redactor([SentHeader(name="X-Api-Key", value=secret, shown="${env:KEY}")])
    shown = redactor.body(encode(f'{before}{{"echo":"{secret}"}}'.encode()))
    assert REDACTED.encode() in shown
    kept = b"".join(shown.split(REDACTED.encode()))
    assert all(encode(secret[at : at + 9].encode()) not in kept for at in range(len(secret) - 8))


def test_a_packed_body_that_cannot_be_searched_is_not_kept_beside_a_secret() -> None:
    packed = gzip.compress(TOKEN.encode() * 3)
    assert Redactor([BEARER]).body(packed) == packed[:10] + REDACTED.encode()
    assert Redactor([], "https://example.com/mcp").body(packed) == packed


def test_a_long_part_of_a_query_without_a_name_is_known_in_base64_too() -> None:
    redactor = Redactor((), "https://a.example/mcp?UnnamedPartOfTheQuery")
    assert redactor.text("VW5uYW1lZFBhcnRPZlRoZVF1ZXJ5 UnnamedPartOfTheQuery") == "[redacted] [redacted]"
