"""The other side of the channels: a webhook that enforces Slack's limits, and SNS with SQS as moto plays them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from urllib.request import Request, urlopen
from uuid import UUID

import pytest
from moto.server import ThreadedMotoServer

from checks.model import Verdict
from prober.incidents.notice import Notice, NoticeKind
from prober.incidents.rules import Severity
from tests.integration.notifiers.sink import SlackSink, open_sink


@pytest.fixture
def slack_sink() -> Iterator[SlackSink]:
    with open_sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def aws_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # Every such server in a process shows the same queues: those of other tests go.
    urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
    yield url
    server.stop()


@pytest.fixture(autouse=True)
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


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
    )
    return lambda **changes: replace(plain, **changes)
