"""Every kind of channel keeps the same promises: the retry table, no secret in any error or log, every kind of notice,
and nothing that the service behind it would refuse, whatever a server wrote.

As many strings as line 14 of the scorecard has: PROBER_STRINGS=10000 pytest tests/contract/test_notifiers.py
"""

import asyncio
import base64
import json
import logging
import os
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import apprise
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.model import Failure, TransportError, Verdict
from prober.clock import SystemClock
from prober.incidents.notice import About, Notice, NoticeKind
from prober.incidents.rules import Severity
from prober.net.client import PostOutcome
from prober.net.failures import NetError
from prober.notifiers.apprise import Apprise, AppriseSettings
from prober.notifiers.catalog import NOTIFIERS
from prober.notifiers.contract import Notifier, NotifyError, Tools
from prober.notifiers.email import Email, EmailSettings
from prober.notifiers.file import FileSettings, LineFile
from prober.notifiers.pagerduty import PagerDuty, PagerDutySettings
from prober.notifiers.slack import Slack, SlackSettings
from prober.notifiers.sns import Sns, SnsSettings
from prober.notifiers.webhook import Webhook, WebhookSettings
from prober.secrets.references import SecretError
from tests.integration.notifiers.rules import (
    letter_fault,
    notice_faults,
    pagerduty_faults,
    slack_fault,
    sns_fault,
    webhook_fault,
)

HIDDEN = "s3cr3t"
"""Stands in every secret."""
SIGNING = "whsec_" + base64.b64encode(HIDDEN.encode() * 4).decode()
SECRETS = {
    "env:URL": f"https://hooks.example/services/T0/B0/{HIDDEN}",
    "env:SIGNING": SIGNING,
    "env:ROUTING": f"{HIDDEN * 5}ab",
    "env:PASSWORD": HIDDEN,
    "env:APPRISE": f"probertest://{HIDDEN}",
}
TRUST = ssl.create_default_context()
AT = datetime(2026, 11, 20, tzinfo=UTC)
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
    since=AT,
    at=AT,
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


TAKES_IT = Situation("takes it", 200, None)
AWAY = Situation("cannot be reached", None, False)
SITUATIONS = (
    TAKES_IT,
    Situation("asks for patience", 429, False, 30.0),
    Situation("is broken", 500, False),
    Situation("is overloaded", 503, False),
    Situation("does not understand", 400, True),
    Situation("finds it too large", 413, True),
    Situation("does not know us", 401, False, needs_mending=True),
    Situation("forbids it", 403, False, needs_mending=True),
    Situation("is gone", 404, False, needs_mending=True),
    AWAY,
)


@dataclass
class Service:
    """The other side of a channel, without a network: judges by its rules what it gets."""

    situation: Situation
    executor: Executor
    directory: Path
    taken: int = 0
    faults: list[str] = field(default_factory=list)

    def judge(self, fault: str) -> None:
        self.taken += 1
        if fault:
            self.faults.append(fault)

    @property
    def tools(self) -> Tools:
        async def secret(reference: str) -> str:
            return SECRETS[reference]

        url = "https://prober.example"
        return Tools(net=self, secret=secret, executor=self.executor, clock=SystemClock(), public_url=url)

    # What channels use of `Net`.

    async def post_json(
        self, url: str, content: bytes, *, confidential: bool, headers: list[tuple[str, str]] = (), **_: Any
    ) -> PostOutcome:
        assert confidential, "or a secret would go in plain text"
        if self.situation.status is None:
            detail = f"no route to {url}"
            return PostOutcome(error=TransportError(failure=Failure.CONNECT, reason="refused", detail=detail))
        if self.situation is TAKES_IT:
            self.judge(self.fault_of(url, content, dict(headers)))
        return PostOutcome(
            status=202 if self.situation is TAKES_IT else self.situation.status,
            body_excerpt=f"echo of {url} and {content[:100]!r}",
            retry_after_s=self.situation.retry_after_s,
        )

    def fault_of(self, url: str, content: bytes, headers: dict[str, str]) -> str:
        if "pagerduty" in url:
            return next(iter(pagerduty_faults(content)), "")
        if headers:
            return webhook_fault(headers, content, [SIGNING], SystemClock().now().timestamp())
        return slack_fault(json.loads(content))

    async def open_socket(self, host: str, port: int, *, confidential: bool) -> socket.socket:
        assert (host, port, confidential) == ("smtp.example", 587, False)
        if self.situation.status is None:
            raise NetError(Failure.CONNECT, "refused", "smtp.example:587: refused")
        return socket.socket()

    def mail_trust(self) -> ssl.SSLContext:
        return TRUST


def slack(service: Service) -> Notifier:
    return Slack(SlackSettings(webhook="env:URL"), service.tools)


def webhook(service: Service) -> Notifier:
    return Webhook(WebhookSettings(url="env:URL", secret="env:SIGNING"), service.tools)


def pagerduty(service: Service) -> Notifier:
    return PagerDuty(PagerDutySettings(routing_key="env:ROUTING"), service.tools)


SNS_CODES = {400: "InvalidParameter", 403: "AuthorizationError", 404: "NotFound"}
"""What SNS says beside the status."""


def sns(service: Service) -> Notifier:
    status = service.situation.status

    class Topic:
        def publish(self, **request: Any) -> None:
            if status is None:
                raise EndpointConnectionError(endpoint_url="https://sns.example")
            if service.situation is not TAKES_IT:
                error = {"Code": SNS_CODES.get(status, "Code")}
                raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}, "Publish")
            service.judge(sns_fault(request))

    arn = "arn:aws:sns:eu-central-1:123456789012:alerts.fifo"
    return Sns(SnsSettings(topic_arn=arn, structure="json"), service.tools, lambda _: Topic())


def sns_text(service: Service) -> Notifier:
    channel = sns(service)
    plain = SnsSettings(topic_arn="arn:aws:sns:eu-central-1:123456789012:alerts", labels=["team"])
    return Sns(plain, service.tools, channel._connect)


MAIL_ANSWERS: dict[int, Exception] = {
    429: smtplib.SMTPDataError(451, b"4.7.1 greylisted"),
    500: smtplib.SMTPServerDisconnected("Connection unexpectedly closed"),
    503: smtplib.SMTPConnectError(421, b"too busy"),
    400: smtplib.SMTPDataError(554, b"5.6.0 not to be read"),
    413: smtplib.SMTPDataError(552, b"5.3.4 too large"),
    401: smtplib.SMTPAuthenticationError(535, b"the login was refused"),
    403: smtplib.SMTPSenderRefused(550, b"not you", "alerts@example.com"),
    404: smtplib.SMTPRecipientsRefused({"ops@example.com": (550, b"nobody here")}),
}
"""What a mail server says where others have a status."""


def email(service: Service) -> Notifier:
    def submit(conversation: Any, letter: Any) -> Any:
        conversation._given.close()
        if service.situation is not TAKES_IT:
            raise MAIL_ANSWERS[service.situation.status]
        service.judge(letter_fault(letter.content))
        return {}

    mail = {"host": "smtp.example", "username": "prober", "password": "env:PASSWORD", "from": "alerts@example.com"}
    return Email(EmailSettings.model_validate({**mail, "to": ["ops@example.com"]}), service.tools, submit)


APPRISE_SERVICES: list[Service] = []


@apprise.decorators.notify(on="probertest")
def apprise_plugin(body: str, title: str, notify_type: str, *_: Any, **__: Any) -> bool:
    (service,) = APPRISE_SERVICES
    if service.situation.status is None:
        logging.getLogger("apprise").warning("no route to %s", SECRETS["env:APPRISE"])
        return False
    service.judge("" if body and title and notify_type else "incomplete")
    return True


def through_apprise(service: Service) -> Notifier:
    APPRISE_SERVICES[:] = [service]
    return Apprise(AppriseSettings(url="env:APPRISE"), service.tools)


def file(service: Service) -> Notifier:
    folder = service.directory if service.situation is TAKES_IT else service.directory / "missing"
    channel = LineFile(FileSettings(path=folder / "notices.jsonl"), service.tools)

    class Judged(LineFile):
        async def send(self, notice: Notice) -> None:
            await channel.send(notice)
            path = folder / "notices.jsonl"
            service.judge(next(notice_faults(json.loads(path.read_text())), ""))
            path.unlink()

    return Judged(FileSettings(path=folder / "notices.jsonl"), service.tools)


STAGES: dict[type[Notifier], Callable[[Service], Notifier]] = {
    Slack: slack,
    Sns: sns,
    PagerDuty: pagerduty,
    Email: email,
    Webhook: webhook,
    Apprise: through_apprise,
    LineFile: file,
}
WITHOUT_STATUS = {LineFile, Apprise}
"""They say whether they took it, and not why they did not."""
TELL_HOW_LONG = {Slack, PagerDuty, Webhook}


