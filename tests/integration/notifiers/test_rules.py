"""The rules of the sinks refuse what they are there to refuse: a sink that takes everything would prove nothing."""

import base64
import json
from typing import Any

import pytest

from tests.integration.notifiers.rules import (
    letter_fault,
    notice_faults,
    pagerduty_faults,
    slack_fault,
    sns_fault,
    webhook_fault,
)


def slack(**changes: Any) -> dict[str, Any]:
    return {"text": "x", "blocks": [section("x")], **changes}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def test_a_fine_message_is_fine() -> None:
    assert slack_fault(slack(blocks=[header("x"), section("<https://x.example/p|Open> a &amp; b")])) == ""


@pytest.mark.parametrize(
    "payload",
    [
        {},
        slack(text=" "),
        slack(text="<!here>"),
        slack(channel="#general"),
        slack(blocks=[]),
        slack(blocks=[section("x")] * 51),
        slack(blocks=[section("x" * 3001)]),
        slack(blocks=[section("🔴" * 1501)]),
        slack(blocks=[section(" ")]),
        slack(blocks=[section("<!channel>")]),
        slack(blocks=[section("<@U1>")]),
        slack(blocks=[section("a & b")]),
        slack(blocks=[section("\u202e")]),
        slack(blocks=[header("x" * 151)]),
        slack(blocks=[{"type": "context", "elements": []}]),
        slack(blocks=[{"type": "image"}]),
    ],
)
def test_slack_refuses(payload: dict[str, Any]) -> None:
    assert slack_fault(payload)


def sns(**changes: Any) -> dict[str, Any]:
    return {"TopicArn": "arn:topic", "Subject": "x", "Message": "x", **changes}


def attribute(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


@pytest.mark.parametrize(
    "refused",
    [
        sns(Subject="x" * 100),
        sns(Subject="ü"),
        sns(Subject=" x"),
        sns(Subject="a\nb"),
        sns(Message=""),
        sns(Message="ü" * 131_073),
        sns(Message="x" * 262_130, MessageAttributes={"name": attribute("value-value")}),
        sns(MessageAttributes={f"a{number}": attribute("x") for number in range(11)}),
        sns(MessageAttributes={"AWS.x": attribute("x")}),
        sns(MessageAttributes={"a..b": attribute("x")}),
        sns(MessageAttributes={"a": attribute("")}),
        sns(MessageStructure="json", Message=json.dumps({"sms": "x"})),
        sns(MessageGroupId="x"),
        sns(TopicArn="arn:topic.fifo", MessageGroupId="a b", MessageDeduplicationId="x"),
        sns(Priority="high"),
    ],
)
def test_sns_refuses(refused: dict[str, Any]) -> None:
    assert sns_fault(sns()) == ""
    assert sns_fault(refused)


PAYLOAD = {"summary": "x", "source": "x", "severity": "critical", "timestamp": "2026-11-20T12:00:00+00:00"}
EVENT = {"routing_key": "k" * 32, "event_action": "trigger", "dedup_key": "x", "payload": PAYLOAD}


@pytest.mark.parametrize(
    "changes",
    [
        {"routing_key": "k" * 31},
        {"event_action": "close"},
        {"dedup_key": "x" * 256},
        {"dedup_key": ""},
        {"payload": {**PAYLOAD, "summary": "x" * 1025}},
        {"payload": {**PAYLOAD, "source": " "}},
        {"payload": {**PAYLOAD, "severity": "down"}},
        {"payload": {**PAYLOAD, "timestamp": "2026-11-20T12:00:00"}},
        {"payload": {**PAYLOAD, "custom_details": {"a": "\u202e"}}},
        {"payload": {**PAYLOAD, "custom_details": {"a": "x" * 512_000}}},
        {"links": [{"href": "javascript:x", "text": "x"}]},
        {"nonsense": 1},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_pagerduty_refuses(changes: dict[str, Any]) -> None:
    assert pagerduty_faults(json.dumps(EVENT).encode()) == []
    assert pagerduty_faults(json.dumps({**EVENT, **changes}).encode())


def test_a_receiver_of_webhooks_refuses_what_is_old_unsigned_or_changed() -> None:
    # The example that the reference libraries of Standard Webhooks test themselves with.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body, now = b'{"test": 2432232314}', 1614265330
    signed = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": str(now),
        "webhook-signature": "v1,other v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert webhook_fault(signed, body, [secret], now).startswith("$: required"), "believed, though no notice"
    another = base64.b64encode(b"x" * 24).decode()
    for headers, content, known, at in (
        (signed, body, another, now),
        (signed, body + b" ", secret, now),
        (signed, body, secret, now + 301),
        ({**signed, "webhook-id": "msg_other"}, body, secret, now),
        ({}, body, secret, now),
    ):
        assert not webhook_fault(headers, content, [known], at).startswith("$")


@pytest.mark.parametrize("broken", [{}, {"version": 2}, {"version": 1, "type": "x", "timestamp": "now", "data": {}}])
def test_a_notice_that_breaks_the_schema_is_seen(broken: dict[str, Any]) -> None:
    assert list(notice_faults(broken))


FINE = (
    "From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\nDate: Fri, 20 Nov 2026 12:03:00 +0000\r\n"
    "Message-ID: <1@b.example>\r\nIn-Reply-To: <2@b.example>\r\nReferences: <2@b.example>\r\n"
    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Subject: x", "Subject: x\r\nBcc: e@f.example"),
        ("Subject: x", "Subject: "),
        ("Subject: x", f"Subject: {'x' * 201}"),
        ("Subject: x", "Subject: =?utf-8?q?a=0D=0ABcc:_b?="),
        ("\r\nSubject", "\nSubject"),
        ("Subject: x", "Subject: ü"),
        ("<2@b.example>", "=?utf-8?q?2?="),
        ("\r\nx\r\n", f"\r\n{'x' * 999}\r\n"),
        ("text/html", "text/plain"),
        ("<p>x</p>", "<p onclick=x>x</p>"),
        ("<p>x</p>", "<script>x</script>"),
        ("<p>x</p>", "<img src=x>"),
        ("<p>x</p>", '<a href="javascript:x">x</a>'),
    ],
)
def test_a_letter_that_could_do_harm_is_seen(before: str, after: str) -> None:
    assert letter_fault(FINE.encode()) == ""
    assert letter_fault(FINE.replace(before, after).encode())
