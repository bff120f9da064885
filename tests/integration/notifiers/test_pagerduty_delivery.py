"""To an Events API v2 that enforces the limits of the real one."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from prober.incidents.notice import About, Notice, NoticeKind
from prober.notifiers.contract import NotifyError, Tools
from prober.notifiers.pagerduty import PagerDuty, PagerDutySettings
from tests.integration.notifiers.sink import PagerDutySink, serving

KEY = "s3cr3t" * 5 + "ab"


@pytest.fixture
def sink() -> Iterator[PagerDutySink]:
    service = PagerDutySink()
    with serving(service, "/v2/enqueue"):
        yield service


@pytest.fixture
def pagerduty(sink: PagerDutySink, open_tools: Callable[..., Tools]) -> PagerDuty:
    return PagerDuty(PagerDutySettings(routing_key="env:KEY", endpoint_url=sink.url), open_tools(KEY=KEY))


async def test_a_thread_is_one_alert_that_its_end_resolves(
    sink: PagerDutySink, pagerduty: PagerDuty, make_notice: Callable[..., Notice]
) -> None:
    for kind in (NoticeKind.OPENED, NoticeKind.WORSENED, NoticeKind.REMINDER):
        await pagerduty.send(make_notice(kind=kind))
    outage = UUID(int=9)
    await pagerduty.send(make_notice(kind=NoticeKind.OUTAGE_OPENED, about=About.OUTAGE, thread=outage, verdict=None))
    assert sink.open_alerts == {str(make_notice().thread), str(outage)}
    await pagerduty.send(make_notice(kind=NoticeKind.CLOSED))
    assert sink.open_alerts == {str(outage)}
    await pagerduty.send(make_notice(kind=NoticeKind.OUTAGE_CLOSED, about=About.OUTAGE, thread=outage))
    assert sink.open_alerts == set()
    assert sink.refused == []


async def test_the_longest_notices_stay_within_the_real_limits(
    sink: PagerDutySink, pagerduty: PagerDuty, make_notice: Callable[..., Notice]
) -> None:
    for character in ('"', "🔴", "\x00", "a"):
        text = character * 20_000
        labels = {f"{n}{text}": text for n in range(30)}
        await pagerduty.send(make_notice(title=text, endpoint=text, lines=(text,) * 60, fix=text, labels=labels))
    assert (sink.refused, len(sink.arrived)) == ([], 4)


@pytest.mark.parametrize(
    ("answer", "permanent", "needs_mending", "retry_after_s"),
    [
        ((429, {"Retry-After": "60"}), False, False, 60.0),
        ((500, {}), False, False, None),
        ((200, {}), False, False, None),
        ((400, {}), True, False, None),
        ((404, {}), False, True, None),
    ],
)
async def test_only_202_means_that_it_was_taken(
    sink: PagerDutySink,
    pagerduty: PagerDuty,
    make_notice: Callable[..., Notice],
    answer: tuple[int, dict[str, str]],
    permanent: bool,
    needs_mending: bool,
    retry_after_s: float | None,
) -> None:
    sink.answers.append(answer)
    with pytest.raises(NotifyError, match=f"HTTP {answer[0]}: an answer without a message of PagerDuty") as caught:
        await pagerduty.send(make_notice())
    found = caught.value
    assert (found.permanent, found.needs_mending, found.retry_after_s) == (permanent, needs_mending, retry_after_s)


@pytest.mark.parametrize(
    ("errors", "permanent"),
    [
        (["'payload.severity' is invalid"], True),
        (["Length of 'routing_key' is incorrect (should be 32 characters)"], False),
    ],
)
async def test_pagerdutys_own_words_are_passed_on_without_the_key(
    open_tools: Callable[..., Tools], make_notice: Callable[..., Notice], errors: list[str], permanent: bool
) -> None:
    class Refusing(PagerDutySink):
        def judge(self, *_: object) -> tuple[int, dict[str, str], str]:
            said = f'"{errors[0]}","{KEY}"'
            return 400, {}, f'{{"status":"invalid event","message":"Event object is invalid","errors":[{said}]}}'

    sink = Refusing()
    with serving(sink):
        channel = PagerDuty(PagerDutySettings(routing_key="env:KEY", endpoint_url=sink.url), open_tools(KEY=KEY))
        with pytest.raises(NotifyError, match=r"Event object is invalid, .*\$\{env:KEY\}") as caught:
            await channel.send(make_notice())
    assert errors[0] in caught.value.reason
    assert (caught.value.permanent, caught.value.needs_mending) == (permanent, not permanent)
    assert "s3cr3t" not in caught.value.reason
