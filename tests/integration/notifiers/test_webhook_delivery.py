"""To a receiver that verifies what it gets by the text of Standard Webhooks."""

import base64
from collections.abc import Callable

import pytest

from prober.incidents.notice import Notice, NoticeKind
from prober.notifiers.contract import NotifyError, Tools
from prober.notifiers.webhook import Webhook, WebhookSettings
from tests.integration.notifiers.sink import WebhookSink, serving

NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()
SETTINGS = WebhookSettings(url="env:URL", secret="env:NEW", previous_secret="env:OLD")


async def test_a_receiver_believes_the_new_secret_and_the_one_before(
    open_tools: Callable[..., Tools], make_notice: Callable[..., Notice]
) -> None:
    for known in (NEW, OLD):
        sink = WebhookSink(secrets=[known])
        with serving(sink):
            await Webhook(SETTINGS, open_tools(URL=sink.url, NEW=NEW, OLD=OLD)).send(make_notice())
        assert sink.refused == []
        (told,) = sink.arrived
        assert told["type"] == "endpoint.opened"
        assert told["data"]["link"] == "https://prober.example/probes/9"
        assert told["data"]["labels"] == {"team": "shop"}


async def test_a_receiver_with_another_secret_believes_nothing(
    open_tools: Callable[..., Tools], make_notice: Callable[..., Notice]
) -> None:
    sink = WebhookSink(secrets=["whsec_" + base64.b64encode(b"x" * 32).decode()])
    with serving(sink), pytest.raises(NotifyError, match="HTTP 400"):
        await Webhook(SETTINGS, open_tools(URL=sink.url, NEW=NEW, OLD=OLD)).send(make_notice())
    assert sink.refused == ["no matching signature"]


async def test_a_notice_that_comes_twice_has_the_same_id(
    open_tools: Callable[..., Tools], make_notice: Callable[..., Notice]
) -> None:
    sink = WebhookSink(secrets=[NEW])
    with serving(sink):
        webhook = Webhook(WebhookSettings(url="env:URL", secret="env:NEW"), open_tools(URL=sink.url, NEW=NEW))
        sink.answers.append((503, {"Retry-After": "7"}))
        with pytest.raises(NotifyError, match="HTTP 503: Service Unavailable") as caught:
            await webhook.send(make_notice())
        assert caught.value.retry_after_s == 7
        await webhook.send(make_notice())
        await webhook.send(make_notice())
        await webhook.send(make_notice(id=make_notice().thread, kind=NoticeKind.CLOSED))
    assert [each["data"]["over"] for each in sink.arrived] == [False, True]
    assert len(sink.ids) == 3


async def test_what_the_receiver_says_is_not_repeated(
    open_tools: Callable[..., Tools], make_notice: Callable[..., Notice]
) -> None:
    sink = WebhookSink(answers=[(599, {})])
    with serving(sink, "/hooks/s3cr3t"), pytest.raises(NotifyError, match=r"^HTTP 599: an unknown status$"):
        await Webhook(SETTINGS, open_tools(URL=sink.url, NEW=NEW, OLD=OLD)).send(make_notice())
