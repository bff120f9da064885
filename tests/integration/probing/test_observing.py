"""Faults of the prober's own, on real sockets: none of them is told as one of an endpoint's."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from checks.model import Endpoint, Evidence, Failure, ProbeReport, Verdict
from checks.observing import unknown_reason
from prober.clock import SystemClock
from prober.lab.lab import Lab
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.stateless import StatelessServer
from prober.limits import Limits
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.net.resolver import Resolver
from prober.probing.loop_lag import LoopLag
from prober.probing.observer import FRESH_S, Vantage
from prober.probing.runner import Assignment, probe
from prober.settings import ObserverSettings
from prober.vitals import Vitals
from tests.integration.probing.servers import serving

POLICY = GuardPolicy(allow_private=True)


class JumpingClock(SystemClock):
    """A wall clock that is set now and then."""

    def __init__(self) -> None:
        self.jump = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.jump


class Prober:
    """Probes and judges, as a worker does, with canaries that the test names."""

    def __init__(self, *canaries: str, clock: SystemClock | None = None, net: Net | None = None) -> None:
        self.clock = clock or SystemClock()
        self.vitals = Vitals()
        self.net = net or Net(POLICY, clock=self.clock)
        self.lag = LoopLag(self.clock, self.vitals)
        self.vantage = Vantage(
            settings=lambda: ObserverSettings(canaries=canaries),
            reach=self.reach,
            lag=self.lag,
            clock=self.clock,
            vitals=self.vitals,
        )

    async def reach(self, host: str, port: int) -> None:
        (await self.net.open_socket(host, port, confidential=False)).close()

    @asynccontextmanager
    async def measuring(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.lag.keep_measuring())
        await asyncio.sleep(0.1)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def probe(self, name: str, url: str, **more: Any) -> ProbeReport:
        endpoint = Endpoint(**{"name": name, "url": url, "timeout_s": 3.0, **more})
        assignment = Assignment(endpoint=endpoint, slot=datetime.now(UTC))
        report = await probe(assignment, net=self.net, clock=self.clock)
        evidence = Evidence(endpoint=endpoint, opening=report.opening, results=report.results)
        return (await self.vantage.judge(report, evidence)).report

    async def probe_all(self, urls: list[str], **more: Any) -> list[ProbeReport]:
        return await asyncio.gather(*(self.probe(f"e{number}", url, **more) for number, url in enumerate(urls)))


@asynccontextmanager
async def place() -> AsyncIterator[str]:
    """Something that takes connections, for as long as the test lets it."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def scenarios(count: int) -> list[Scenario]:
    return [
        Scenario(id=f"s{number}", title="for a test", verdict="up", front=Front.HTTP, build=StatelessServer)
        for number in range(count)
    ]


