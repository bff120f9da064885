"""Who is asked when an endpoint fails, how often, and what becomes of the report."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from checks.catalog import DETECTORS
from checks.judgement import diagnose, verdict_of
from checks.model import CheckResult, Endpoint, Evidence, Exchange, Failure, Outcome, ProbeReport, Verdict
from checks.observing import unknown_reason
from prober.net.failures import NetError
from prober.probing.loop_lag import LoopLag
from prober.probing.observer import Vantage
from prober.settings import ObserverSettings
from prober.vitals import Vitals
from tests.unit.checks.conversations import discovered, failed, opened, refused, tool_page
from tests.unit.probing.clocks import HandClock

SLOT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NAMED = ObserverSettings(canaries=("192.0.2.1:443",))
FUNCTION = "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws/mcp"


class Delays(LoopLag):
    """Says what the test wants it to say."""

    worst = 0.0
    lost = 0.0

    def worst_ms(self, since: float) -> float:
        del since
        return self.worst

    def lost_ms(self, since: float) -> float:
        del since
        return self.lost


@dataclass
class World:
    """A prober in a network that the test breaks."""

    settings: ObserverSettings = NAMED
    is_up: bool = True
    asked: list[str] = field(default_factory=list)
    clock: HandClock = field(default_factory=HandClock)
    vitals: Vitals = field(default_factory=Vitals)

    def __post_init__(self) -> None:
        self.lag = Delays(self.clock, self.vitals)
        self.vantage = Vantage(
            settings=lambda: self.settings, reach=self.reach, lag=self.lag, clock=self.clock, vitals=self.vitals
        )

    async def reach(self, host: str, port: int) -> None:
        self.asked.append(f"{host}:{port}")
        await asyncio.sleep(0)
        if not self.is_up:
            raise NetError(Failure.CONNECT, "timeout", "no answer")

    async def fails(
        self, name: str = "orders", failure: Failure = Failure.CONNECT, lasting_ms: float = 5.0
    ) -> ProbeReport:
        return await self.judged(name, failed(failure, "timeout"), lasting_ms=lasting_ms)

    async def works(self, name: str = "orders", **more: str) -> ProbeReport:
        opening = opened(replace(discovered(), **more))
        results = (
            CheckResult(check="lifecycle", outcome=Outcome.PASS, summary="", exchanges=opening.exchanges),
            CheckResult(check="tools_list", outcome=Outcome.PASS, summary="", exchanges=(tool_page("add"),)),
        )
        return await self._judged(Evidence(endpoint=endpoint(name), opening=opening, results=results))

    async def judged(self, name: str, *exchanges: Exchange, lasting_ms: float = 5.0) -> ProbeReport:
        lifecycle = CheckResult(check="lifecycle", outcome=Outcome.FAIL, summary="", exchanges=exchanges)
        evidence = Evidence(endpoint=endpoint(name), opening=refused(*exchanges), results=(lifecycle,))
        return await self._judged(evidence, lasting_ms)

    async def _judged(self, evidence: Evidence, lasting_ms: float = 5.0) -> ProbeReport:
        diagnoses, _ = diagnose(evidence, DETECTORS)
        report = ProbeReport(
            endpoint=evidence.endpoint.name,
            slot=SLOT,
            started_at=SLOT,
            duration_ms=lasting_ms,
            verdict=verdict_of(evidence.results, diagnoses),
            opening=evidence.opening,
            results=evidence.results,
            diagnoses=diagnoses,
        )
        return (await self.vantage.judge(report, evidence)).report


def endpoint(name: str) -> Endpoint:
    return Endpoint(name=name, url=FUNCTION)


async def fleet(world: World, size: int) -> None:
    for number in range(size):
        await world.works(f"other-{number}")


async def test_healthy_endpoints_ask_once_whether_there_are_canaries() -> None:
    world = World()
    await fleet(world, 20)
    world.clock.at += 3600.0
    await fleet(world, 20)
    assert world.asked == ["192.0.2.1:443"]


async def test_an_endpoint_that_fails_alone_is_down() -> None:
    world = World()
    assert (await world.fails()).verdict is Verdict.DOWN
    assert world.asked == ["192.0.2.1:443"]
    assert world.vitals.troubles == {}


async def test_without_a_network_nobody_is_down_and_the_prober_is_in_trouble() -> None:
    world = World(is_up=False)
    reports = [await world.fails(f"other-{number}") for number in range(20)]
    assert {each.verdict for each in reports} == {Verdict.UNKNOWN}
    assert {unknown_reason(each) for each in reports} == {"no-connectivity"}
    assert world.asked == ["192.0.2.1:443"], "whoever fails meanwhile fails for the same reason"
    assert world.vitals.troubles == {"no-connectivity": "No network: none of the canaries answers (192.0.2.1:443)"}
    assert world.vitals.counters["unknowns", "no-connectivity"] == 20


async def test_one_dead_endpoint_of_many_asks_at_most_every_ten_seconds() -> None:
    world = World()
    await fleet(world, 20)
    for _ in range(60):
        assert (await world.fails("dead")).verdict is Verdict.DOWN
        world.clock.at += 1.0
    assert len(world.asked) <= 6


async def test_an_endpoint_that_worked_until_now_gets_an_answer_of_its_own_time() -> None:
    world = World()
    await fleet(world, 20)
    await world.fails("dead")
    world.clock.at += 3.0
    world.is_up = False
    assert (await world.fails("other-1")).verdict is Verdict.UNKNOWN


async def test_the_trouble_ends_with_the_first_canary_that_answers() -> None:
    world = World(is_up=False)
    await world.fails()
    world.is_up = True
    world.clock.at += 10.0
    await world.vantage.look_again()
    assert world.vitals.troubles == {}
    assert (await world.fails()).verdict is Verdict.DOWN


async def test_nobody_is_asked_again_while_all_is_well() -> None:
    world = World()
    await world.fails()
    world.clock.at += 100.0
    await world.vantage.look_again()
    assert len(world.asked) == 1


async def test_canaries_that_are_silent_while_endpoints_answer_are_not_believed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(is_up=False)
    assert (await world.fails("dead")).verdict is Verdict.UNKNOWN
    world.clock.at += 7.0
    await world.works("other")
    assert "are not believed until one does" in caplog.text
    assert world.vitals.troubles == {}
    world.clock.at += 7.0
    assert (await world.fails("dead")).verdict is Verdict.DOWN

    asked = len(world.asked)
    await world.vantage.look_again()
    assert len(world.asked) == asked, "who never answers is asked rarely"
    world.is_up = True
    world.clock.at += 301.0
    await world.vantage.look_again()
    world.is_up = False
    world.clock.at += 20.0
    assert (await world.fails("dead")).verdict is Verdict.UNKNOWN, "they answered once, so that their silence counts"


async def test_public_canaries_are_asked_about_public_endpoints_alone() -> None:
    world = World(settings=ObserverSettings(), is_up=False)
    inside = await world.judged("inside", failed(Failure.CONNECT, "timeout", remote_address="10.1.2.3"))
    local = await world.judged("local", failed(Failure.CONNECT, "refused", url="http://localhost:8000/mcp"))
    assert (inside.verdict, local.verdict) == (Verdict.DOWN, Verdict.DOWN)
    assert world.asked == []

    assert (await world.fails()).verdict is Verdict.UNKNOWN
    assert world.asked == ["one.one.one.one:443", "dns.google:443", "sts.eu-central-1.amazonaws.com:443"]


async def test_an_empty_list_asks_nobody() -> None:
    world = World(settings=ObserverSettings(canaries=()), is_up=False)
    assert (await world.fails()).verdict is Verdict.DOWN
    assert world.asked == []


async def test_a_timeout_of_a_prober_that_was_held_up_is_unknown_and_asks_nobody() -> None:
    world = World()
    world.lag.worst = world.lag.lost = 2000.0
    report = await world.fails(failure=Failure.DEADLINE)
    assert report.verdict is Verdict.UNKNOWN
    assert unknown_reason(report) == "observer-lag"
    assert report.observer.lag_ms == 2000.0
    assert world.asked == []


async def test_a_delay_below_the_limit_is_noted_and_changes_nothing() -> None:
    world = World()
    world.lag.worst = 249.0
    report = await world.works()
    assert report.observer.lag_ms == 249.0
    assert not report.observer.is_late
    world.lag.worst = 251.0
    assert (await world.works()).observer.is_late


async def test_a_certificate_that_seems_expired_by_a_wrong_clock_of_ours_is_unknown() -> None:
    world = World()
    expired = failed(Failure.TLS, "expired")
    assert (await world.judged("orders", expired)).verdict is Verdict.DOWN
    world.vantage.set_clock_apart(365 * 86400.0)
    report = await world.judged("orders", expired)
    assert report.verdict is Verdict.UNKNOWN
    assert unknown_reason(report) == "clock-skew"
    world.vantage.set_clock_apart(-2.0)
    assert (await world.judged("orders", expired)).verdict is Verdict.DOWN
    assert world.asked == []


async def test_an_endpoint_whose_secret_is_missing_is_a_trouble_after_three_probes() -> None:
    world = World()
    missing = failed(Failure.OBSERVER, "secret")
    for _ in range(2):
        assert (await world.judged("orders", missing)).verdict is Verdict.UNKNOWN
    assert world.vitals.troubles == {}
    await world.judged("orders", missing)
    assert world.vitals.troubles == {"secret": "Endpoints cannot be observed (secret): orders"}
    for _ in range(3):
        await world.judged("billing", missing)
    assert world.vitals.troubles == {"secret": "Endpoints cannot be observed (secret): billing and 1 more"}
    await world.works("orders")
    await world.works("billing")
    assert world.vitals.troubles == {}


async def test_an_endpoint_that_is_no_longer_probed_is_no_trouble() -> None:
    world = World()
    for _ in range(3):
        await world.judged("removed", failed(Failure.OBSERVER, "secret"))
    world.clock.at += 599.0
    await world.vantage.look_again()
    assert world.vitals.troubles == {"secret": "Endpoints cannot be observed (secret): removed"}
    world.clock.at += 2.0
    await world.vantage.look_again()
    assert world.vitals.troubles == {}


async def test_endpoints_that_are_no_longer_probed_do_not_count_among_those_that_fail() -> None:
    world = World()
    await fleet(world, 8)
    for number in range(8):
        await world.fails(f"removed-{number}")
    world.clock.at += 601.0
    await fleet(world, 8)
    await world.vantage.look_again()
    await world.fails()
    asked = len(world.asked)
    world.clock.at += 6.0  # more than canaries are believed while many fail, less than where one does
    await world.fails()
    assert len(world.asked) == asked


async def test_canaries_that_a_firewall_keeps_away_hide_no_outage_of_the_only_endpoint() -> None:
    world = World(is_up=False)
    assert (await world.works()).verdict is Verdict.UP
    world.clock.at += 60.0
    assert (await world.fails()).verdict is Verdict.DOWN
    assert world.vitals.troubles == {}


async def test_a_name_of_the_inside_that_is_gone_is_not_excused_by_an_internet_that_never_was_there() -> None:
    world = World(settings=ObserverSettings(), is_up=False)
    await world.works("inside", remote_address="10.1.2.3")
    gone = failed(Failure.DNS, "not-found", url="https://orders.internal/mcp")
    world.clock.at += 60.0
    assert (await world.judged("inside", gone)).verdict is Verdict.DOWN
    assert world.vitals.troubles == {}

    world.is_up = True
    world.clock.at += 301.0
    await world.vantage.look_again()
    world.is_up = False
    world.clock.at += 60.0
    assert (await world.judged("inside", gone)).verdict is Verdict.UNKNOWN, "they answered once"


async def test_a_short_delay_does_not_excuse_a_server_that_never_answers() -> None:
    world = World()
    world.lag.worst = world.lag.lost = 300.0
    report = await world.fails(failure=Failure.DEADLINE, lasting_ms=10_000.0)
    assert (report.verdict, report.observer.is_late) == (Verdict.DOWN, True)
    world.lag.lost = 1500.0
    assert unknown_reason(await world.fails(failure=Failure.DEADLINE, lasting_ms=10_000.0)) == "observer-lag"
