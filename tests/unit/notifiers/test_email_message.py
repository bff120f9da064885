"""Letters, and the settings that say where they go."""

import base64
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from pydantic import ValidationError

from prober.incidents.notice import Notice
from prober.notifiers.email import EmailSettings, message

PLAIN = {"host": "smtp.example.com", "from": "alerts@example.com", "to": ["ops@example.com"]}


def letter(notice: Notice, **options: Any) -> Message:
    settings = EmailSettings.model_validate({**PLAIN, **options})
    return message_from_bytes(message(notice, settings, "https://prober.example").as_bytes())


def test_the_headers_name_sender_recipients_and_thread(make_notice: Callable[..., Notice]) -> None:
    found = letter(make_notice(), to=["a@example.com", "b@example.com"])
    assert found["From"] == "mcp-prober <alerts@example.com>"
    assert found["To"] == "a@example.com, b@example.com"
    assert found["Subject"] == "orders is down"
    assert found["Date"] == "Fri, 20 Nov 2026 12:03:00 +0000"
    assert found["Message-ID"] == "<00000000-0000-0000-0000-000000000007@example.com>"
    assert found["In-Reply-To"] == found["References"] == "<00000000-0000-0000-0000-000000000008@example.com>"


def test_ids_longer_than_a_line_are_written_out(make_notice: Callable[..., Notice]) -> None:
    domain = "mail." * 40 + "example.com"
    found = letter(make_notice(), **{"from": f"alerts@{domain}"})
    assert found["References"] == f"<00000000-0000-0000-0000-000000000008@{domain}>"


INJECTED = "x\r\nBcc: evil@example.net\r\n\r\nbody"


@pytest.mark.parametrize(
    "title",
    [INJECTED, f"=?utf-8?b?{base64.b64encode(INJECTED.encode()).decode()}?=", "a\x0bBcc: b\x85Bcc: c\u2028Bcc: d"],
)
def test_no_title_makes_a_header(make_notice: Callable[..., Notice], title: str) -> None:
    found = letter(make_notice(title=title))
    assert found.keys() == letter(make_notice()).keys()
    assert "\n" not in found["Subject"].replace("\n ", "")


@pytest.mark.parametrize(
    ("options", "port"), [({}, 587), ({"tls": "implicit"}, 465), ({"tls": "none"}, 25), ({"port": 2525}, 2525)]
)
def test_each_kind_of_protection_has_its_usual_port(options: dict[str, Any], port: int) -> None:
    assert EmailSettings.model_validate({**PLAIN, **options}).at_port == port


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"username": "prober"}, "username and password belong together"),
        ({"password": "env:PASSWORD"}, "username and password belong together"),
        ({"username": "prober", "password": "hunter2"}, "not a reference"),
        ({"to": []}, "at least 1 item"),
        ({"to": ["ops@example.com\r\nBcc: x@example.com"]}, "is not a mail address"),
        ({"to": ["Ops <ops@example.com>"]}, "is not a mail address"),
        ({"from": "a@b@c"}, "is not a mail address"),
        ({"from": "a" * 250 + "@example.com"}, "is not a mail address"),
        ({"host": "smtp.example.com:25"}, "is not the name of a host"),
        ({"host": "-"}, "is not the name of a host"),
        ({"tls": "maybe"}, "starttls"),
        ({"port": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        EmailSettings.model_validate({**PLAIN, **options})
    assert "hunter2" not in str(caught.value)
