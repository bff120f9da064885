"""What SNS is sent stays within the rules of Publish, and its errors become the right kind of NotifyError."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prober.incidents.notice import Notice
from prober.notifiers.contract import NotifyError, Tools
from prober.notifiers.forms import versioned
from prober.notifiers.sns import Sns, SnsSettings, publication, subject, variants

ARN = "arn:aws:sns:eu-central-1:123456789012:alerts"
PLAIN = SnsSettings(topic_arn=ARN)
FIFO = SnsSettings(topic_arn=f"{ARN}.fifo")


class Topic:
    """Takes what is published, or raises."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.requests: list[dict[str, Any]] = []

    def publish(self, **request: Any) -> None:
        self.requests.append(request)
        if self.failure:
            raise self.failure


def refused(code: str, status: int, said: str = "said AWS") -> ClientError:
    response = {"Error": {"Code": code, "Message": said}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Publish")


def test_the_message_is_the_whole_notice_and_the_attributes_can_be_filtered_by(
    make_notice: Callable[..., Notice],
) -> None:
    request = publication(make_notice(), PLAIN, "https://prober.example")
    assert request["TopicArn"] == ARN
    assert request["Subject"] == "MCP: orders is down"
    assert "What to do:\nInstall the adapter" in request["Message"]
    assert "https://prober.example/probes/" in request["Message"]
    assert {name: each["StringValue"] for name, each in request["MessageAttributes"].items()} == {
        "endpoint": "orders",
        "severity": "critical",
        "verdict": "down",
        "kind": "opened",
        "about": "endpoint",
        "diagnosis": "not-mcp",
        "notice": "00000000-0000-0000-0000-000000000007",
    }
    assert "MessageGroupId" not in request


def test_a_fifo_topic_gets_order_per_endpoint_and_the_notice_id_against_duplicates(
    make_notice: Callable[..., Notice],
) -> None:
    request = publication(make_notice(), FIFO, None)
    assert request["MessageGroupId"] == "orders"
    assert request["MessageDeduplicationId"] == "00000000-0000-0000-0000-000000000007"
    odd = publication(make_notice(endpoint="bücher prod"), FIFO, None)["MessageGroupId"]
    assert odd.isalnum()
    assert len(odd) == 64


@given(title=st.text(max_size=500))
def test_a_subject_is_one_short_line_of_printable_ascii(title: str) -> None:
    written = subject(title)
    assert 0 < len(written) < 100
    assert written.isascii()
    assert written.isprintable()
    assert written[0].isalnum()


@given(text=st.text())
def test_no_attribute_is_empty_or_acts(make_notice: Callable[..., Notice], text: str) -> None:
    attributes = publication(make_notice(endpoint=text, diagnosis=text), PLAIN, None)["MessageAttributes"]
    for each in attributes.values():
        assert each["StringValue"]
        assert not any(character in each["StringValue"] for character in "\x00\n\r\x1b\ud800")


def test_labels_go_as_attributes_as_far_as_ten_of_them_have_room(make_notice: Callable[..., Notice]) -> None:
    notice = make_notice(labels={"team": "shop", "a b": "1", "env": "prod", "zone": "x", "": "empty"})
    assert list(publication(notice, PLAIN, None)["MessageAttributes"])[7:] == ["label._", "label.a_b", "label.env"]
    chosen = SnsSettings(topic_arn=ARN, labels=["zone", "team", "absent"])
    assert list(publication(notice, chosen, None)["MessageAttributes"])[7:] == ["label.zone", "label.team"]


def test_every_protocol_gets_its_own_form(make_notice: Callable[..., Notice]) -> None:
    request = publication(make_notice(), SnsSettings(topic_arn=ARN, structure="json"), "https://prober.example")
    assert request["MessageStructure"] == "json"
    forms = json.loads(request["Message"])
    assert forms.keys() == {"default", "email", "sms", "http", "https", "lambda", "sqs"}
    assert forms["default"] == publication(make_notice(), PLAIN, "https://prober.example")["Message"]
    assert forms["sms"] == "orders is down. It answers, but not with MCP (not-mcp)"
    assert json.loads(forms["sqs"]) == versioned(make_notice(), "https://prober.example")


@pytest.mark.parametrize("character", ['"', "\\", "🔴", "\n", "a"])
def test_the_largest_notice_fits_with_its_attributes(make_notice: Callable[..., Notice], character: str) -> None:
    text = character * 50_000
    notice = make_notice(
        title=text, endpoint=text, lines=(text,) * 99, fix=text, labels={f"{n}": text for n in range(99)}
    )
    for settings in (PLAIN, SnsSettings(topic_arn=ARN, structure="json")):
        request = publication(notice, settings, "https://prober.example")
        size = len(request["Message"].encode())
        size += sum(
            len(name) + 6 + len(each["StringValue"].encode()) for name, each in request["MessageAttributes"].items()
        )
        assert size <= 262_144


def test_a_text_message_is_one_short_line(make_notice: Callable[..., Notice]) -> None:
    forms = json.loads(variants(make_notice(title="ü" * 300, lines=()), None))
    assert len(forms["sms"]) == 140
    assert "\n" not in forms["sms"]


async def test_one_client_serves_all_messages_and_is_made_by_the_first(
    make_notice: Callable[..., Notice], tools: Tools
) -> None:
    topic, made = Topic(), []
    sns = Sns(PLAIN, tools, lambda settings: made.append(settings) or topic)
    assert made == []
    await sns.send(make_notice())
    await sns.send(make_notice())
    assert made == [PLAIN]
    assert len(topic.requests) == 2


@pytest.mark.parametrize(
    ("failure", "permanent", "needs_mending"),
    [
        (refused("Throttling", 400), False, False),
        (refused("ExpiredToken", 403), False, False),
        (refused("InternalError", 500), False, False),
        (refused("NotFound", 404), False, True),
        (refused("AuthorizationError", 403), False, True),
        (refused("UnrecognizedClientException", 400), False, True),
        (refused("KMSAccessDenied", 400), False, True),
        (refused("InvalidParameter", 400), True, False),
        (refused("InvalidParameter", 400, "Invalid parameter: TopicArn"), False, True),
        (refused("RequestEntityTooLarge", 413), True, False),
        (EndpointConnectionError(endpoint_url="https://sns.example"), False, False),
        (NoCredentialsError(), False, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_only_a_message_that_can_never_pass_is_given_up(
    make_notice: Callable[..., Notice], tools: Tools, failure: Exception, permanent: bool, needs_mending: bool
) -> None:
    with pytest.raises(NotifyError) as caught:
        await Sns(PLAIN, tools, lambda _: Topic(failure)).send(make_notice())
    assert (caught.value.permanent, caught.value.needs_mending) == (permanent, needs_mending)


@pytest.mark.parametrize("arn", ["alerts", "arn:aws:sqs:eu-central-1:123456789012:q", f"{ARN}\n", "", f"{ARN}/x"])
def test_what_is_no_topic_is_refused_with_an_example(arn: str) -> None:
    with pytest.raises(ValidationError, match="such as arn:aws:sns"):
        SnsSettings(topic_arn=arn)


def test_the_region_is_that_of_the_topic() -> None:
    assert SnsSettings(topic_arn=ARN.replace("eu-central", "cn-north")).region == "cn-north-1"


def test_a_blank_end_is_no_reason_to_fail(make_notice: Callable[..., Notice]) -> None:
    blank = replace(make_notice(), lines=(), fix="", diagnosis=None)
    assert publication(blank, PLAIN, None)["MessageAttributes"]["diagnosis"]["StringValue"] == "none"
