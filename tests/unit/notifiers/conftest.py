"""A notice to send, and the tools to build channels with, none of which reaches a network."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from checks.model import Verdict
from prober.incidents.notice import Notice, NoticeKind
from prober.incidents.rules import Severity
from prober.notifiers.contract import Tools
from prober.secrets.vault import Vault

SINCE = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class StoppedClock:
    """Time that stands still."""

    def now(self) -> datetime:
        return SINCE

    def monotonic(self) -> float:
        return 0.0


class NoNet:
    """A network that must not be used."""

    async def post_json(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("this channel has no business with the network")


@pytest.fixture(scope="session")
def make_notice() -> Callable[..., Notice]:
    plain = Notice(
        id=UUID(int=7),
        kind=NoticeKind.OPENED,
        endpoint="orders",
        severity=Severity.CRITICAL,
        verdict=Verdict.DOWN,
        diagnosis="not-mcp",
        title="orders is down",
        lines=("It answers, but not with MCP (not-mcp)", "Evidence: a body of HTML", "Since then."),
        fix="Install the adapter:\n  layer: arn:aws:lambda:…",
        since=SINCE,
        at=SINCE + timedelta(minutes=3),
        thread=UUID(int=8),
        path="/probes/00000000-0000-0000-0000-000000000009",
    )
    return lambda **changes: replace(plain, **changes)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def tools(executor: ThreadPoolExecutor) -> Tools:
    secret, url = Vault().secret, "https://prober.example/"
    return Tools(net=NoNet(), secret=secret, executor=executor, clock=StoppedClock(), public_url=url)