def cases() -> Iterator[Any]:
    """Every kind in every situation that it can meet."""
    for kind in NOTIFIERS:
        for situation in SITUATIONS:
            if kind not in WITHOUT_STATUS or situation in (TAKES_IT, AWAY):
                yield pytest.param(kind, situation, id=f"{kind.kind} {situation.name}")


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.mark.parametrize(("kind", "situation"), [*cases()])
async def test_every_channel_keeps_the_retry_table(
    kind: type[Notifier], situation: Situation, executor: Executor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service = Service(situation, executor, tmp_path)
    channel = STAGES[kind](service)
    if situation.permanent is None:
        await channel.send(NOTICE)
        assert (service.taken, service.faults) == (1, [])
        return
    with pytest.raises(NotifyError) as caught:
        await channel.send(NOTICE)
    assert (caught.value.permanent, caught.value.needs_mending) == (situation.permanent, situation.needs_mending)
    assert caught.value.reason
    if kind in TELL_HOW_LONG:
        assert caught.value.retry_after_s == situation.retry_after_s
    assert HIDDEN not in f"{caught.value} {caught.value!r} {channel!r} {caplog.text}"


ABOUT = {"outage": About.OUTAGE, "impaired": About.PROBER, "restored": About.PROBER, "test": About.CHANNEL}


@pytest.mark.parametrize("kind", NOTIFIERS, ids=lambda each: each.kind)
@pytest.mark.parametrize("told", NoticeKind)
async def test_every_channel_tells_every_kind_of_notice(
    kind: type[Notifier], told: NoticeKind, executor: Executor, tmp_path: Path
) -> None:
    service = Service(TAKES_IT, executor, tmp_path)
    about = ABOUT.get(told.partition("-")[0], About.ENDPOINT)
    verdict = Verdict.DEGRADED if about is About.ENDPOINT else None
    await STAGES[kind](service).send(replace(NOTICE, kind=told, about=about, verdict=verdict, fix="Do this."))
    assert (service.taken, service.faults) == (1, [])


@pytest.mark.parametrize("kind", [Slack, Webhook, PagerDuty, Email, Apprise], ids=lambda each: each.kind)
@pytest.mark.parametrize("passing", [True, False])
async def test_a_secret_that_is_not_to_be_had_is_said_by_its_reference_and_waited_for(
    kind: type[Notifier], passing: bool, executor: Executor, tmp_path: Path
) -> None:
    async def missing(reference: str) -> str:
        raise SecretError(f"{reference} is not to be had", passing=passing)

    channel = STAGES[kind](Service(TAKES_IT, executor, tmp_path))
    channel._tools = replace(channel._tools, secret=missing)
    with pytest.raises(NotifyError, match=r"^env:\w+ is not to be had$") as caught:
        await channel.send(NOTICE)
    assert (caught.value.permanent, caught.value.needs_mending) == (False, not passing)


@pytest.mark.parametrize("kind", [Slack, Webhook, PagerDuty, Apprise], ids=lambda each: each.kind)
async def test_a_secret_of_another_form_is_not_repeated(
    kind: type[Notifier], executor: Executor, tmp_path: Path
) -> None:
    async def other(_: str) -> str:
        return HIDDEN

    channel = STAGES[kind](Service(TAKES_IT, executor, tmp_path))
    channel._tools = replace(channel._tools, secret=other)
    with pytest.raises(NotifyError, match=r"^env:\w+ does not hold an? .*URL|^env:ROUTING does not hold") as caught:
        await channel.send(NOTICE)
    assert (caught.value.permanent, caught.value.needs_mending) == (False, True)
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize("kind", NOTIFIERS, ids=lambda each: each.kind)
def test_every_setting_has_a_description(kind: type[Notifier]) -> None:
    assert all(field.description for field in kind.settings.model_fields.values())


NASTY = (
    "", " ", "\n", "\r\n", "\r\nBcc: x@evil.example\r\n\r\n", "<!channel>", "<@U012345>", "<https://evil.example|Click>",
    "&amp;", "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "{{7*7}}", "${jndi:ldap://x}", "%s%n",
    "\x00", "\x1b[31m", "\u202eevil", "\u200b", "\ud800", "\udfff\ud800", "\U000e0041", "🔴" * 50, "ü" * 1200,
    "a" * 20_000, "x" * 998 + "\n.\n", ".", "..", "=?utf-8?b?YQ0KQmNjOiB4QHkueg0KDQo=?=",
    "\\" * 900, '"' * 900, "\u2028",
    "e\u0301" * 400, "﷽" * 400,
)  # fmt: skip
HOSTILE = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=60),
    st.tuples(st.sampled_from(NASTY), st.sampled_from(NASTY)).map("".join),
)
STRINGS = int(os.environ.get("PROBER_STRINGS", "2000"))
IN_EACH = 10
"""Strings of a notice."""


@st.composite
def hostile_notices(draw: st.DrawFn) -> Notice:
    name, diagnosis, title, fix, label, value, *lines = (draw(HOSTILE) for _ in range(IN_EACH))
    return replace(
        NOTICE,
        kind=draw(st.sampled_from(NoticeKind)),
        about=draw(st.sampled_from(About)),
        severity=draw(st.sampled_from(Severity)),
        endpoint=name,
        diagnosis=diagnosis,
        title=title,
        lines=tuple(lines) * draw(st.sampled_from([0, 1, 1, 9])),
        fix=fix,
        labels={label: value, "team": value},
    )


@pytest.mark.timeout(60 + STRINGS / 50)
def test_of_thousands_of_hostile_strings_no_service_refuses_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor, asyncio.Runner() as runner:
        services = {kind: Service(TAKES_IT, executor, tmp_path) for kind in [*STAGES, "sns as text"]}
        channels = [stage(services[kind]) for kind, stage in STAGES.items()]
        channels.append(sns_text(services["sns as text"]))
        sent = 0

        @settings(max_examples=STRINGS // IN_EACH, deadline=None, database=None, suppress_health_check=[*HealthCheck])
        @given(notice=hostile_notices())
        def tell(notice: Notice) -> None:
            nonlocal sent
            sent += 1
            for service in services.values():
                service.faults.clear()
            for channel in channels:
                runner.run(channel.send(notice))
            assert {kind: each.faults for kind, each in services.items() if each.faults} == {}

        tell()
    assert sent * IN_EACH >= STRINGS
    assert {each.taken for each in services.values()} == {sent}
