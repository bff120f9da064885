"""Every scenario of the lab, probed for real over loopback: the right verdict and the one right diagnosis."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from checks.catalog import CHECKS
from checks.inventory import Inventory, inventory_of
from checks.model import (
    ColdStart,
    Effect,
    Endpoint,
    Expectation,
    History,
    OAuth,
    OnRequest,
    Outcome,
    ProbeReport,
    Profile,
    Sentinel,
    SigV4,
)
from checks.spec import Era, Transport
from checks.tool_memory import Deploy, Reading, ToolMemory, after_probe
from checks.unit import Check
from prober.app.once import probe_once
from prober.lab.credentials import AWS_ENVIRONMENT, ENVIRONMENT
from prober.lab.faults import SCENARIOS
from prober.lab.lab import Lab
from prober.lab.scenario import HistoryHint, Scenario

AT_ONCE: Final = 4
"""Few enough that arrival times mean something on a small machine."""

HEALTHY: Final = [scenario for scenario in SCENARIOS if scenario.healthy]
FAULTY: Final = [scenario for scenario in SCENARIOS if not scenario.healthy and scenario.steady]
PLAIN_FAULTS: Final = [scenario for scenario in FAULTY if scenario.profile == Profile.STANDARD]
GOOD: Final = {Outcome.PASS, Outcome.SKIP}


@pytest.fixture(scope="module")
def secrets() -> Iterator[None]:
    """The environment that the lab's protected servers ask of a prober."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**ENVIRONMENT, **AWS_ENVIRONMENT}.items():
            environment.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def reports(secrets: None) -> Mapping[str, ProbeReport]:
    """One report per scenario. They are probed once, because every cold start and every timeout takes its time."""
    del secrets
    return asyncio.run(_probe(SCENARIOS, _profile))


@pytest.fixture(scope="module")
def full_reports(secrets: None) -> Mapping[str, ProbeReport]:
    """What a full probe makes of the faults that a standard one finds."""
    del secrets
    return asyncio.run(_probe(PLAIN_FAULTS, lambda _: Profile.FULL))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_the_lab_scenario_gets_its_verdict(scenario: Scenario, reports: Mapping[str, ProbeReport]) -> None:
    report = reports[scenario.id]

    assert report.verdict == scenario.verdict, _story(report)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_the_lab_scenario_gets_its_diagnoses_and_no_other(
    scenario: Scenario, reports: Mapping[str, ProbeReport]
) -> None:
    report = reports[scenario.id]

    assert tuple(each.id for each in report.diagnoses) == scenario.diagnoses, _story(report)


@pytest.mark.parametrize("scenario", HEALTHY, ids=lambda scenario: scenario.id)
def test_no_check_of_the_full_profile_warns_on_a_healthy_lab(
    scenario: Scenario, reports: Mapping[str, ProbeReport]
) -> None:
    report = reports[scenario.id]

    assert {result.check for result in report.results} == {check.id for check in CHECKS}
    assert {result.outcome for result in report.results} <= GOOD, _story(report)
    assert not [finding for result in report.results for finding in result.findings], _story(report)


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each.warns], ids=lambda scenario: scenario.id)
def test_a_fault_without_a_diagnosis_is_told_by_its_check_alone(
    scenario: Scenario, reports: Mapping[str, ProbeReport]
) -> None:
    results = reports[scenario.id].results

    told = tuple(result.check for result in results if result.outcome not in GOOD)
    assert told == scenario.warns, _story(reports[scenario.id])
    assert all(result.findings for result in results if result.check in told), _story(reports[scenario.id])


@pytest.mark.parametrize("scenario", PLAIN_FAULTS, ids=lambda scenario: scenario.id)
def test_a_full_probe_finds_in_a_fault_what_a_standard_one_does(
    scenario: Scenario, full_reports: Mapping[str, ProbeReport]
) -> None:
    report = full_reports[scenario.id]

    assert report.verdict == scenario.verdict, _story(report)
    assert tuple(each.id for each in report.diagnoses) == scenario.diagnoses, _story(report)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_is_content_with_a_healthy_server_and_not_with_a_faulty_one(
    check: Check, reports: Mapping[str, ProbeReport]
) -> None:
    contented = [each.id for each in HEALTHY if _outcome(reports[each.id], check) is Outcome.PASS]
    discontented = [each.id for each in FAULTY if _outcome(reports[each.id], check) in (Outcome.WARN, Outcome.FAIL)]

    assert contented
    assert discontented


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_every_diagnosis_of_the_lab_can_be_reproduced(scenario: Scenario, reports: Mapping[str, ProbeReport]) -> None:
    for diagnosis in reports[scenario.id].diagnoses:
        assert diagnosis.reproduce.startswith("curl ") is (diagnosis.effect is not Effect.UNKNOWN)
        assert diagnosis.evidence
        assert diagnosis.effect is Effect.INFORMATION or diagnosis.fix


