"""Through the real Apprise to a web server of our own."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Mapping

import pytest

from prober.incidents.notice import Notice, NoticeKind
from prober.notifiers.apprise import Apprise, AppriseSettings
from prober.notifiers.contract import NotifyError, Tools
from tests.integration.notifiers.sink import Answer, Sink, serving

SETTINGS = AppriseSettings(url="env:URL")


class Json(Sink):
    """What Apprise's `json://` posts to."""

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        del path, headers
        self.arrived.append(json.loads(body))
        return 200, {}, ""


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


async def test_a_notice_arrives_with_its_type_and_an_end_as_success(
    open_tools: Callable[..., Tools], make_notice: Callable[..., Notice]
) -> None:
    sink = Json()
    with serving(sink, "/s3cr3t"):
        channel = Apprise(SETTINGS, open_tools(URL=sink.url.replace("http://", "json://")))
        await channel.send(make_notice(lines=("a\\nb <i> & $HOME ${X}",)))
        await channel.send(make_notice(kind=NoticeKind.CLOSED))
    opened, closed = sink.arrived
    assert (opened["title"], opened["type"], closed["type"]) == ("orders is down", "failure", "success")
    assert "a\\nb <i> & $HOME ${X}" in opened["message"]
    assert str(make_notice().id) in opened["message"]


async def test_a_service_that_refuses_is_tried_again_and_its_address_stays_secret(
    open_tools: Callable[..., Tools], make_notice: Callable[..., Notice], quiet: pytest.LogCaptureFixture
) -> None:
    sink = Json(answers=[(500, {})])
    with serving(sink, "/s3cr3t"):
        channel = Apprise(SETTINGS, open_tools(URL=sink.url.replace("http://", "json://")))
        with pytest.raises(NotifyError, match="could not deliver") as caught:
            await channel.send(make_notice())
    assert (caught.value.permanent, caught.value.needs_mending) == (False, False)
    assert "s3cr3t" not in f"{caught.value}{quiet.text}"


async def test_an_address_that_apprise_does_not_know_waits_for_somebody(
    open_tools: Callable[..., Tools], make_notice: Callable[..., Notice], quiet: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NotifyError, match="env:URL does not hold a URL that Apprise knows") as caught:
        await Apprise(SETTINGS, open_tools(URL="nosuchservice://s3cr3t")).send(make_notice())
    assert caught.value.needs_mending
    assert "s3cr3t" not in f"{caught.value}{quiet.text}"


async def test_a_service_that_hangs_takes_one_thread_and_no_more(
    open_tools: Callable[..., Tools], make_notice: Callable[..., Notice]
) -> None:
    release, began = threading.Event(), threading.Event()

    class Hanging(Json):
        def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
            began.set()
            release.wait(5)
            return super().judge(path, headers, body)

    sink = Hanging()
    with serving(sink):
        channel = Apprise(SETTINGS, open_tools(URL=sink.url.replace("http://", "json://")))
        first = asyncio.create_task(channel.send(make_notice()))
        await asyncio.to_thread(began.wait, 5)
        first.cancel()
        with pytest.raises(NotifyError, match="still sends the notice before"):
            await channel.send(make_notice())
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await first
    assert sink.tries == 1
