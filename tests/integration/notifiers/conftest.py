"""The other side of the channels: sinks that enforce real limits, SNS with SQS as moto plays them; and what channels
are built with."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from checks.model import Verdict
from prober.clock import SystemClock
from prober.incidents.notice import Notice, NoticeKind
from prober.incidents.rules import Severity
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.notifiers.contract import Tools
from prober.secrets.references import SecretError
from tests.integration.notifiers.sink import SlackSink, open_sink
from tests.integration.wire.scripted import Certificates, make_certificates


@pytest.fixture
def slack_sink() -> Iterator[SlackSink]:
    with open_sink() as sink:
        yield sink


@pytest.fixture(autouse=True)
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def open_tools(executor: ThreadPoolExecutor) -> Callable[..., Tools]:
    """What channels are built with: a real network behind a guard that allows loopback, and the given secrets."""

    def made(policy: GuardPolicy | None = None, **secrets: str) -> Tools:
        async def secret(reference: str) -> str:
            name = reference.removeprefix("env:")
            if name not in secrets:
                raise SecretError(f"{reference} is not set")
            return secrets[name]

        net = Net(policy or GuardPolicy(allow_cidrs=("127.0.0.0/8", "::1/128")), clock=SystemClock())
        url = "https://prober.example"
        return Tools(net=net, secret=secret, executor=executor, clock=SystemClock(), public_url=url)

    return made


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def trusted(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The authority, which the channels believe."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    return certificates.authority


@pytest.fixture(scope="session")
def make_notice() -> Callable[..., Notice]:
    at = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    plain = Notice(
        id=UUID(int=7),
        kind=NoticeKind.OPENED,
        endpoint="orders",
        severity=Severity.CRITICAL,
        verdict=Verdict.DOWN,
        diagnosis="not-mcp",
        title="orders is down",
        lines=("It answers, but not with MCP (not-mcp)", "Evidence: a body of <html>"),
        fix="Install the adapter.",
        since=at,
        at=at,
        thread=UUID(int=8),
        path="/probes/9",
        labels={"team": "shop"},
    )
    return lambda **changes: replace(plain, **changes)