@contextmanager
def closed_port() -> Iterator[str]:
    """The address of a port that is held for as long as it has to be closed."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/mcp"


async def test_servers_that_die_together_with_the_canaries_are_not_down() -> None:
    async with place() as one, place() as two:
        prober = Prober(one, two)
        async with Lab(scenarios(10)) as lab:
            urls = [lab.url(each.id) for each in scenarios(10)]
            before = await prober.probe_all(urls)
    await asyncio.sleep(FRESH_S)  # until then, what the canaries answered to begin with counts
    during = await prober.probe_all(urls)
    assert {each.verdict for each in before} == {Verdict.UP}
    assert {each.verdict for each in during} == {Verdict.UNKNOWN}
    assert {unknown_reason(each) for each in during} == {"no-connectivity"}
    assert list(prober.vitals.troubles) == ["no-connectivity"]


async def test_a_server_that_dies_alone_is_down() -> None:
    async with place() as one, serving(StatelessServer()) as (_, well):
        prober = Prober(one)
        with closed_port() as dead:
            reports = await prober.probe_all([well, dead])
    assert [each.verdict for each in reports] == [Verdict.UP, Verdict.DOWN]
    assert [each.id for each in reports[1].diagnoses] == ["connect-failure"]
    assert prober.vitals.troubles == {}


async def test_fifty_healthy_servers_stay_up_or_unknown_while_the_loop_is_held_up_for_two_seconds() -> None:
    prober = Prober()
    async with Lab(scenarios(50)) as lab, prober.measuring():
        urls = [lab.url(each.id) for each in scenarios(50)]
        probing = asyncio.create_task(prober.probe_all(urls, timeout_s=1.5))
        await asyncio.sleep(0.05)
        time.sleep(2.0)  # noqa: ASYNC251 - the loop is to be held up
        reports = await probing
    verdicts = {each.verdict for each in reports}
    assert verdicts <= {Verdict.UP, Verdict.UNKNOWN}
    assert Verdict.UNKNOWN in verdicts, "a deadline of 1.5 s ends within the 2 s"
    assert all(each.observer.is_late and each.observer.lag_ms >= 1500 for each in reports)
    assert {unknown_reason(each) for each in reports if each.verdict is Verdict.UNKNOWN} == {"observer-lag"}


async def test_a_loop_in_order_flags_nothing() -> None:
    prober = Prober()
    async with serving(StatelessServer()) as (_, url), prober.measuring():
        reports = [await prober.probe("orders", url) for _ in range(5)]
    assert {each.verdict for each in reports} == {Verdict.UP}
    assert not all(each.observer.is_late for each in reports), "a busy machine may hold it up once"


def with_names(prober_clock: SystemClock, lookup: Callable[..., list[Any]], limits: Limits) -> Net:
    return Net(POLICY, clock=prober_clock, limits=limits, resolver=Resolver(limits, lookup=lookup))


async def test_dead_names_beside_healthy_servers_take_nothing_from_them() -> None:
    def lookup(host: str, port: int, **_: Any) -> list[Any]:
        if host.startswith("dead"):
            time.sleep(1.0)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    clock = SystemClock()
    async with place() as canary, Lab(scenarios(12)) as lab:
        prober = Prober(canary, clock=clock, net=with_names(clock, lookup, Limits(dns_s=0.5)))
        well = [lab.url(each.id).replace("127.0.0.1", "localhost") for each in scenarios(12)]
        dead = [f"http://dead-{number}.example/mcp" for number in range(12)]
        reports = await prober.probe_all([*dead, *well])
    assert {each.verdict for each in reports[:12]} == {Verdict.DOWN}
    assert {each.verdict for each in reports[12:]} == {Verdict.UP}


async def test_a_starved_resolver_is_our_own_fault() -> None:
    def lookup(host: str, port: int, **_: Any) -> list[Any]:
        del host, port
        time.sleep(1.0)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    clock = SystemClock()
    prober = Prober(clock=clock, net=with_names(clock, lookup, Limits(dns_s=0.3, dns_threads=1)))
    reports = await prober.probe_all([f"http://dead-{number}.example/mcp" for number in range(4)])
    reasons = [unknown_reason(each) for each in reports]
    assert reasons.count("resolver-starved") >= 2
    assert all(each.opening.exchanges[0].transport_error.failure in (Failure.OBSERVER, Failure.DNS) for each in reports)


async def test_durations_are_measured_by_a_clock_that_nobody_sets() -> None:
    clock = JumpingClock()
    prober = Prober(clock=clock)
    for jump in (timedelta(hours=-1), timedelta(days=365), timedelta(minutes=-5)):
        async with serving(jumping(clock, jump)) as (_, url):
            report = await prober.probe("orders", url)
        assert report.verdict is Verdict.UP
        assert 0 <= report.duration_ms < 3000
        for exchange in report.opening.exchanges:
            assert 0 <= exchange.offset_ms <= report.duration_ms
            assert exchange.timings.total_ms >= 0


def jumping(clock: JumpingClock, jump: timedelta) -> Callable[[Any], Awaitable[Any]]:
    server = StatelessServer()

    async def answer(request: Any) -> Any:
        clock.jump += jump
        return await server(request)

    return answer
