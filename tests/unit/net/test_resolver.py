"""Name lookups: bounded, under their own deadline, and not starved by names that hang."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from checks.model import Failure
from prober.limits import Limits
from prober.net.failures import NetError
from prober.net.resolver import Resolver


def info(address: str) -> tuple[Any, ...]:
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Set at the end, so that no lookup thread outlives its test."""
    event = threading.Event()
    yield event
    event.set()


async def test_an_address_is_not_looked_up() -> None:
    def lookup(*_: Any, **__: Any) -> list[Any]:
        raise AssertionError

    resolver = Resolver(Limits(), lookup=lookup)
    assert (await resolver.resolve("93.184.215.14", 443))[0][4] == ("93.184.215.14", 443)
    assert (await resolver.resolve("::1", 443))[0][4] == ("::1", 443, 0, 0)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "not-found"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "failed"),
        (UnicodeError("label too long"), "invalid-name"),
    ],
)
async def test_a_failed_lookup_says_how(cause: Exception, reason: str) -> None:
    def lookup(*_: Any, **__: Any) -> list[Any]:
        raise cause

    with pytest.raises(NetError) as failed:
        await Resolver(Limits(), lookup=lookup).resolve("gone.example", 80)
    assert (failed.value.error.failure, failed.value.error.reason) == (Failure.DNS, reason)
    assert "gone.example" in failed.value.error.detail


async def test_a_name_without_an_address_is_not_found() -> None:
    with pytest.raises(NetError, match="not-found"):
        await Resolver(Limits(), lookup=lambda *_, **__: []).resolve("empty.example", 80)


async def test_a_lookup_that_hangs_ends_at_its_deadline_and_delays_no_other(release: threading.Event) -> None:
    def lookup(host: str, *_: Any, **__: Any) -> list[Any]:
        if host == "dead.example":
            release.wait(10)
        return [info("192.0.2.1")]

    resolver = Resolver(Limits(dns_s=0.05, dns_threads=2), lookup=lookup)
    with pytest.raises(NetError) as failed:
        await resolver.resolve("dead.example", 80)
    assert (failed.value.error.failure, failed.value.error.reason) == (Failure.DNS, "timeout")
    assert await resolver.resolve("live.example", 80)


async def test_when_every_thread_hangs_we_are_impaired_and_not_the_endpoint(release: threading.Event) -> None:
    def lookup(*_: Any, **__: Any) -> list[Any]:
        release.wait(10)
        return []

    resolver = Resolver(Limits(dns_s=0.05, dns_threads=1), lookup=lookup)
    with pytest.raises(NetError, match="timeout"):
        await resolver.resolve("dead.example", 80)
    with pytest.raises(NetError) as failed:
        await resolver.resolve("live.example", 80)
    assert (failed.value.error.failure, failed.value.error.reason) == (Failure.OBSERVER, "resolver-starved")
