"""CloudWatch as moto plays it, over a real socket, behind a gate that has the limits of the real one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.integration.metrics.gate import Gate, Server


@pytest.fixture(scope="module")
def moto(aws_url: str) -> tuple[str, int]:
    parts = urlsplit(aws_url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


@pytest.fixture
def gate(moto: tuple[str, int]) -> Iterator[Gate]:
    with Server(moto) as gate:
        yield gate


@pytest.fixture(autouse=True)
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool
