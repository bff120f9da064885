"""Secrets are taken out of whatever repeats them."""

import base64
import json
from urllib.parse import quote

import pytest

from prober.wire.redact import REDACTED, Redactor, SentHeader

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


def test_the_representation_of_a_header_does_not_hold_its_value() -> None:
    assert TOKEN not in repr(BEARER)
    assert TOKEN not in f"{[BEARER]}"
