"""Through a real SNS client to a queue behind the topic."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from prober.incidents.notice import Notice
from prober.incidents.rules import Severity
from prober.notifiers.contract import NotifyError, Tools
from prober.notifiers.sns import Sns, SnsSettings
from tests.integration.notifiers.rules import notice_faults
from tests.integration.notifiers.sink import SnsSink, serving

REGION = "eu-central-1"


class Queue:
    """A queue subscribed to a topic, with raw messages off, as e-mail and others see them."""

    def __init__(self, url: str, name: str, **policy: Any) -> None:
        self._sqs = boto3.client("sqs", region_name=REGION, endpoint_url=url)
        sns = boto3.client("sns", region_name=REGION, endpoint_url=url)
        fifo = {"FifoTopic": "true"} if name.endswith(".fifo") else {}
        self.topic: str = sns.create_topic(Name=name, Attributes=fifo)["TopicArn"]
        queue_fifo = {"FifoQueue": "true"} if fifo else {}
        self._queue: str = self._sqs.create_queue(QueueName=name, Attributes=queue_fifo)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]
        attributes = {"FilterPolicy": json.dumps(policy)} if policy else {}
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn["QueueArn"], Attributes=attributes)

    def messages(self) -> list[dict[str, Any]]:
        answer = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        return [json.loads(each["Body"]) for each in answer.get("Messages", ())]


@pytest.fixture
def channel(open_tools: Callable[..., Tools]) -> Callable[..., Sns]:
    """Opens a channel to a topic, at the address of an SNS."""

    def opened(url: str, topic: str, **options: Any) -> Sns:
        return Sns.build(SnsSettings(topic_arn=topic, endpoint_url=url, **options), open_tools())

    return opened


async def test_a_notice_arrives_with_subject_text_and_attributes(
    aws_url: str, channel: Callable[..., Sns], make_notice: Callable[..., Notice]
) -> None:
    queue = Queue(aws_url, "alerts")
    await channel(aws_url, queue.topic).send(make_notice())
    (message,) = queue.messages()
    assert message["Subject"] == "MCP: orders is down"
    assert "Install the adapter." in message["Message"]
    assert message["MessageAttributes"]["severity"] == {"Type": "String", "Value": "critical"}
    assert message["MessageAttributes"]["notice"]["Value"] == str(make_notice().id)


async def test_a_subscription_can_filter_by_severity(
    aws_url: str, channel: Callable[..., Sns], make_notice: Callable[..., Notice]
) -> None:
    queue = Queue(aws_url, "pager", severity=["critical"])
    sns = channel(aws_url, queue.topic)
    await sns.send(make_notice(severity=Severity.WARNING))
    await sns.send(make_notice(title="billing is down"))
    assert [each["Subject"] for each in queue.messages()] == ["MCP: billing is down"]


async def test_a_fifo_topic_takes_the_same_notice_once(
    aws_url: str, channel: Callable[..., Sns], make_notice: Callable[..., Notice]
) -> None:
    queue = Queue(aws_url, "alerts.fifo")
    sns = channel(aws_url, queue.topic)
    await sns.send(make_notice())
    await sns.send(make_notice())
    assert len(queue.messages()) == 1


async def test_a_hostile_notice_is_taken_too(
    aws_url: str, channel: Callable[..., Sns], make_notice: Callable[..., Notice]
) -> None:
    queue = Queue(aws_url, "hostile")
    ugly = "\r\nSubject: x\x00\x1b[31m\u202e" + "ü🔴" * 200_000
    await channel(aws_url, queue.topic).send(make_notice(title=ugly, endpoint=ugly, lines=(ugly,), fix=ugly))
    (message,) = queue.messages()
    assert len(message["Subject"]) < 100


async def test_a_topic_that_is_gone_has_to_be_mended_and_an_address_without_anybody_may_pass(
    aws_url: str, channel: Callable[..., Sns], make_notice: Callable[..., Notice]
) -> None:
    arn = f"arn:aws:sns:{REGION}:123456789012:nowhere"
    with pytest.raises(NotifyError, match="HTTP 404") as gone:
        await channel(aws_url, arn).send(make_notice())
    assert (gone.value.permanent, gone.value.needs_mending) == (False, True)
    with pytest.raises(NotifyError, match="Could not connect") as away:
        await channel("http://127.0.0.1:9", arn).send(make_notice())
    assert (away.value.permanent, away.value.needs_mending) == (False, False)


async def test_a_queue_gets_the_versioned_json_where_each_protocol_has_its_own_form(
    aws_url: str, channel: Callable[..., Sns], make_notice: Callable[..., Notice]
) -> None:
    queue = Queue(aws_url, "structured")
    await channel(aws_url, queue.topic, structure="json").send(make_notice())
    (message,) = queue.messages()
    told = json.loads(message["Message"])
    assert list(notice_faults(told)) == []
    assert (told["version"], told["type"], told["data"]["title"]) == (1, "endpoint.opened", "orders is down")


async def test_a_subscription_can_filter_by_a_label(
    aws_url: str, channel: Callable[..., Sns], make_notice: Callable[..., Notice]
) -> None:
    queue = Queue(aws_url, "shop", **{"label.team": ["shop"]})
    sns = channel(aws_url, queue.topic, labels=["team"])
    await sns.send(make_notice(labels={"team": "billing"}))
    await sns.send(make_notice(labels={"a": "1", "b": "2", "c": "3", "team": "shop"}))
    (message,) = queue.messages()
    assert message["MessageAttributes"]["label.team"]["Value"] == "shop"


@pytest.mark.parametrize("options", [{}, {"structure": "json"}])
async def test_the_longest_notices_stay_within_the_real_limits(
    channel: Callable[..., Sns], make_notice: Callable[..., Notice], options: dict[str, str]
) -> None:
    sink = SnsSink()
    with serving(sink):
        sns = channel(sink.url, f"arn:aws:sns:{REGION}:123456789012:alerts.fifo", **options)
        for character in ('"', "\\", "🔴", "ü", "\u202e", "<", "a"):
            text = character * 20_000
            labels = {f"{n}{text}": text for n in range(30)}
            await sns.send(make_notice(title=text, endpoint=text, lines=(text,) * 60, fix=text, labels=labels))
    assert (sink.refused, len(sink.arrived)) == ([], 7)


async def test_what_sns_refuses_for_its_content_is_not_tried_again(
    channel: Callable[..., Sns], make_notice: Callable[..., Notice]
) -> None:
    class Refusing(SnsSink):
        def judge(self, *_: Any) -> tuple[int, dict[str, str], str]:
            said = "<Error><Code>InvalidParameter</Code><Message>Invalid parameter: Message too long</Message></Error>"
            return 400, {}, f"<ErrorResponse>{said}</ErrorResponse>"

    sink = Refusing()
    with serving(sink), pytest.raises(NotifyError, match="Message too long") as caught:
        await channel(sink.url, f"arn:aws:sns:{REGION}:123456789012:alerts").send(make_notice())
    assert caught.value.permanent