async def _probe(scenarios: Sequence[Scenario], profile: Callable[[Scenario], Profile]) -> dict[str, ProbeReport]:
    """A report of each. One process plays all servers and asks them, so that one may wait for another: what is not as
    it should be is asked once more by itself, of servers that are new."""
    reports = await _probe_together(scenarios, profile)
    for scenario in scenarios:
        if not _is_as_it_should_be(scenario, reports[scenario.id]):
            reports |= await _probe_together([scenario], profile)
    return reports


def _is_as_it_should_be(scenario: Scenario, report: ProbeReport) -> bool:
    found = tuple(each.id for each in report.diagnoses)
    contented = all(each.outcome in GOOD and not each.findings for each in report.results)
    return (report.verdict, found) == (scenario.verdict, scenario.diagnoses) and (contented or not scenario.healthy)


async def _probe_together(
    scenarios: Sequence[Scenario], profile: Callable[[Scenario], Profile]
) -> dict[str, ProbeReport]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(scenario: Scenario, url: str) -> ProbeReport:
        async with turns:
            return await probe_once(_endpoint(scenario, url), profile=profile(scenario), history=_history(scenario))

    async with Lab(scenarios) as lab:
        reports = await asyncio.gather(*(one(scenario, lab.url(scenario.id)) for scenario in scenarios))
    return {scenario.id: report for scenario, report in zip(scenarios, reports, strict=True)}


def _profile(scenario: Scenario) -> Profile:
    return Profile.FULL if scenario.healthy else Profile(scenario.profile)


def _endpoint(scenario: Scenario, url: str) -> Endpoint:
    """The endpoint as its owner would configure it. A healthy one is asked for all that can be asked for."""
    hints = scenario.options_at(url)
    transport, era = hints.get("transport"), hints.get("era")
    on_request = [*OnRequest] if scenario.healthy else hints.get("on_request", [])
    return Endpoint(
        name=scenario.id,
        url=url,
        timeout_s=hints.get("timeout_s", 10.0),
        transport=Transport(transport) if transport else None,
        era=Era(era) if era else None,
        protocol_version=hints.get("protocol_version"),
        expected_tools=tuple(hints.get("expected_tools", ())),
        sentinels=tuple(
            Sentinel(
                tool=each["tool"],
                arguments=each["arguments"],
                expect=Expectation(**each["expect"]),
                pinned=each.get("pinned"),
            )
            for each in hints.get("sentinels", ())
        ),
        streaming=hints.get("streaming"),
        headers=hints.get("headers", {}),
        on_request=tuple(OnRequest(each) for each in on_request),
        browser_origins=tuple(hints.get("browser_origins", ())),
        bearer=hints.get("bearer"),
        oauth=OAuth(**hints["oauth"]) if "oauth" in hints else None,
        sigv4=SigV4(**hints["sigv4"]) if "sigv4" in hints else None,
        token_header=hints.get("token_header", "Authorization"),
        client_timeout_s=hints.get("client_timeout"),
        slow_after_s=hints.get("slow_after"),
    )


def _history(scenario: Scenario) -> History:
    """What a monitor would remember of such a server."""
    hints, now = scenario.history, datetime.now(UTC)
    accepted = inventory_of(hints["accepted_tools"]) if "accepted_tools" in hints else None
    return History(
        warm_wait_ms=tuple(hints.get("warm_wait_ms", ())),
        usual_wait_ms=tuple(hints.get("usual_wait_ms", ())),
        cold_starts=tuple(
            ColdStart(at=now - timedelta(hours=6), answer_ms=each) for each in hints.get("cold_answer_ms", ())
        ),
        tools=_tools(hints, accepted, now),
        accepted=accepted,
    )


def _tools(hints: HistoryHint, accepted: Inventory | None, now: datetime) -> ToolMemory:
    memory = ToolMemory()
    for tools in hints.get("read_tools", ()):
        found = inventory_of(tools)
        reading = Reading(at=now, version=None, fingerprint=found.fingerprint, inventory=found)
        memory = after_probe(memory, reading, accepted=accepted.fingerprint if accepted else None)
    ago = hints.get("deployed_s_ago")
    deploys = () if ago is None else (Deploy(at=now - timedelta(seconds=ago), what="version 1 → 2"),)
    return replace(memory, deploys=deploys)


def _outcome(report: ProbeReport, check: Check) -> Outcome | None:
    return next((result.outcome for result in report.results if result.check == check.id), None)


def _story(report: ProbeReport) -> str:
    """What a failing test prints: every check and every exchange, in order."""
    checks = [
        "\n    ".join([f"{each.check}: {each.outcome.value}: {each.summary}", *(found.text for found in each.findings)])
        for each in report.results
    ]
    exchanges = [
        f"  {each.id} {each.rpc_method or each.method} → {each.status} {each.body[:80]!r}" for each in report.exchanges
    ]
    causes = [f"{each.id}: {each.summary}" for each in report.diagnoses]
    return "\n".join(["", *checks, *exchanges, *causes])
