"""Through a real socket to a webhook that enforces Slack's limits."""

from collections.abc import Callable

import pytest

from prober.incidents.notice import Notice
from prober.notifiers.contract import NotifyError, Tools
from prober.notifiers.slack import Slack, SlackSettings
from tests.integration.notifiers.sink import SlackSink, serving


@pytest.fixture
def open_slack(open_tools: Callable[..., Tools]) -> Callable[[str], Slack]:
    return lambda url: Slack(SlackSettings(webhook="env:SLACK_WEBHOOK"), open_tools(SLACK_WEBHOOK=url))


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


@pytest.mark.parametrize("code", ["user_not_found", "no_team", "invalid_token"])
async def test_a_webhook_whose_channel_is_gone_waits_for_somebody_although_slack_calls_it_a_bad_request(
    open_slack: Callable[[str], Slack], make_notice: Callable[..., Notice], code: str
) -> None:
    class Gone(SlackSink):
        def judge(self, *_: object) -> tuple[int, dict[str, str], str]:
            return 400, {}, code

    sink = Gone()
    with serving(sink), pytest.raises(NotifyError, match=f"^HTTP 400: Slack says {code}$") as caught:
        await open_slack(sink.url).send(make_notice())
    assert (caught.value.permanent, caught.value.needs_mending) == (False, True)


@pytest.mark.parametrize(
    ("url", "needs_mending"),
    [
        ("http://127.0.0.1:9/services/s3cr3t", False),
        ("http://169.254.169.254/services/s3cr3t", True),
        ("http://192.0.2.1:99999/services/s3cr3t", True),
        ("http://8.8.8.8/services/s3cr3t", True),
    ],
)
async def test_an_address_that_may_not_be_connected_to_waits_for_somebody_and_one_where_nobody_answers_does_not(
    open_slack: Callable[[str], Slack], make_notice: Callable[..., Notice], url: str, needs_mending: bool
) -> None:
    with pytest.raises(NotifyError) as caught:
        await open_slack(url).send(make_notice())
    assert (caught.value.permanent, caught.value.needs_mending) == (False, needs_mending)
    assert caught.value.reason
    assert "s3cr3t" not in str(caught.value)
