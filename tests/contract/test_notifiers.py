"""Every kind of channel keeps the same promises: the retry table, and no secret in any error."""

from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from checks.model import Failure, TransportError, Verdict
from prober.incidents.notice import Notice, NoticeKind
from prober.incidents.rules import Severity
from prober.net.client import PostOutcome
from prober.notifiers.catalog import NOTIFIERS
from prober.notifiers.contract import Notifier, NotifyError, Tools
from prober.notifiers.file import FileSettings, LineFile
from prober.notifiers.slack import Slack, SlackSettings
from prober.notifiers.sns import Sns, SnsSettings
from prober.secrets.references import SecretError

SECRET_PATH = "services/T0/B0/s3cr3t"
SECRET_URL = f"https://hooks.slack.example/{SECRET_PATH}"
NOTICE = Notice(
    id=UUID(int=1),
    kind=NoticeKind.OPENED,
    endpoint="orders",
    severity=Severity.CRITICAL,
    verdict=Verdict.DOWN,
    diagnosis=None,
    title="orders is down",
    lines=("It does not answer.",),
    fix="",
    since=datetime(2026, 11, 20, tzinfo=UTC),
    at=datetime(2026, 11, 20, tzinfo=UTC),
    thread=UUID(int=2),
    path="/probes/3",
)


@dataclass(frozen=True)
class Situation:
    """How the other side behaves, and what a channel is to make of it."""

    name: str
    status: int | None
    permanent: bool | None
    """None: the notice is taken."""
    retry_after_s: float | None = None
    needs_mending: bool = False


SITUATIONS = (
    Situation("takes it", 200, None),
    Situation("asks for patience", 429, False, 30.0),
    Situation("is broken", 500, False),
    Situation("is overloaded", 503, False),
    Situation("does not understand", 400, True),
    Situation("forbids it", 403, False, needs_mending=True),
    Situation("is gone", 404, False, needs_mending=True),
    Situation("cannot be reached", None, False),
)


SNS_CODES = {400: "InvalidParameter", 403: "AuthorizationError", 404: "NotFound"}
"""What SNS says beside the status."""


def resolving(value: str) -> Callable[[str], Awaitable[str]]:
    """What resolves every reference to `value`."""

    async def secret(_: str) -> str:
        return value

    return secret


def slack(situation: Situation, tools: Tools, _: Path) -> Notifier:
    class Net:
        async def post_json(self, url: str, payload: Any, **_: Any) -> Any:
            assert url == SECRET_URL
            if situation.status is None:
                detail = f"no route to {url}"
                return PostOutcome(error=TransportError(failure=Failure.CONNECT, reason="refused", detail=detail))
            return PostOutcome(
                status=situation.status,
                body_excerpt=f"echo of {SECRET_URL} and /{SECRET_PATH}",
                retry_after_s=situation.retry_after_s,
            )

    tools = Tools(net=Net(), secret=resolving(SECRET_URL), executor=tools.executor)
    return Slack(SlackSettings(webhook="env:SLACK_WEBHOOK"), tools)


def sns(situation: Situation, tools: Tools, _: Path) -> Notifier:
    class Topic:
        def publish(self, **_: Any) -> None:
            if situation.status is None:
                raise EndpointConnectionError(endpoint_url="https://sns.example")
            if situation.status != 200:
                error = {"Code": SNS_CODES.get(situation.status, "Code")}
                metadata = {"HTTPStatusCode": situation.status}
                raise ClientError({"Error": error, "ResponseMetadata": metadata}, "Publish")

    return Sns(SnsSettings(topic_arn="arn:aws:sns:eu-central-1:123456789012:alerts"), tools, lambda _: Topic())


def file(situation: Situation, tools: Tools, directory: Path) -> Notifier:
    folder = directory if situation.status == 200 else directory / "missing"
    return LineFile(FileSettings(path=folder / "notices.jsonl"), tools)


STAGES: dict[type[Notifier], Callable[[Situation, Tools, Path], Notifier]] = {Slack: slack, Sns: sns, LineFile: file}
WITHOUT_HTTP = {LineFile}


def cases() -> Iterator[Any]:
    """Every kind in every situation that it can meet."""
    for kind in NOTIFIERS:
        for situation in SITUATIONS:
            if kind not in WITHOUT_HTTP or situation.status in (200, None):
                yield pytest.param(kind, situation, id=f"{kind.kind} {situation.name}")


@pytest.fixture
def tools() -> Iterator[Tools]:
    with ThreadPoolExecutor(1) as executor:
        yield Tools(net=None, secret=resolving(""), executor=executor)


@pytest.mark.parametrize(("kind", "situation"), [*cases()])
async def test_every_channel_keeps_the_retry_table(
    kind: type[Notifier], situation: Situation, tools: Tools, tmp_path: Path
) -> None:
    channel = STAGES[kind](situation, tools, tmp_path)
    if situation.permanent is None:
        await channel.send(NOTICE)
        return
    with pytest.raises(NotifyError) as caught:
        await channel.send(NOTICE)
    assert (caught.value.permanent, caught.value.needs_mending) == (situation.permanent, situation.needs_mending)
    assert caught.value.reason
    assert "s3cr3t" not in f"{caught.value} {caught.value!r} {channel!r}"
    if kind is Slack:
        assert caught.value.retry_after_s == situation.retry_after_s


async def test_a_webhook_that_is_not_to_be_had_is_said_by_its_reference_and_tried_again(tools: Tools) -> None:
    async def missing(reference: str) -> str:
        raise SecretError(f"{reference} is not set")

    for secret, said in ((missing, "env:HOOK is not set"), (resolving("s3cr3t"), "env:HOOK does not hold a URL")):
        channel = Slack(SlackSettings(webhook="env:HOOK"), Tools(net=None, secret=secret, executor=tools.executor))
        with pytest.raises(NotifyError, match=said) as caught:
            await channel.send(NOTICE)
        assert not caught.value.permanent
        assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("kind", NOTIFIERS, ids=lambda each: each.kind)
def test_every_setting_has_a_description(kind: type[Notifier]) -> None:
    assert all(field.description for field in kind.settings.model_fields.values())
