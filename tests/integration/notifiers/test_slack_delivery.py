"""Through a real socket to a webhook that enforces Slack's limits."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from prober.clock import SystemClock
from prober.incidents.wording import Notice
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.notifiers.contract import NotifyError, Tools
from prober.notifiers.slack import Slack, SlackSettings
from tests.integration.notifiers.sink import SlackSink


@pytest.fixture
def net() -> Net:
    return Net(GuardPolicy(allow_private=True), clock=SystemClock())


@pytest.fixture
def open_slack(net: Net, executor: ThreadPoolExecutor) -> Callable[[str], Slack]:
    def opened(url: str) -> Slack:
        async def secret(_: str) -> str:
            return url

        tools = Tools(net=net, secret=secret, executor=executor, public_url="https://prober.example")
        return Slack(SlackSettings(webhook="env:SLACK_WEBHOOK"), tools)

    return opened


async def test_a_notice_arrives_within_slacks_limits(
    slack_sink: SlackSink, open_slack: Callable[[str], Slack], make_notice: Callable[..., Notice]
) -> None:
    ugly = "<!channel> & \x1b[31m\u202e🔴" * 3000
    slack = open_slack(slack_sink.url)
    await slack.send(make_notice())
    await slack.send(make_notice(title=ugly, lines=(ugly, ugly), fix=ugly))
    await slack.send(make_notice(title=" ", lines=(), fix=""))
    assert slack_sink.refused == []
    plain, hostile, _ = slack_sink.arrived
    assert plain["blocks"][0]["text"]["text"] == "🔴 orders is down"
    assert "<!channel>" not in str(hostile)


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "retry_after_s"),
    [
        (429, {"Retry-After": "30"}, False, 30.0),
        (429, {"Retry-After": f"Fri, 20 Nov {10**20} 12:00:00 GMT"}, False, None),
        (500, {}, False, None),
        (400, {}, True, None),
        (404, {}, False, None),
        (302, {"Location": "http://169.254.169.254/"}, False, None),
    ],
)
async def test_a_refusal_is_read_right_and_keeps_the_webhook_secret(
    slack_sink: SlackSink,
    open_slack: Callable[[str], Slack],
    make_notice: Callable[..., Notice],
    status: int,
    headers: dict[str, str],
    permanent: bool,
    retry_after_s: float | None,
) -> None:
    slack_sink.answers.append((status, headers))
    with pytest.raises(NotifyError, match=f"HTTP {status}") as caught:
        await open_slack(slack_sink.url).send(make_notice())
    assert (caught.value.permanent, caught.value.retry_after_s) == (permanent, retry_after_s)
    assert "s3cr3t" not in str(caught.value)
    assert slack_sink.tries == 1


async def test_slacks_own_word_for_a_refusal_is_passed_on(
    slack_sink: SlackSink, open_slack: Callable[[str], Slack], make_notice: Callable[..., Notice]
) -> None:
    with pytest.raises(NotifyError, match=r"^HTTP 404: Slack says no_service$") as caught:
        await open_slack(slack_sink.url.replace("T0", "gone")).send(make_notice())
    assert caught.value.needs_mending


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/services/s3cr3t", "http://169.254.169.254/services/s3cr3t"])
async def test_an_address_that_nobody_answers_at_or_that_is_not_allowed_is_tried_again(
    open_slack: Callable[[str], Slack], make_notice: Callable[..., Notice], url: str
) -> None:
    with pytest.raises(NotifyError) as caught:
        await open_slack(url).send(make_notice())
    assert not caught.value.permanent
    assert caught.value.reason
    assert "s3cr3t" not in str(caught.value)
