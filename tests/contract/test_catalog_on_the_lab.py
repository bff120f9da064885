"""Every scenario of the lab, probed for real over loopback: the right verdict and the one right diagnosis."""

import asyncio
from collections.abc import Mapping

import pytest

from checks.model import Effect, Endpoint, Expectation, Outcome, ProbeReport, Sentinel
from checks.spec import Transport
from prober.app.once import probe_once
from prober.lab.faults import SCENARIOS
from prober.lab.lab import Lab
from prober.lab.scenario import Scenario

AT_ONCE = 4
"""Few enough that arrival times mean something on a small machine."""

HEALTHY = [scenario for scenario in SCENARIOS if scenario.healthy]


@pytest.fixture(scope="module")
def reports() -> Mapping[str, ProbeReport]:
    """One report per scenario. They are probed once, because every cold start and every timeout takes its time."""
    return asyncio.run(_probe_all())


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
def test_no_check_warns_on_a_healthy_lab(scenario: Scenario, reports: Mapping[str, ProbeReport]) -> None:
    report = reports[scenario.id]

    assert {result.outcome for result in report.results} <= {Outcome.PASS, Outcome.SKIP}, _story(report)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_every_diagnosis_of_the_lab_can_be_reproduced(scenario: Scenario, reports: Mapping[str, ProbeReport]) -> None:
    for diagnosis in reports[scenario.id].diagnoses:
        assert diagnosis.reproduce.startswith("curl ") is (diagnosis.effect is not Effect.UNKNOWN)
        assert diagnosis.evidence
        assert diagnosis.effect is Effect.INFORMATION or diagnosis.fix


async def _probe_all() -> dict[str, ProbeReport]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(scenario: Scenario, url: str) -> ProbeReport:
        async with turns:
            return await probe_once(_endpoint(scenario, url))

    async with Lab(SCENARIOS) as lab:
        probes = [one(scenario, lab.url(scenario.id)) for scenario in SCENARIOS]
        reports = await asyncio.gather(*probes)
    return {scenario.id: report for scenario, report in zip(SCENARIOS, reports, strict=True)}


def _endpoint(scenario: Scenario, url: str) -> Endpoint:
    hints = scenario.options
    transport = hints.get("transport")
    return Endpoint(
        name=scenario.id,
        url=url,
        timeout_s=hints.get("timeout_s", 10.0),
        transport=Transport(transport) if transport else None,
        protocol_version=hints.get("protocol_version"),
        expected_tools=tuple(hints.get("expected_tools", ())),
        sentinels=tuple(
            Sentinel(tool=each["tool"], arguments=each["arguments"], expect=Expectation(**each["expect"]))
            for each in hints.get("sentinels", ())
        ),
        streaming=hints.get("streaming"),
        headers=hints.get("headers", {}),
    )


def _story(report: ProbeReport) -> str:
    """What a failing test prints: every check and every exchange, in order."""
    checks = [f"{result.check}: {result.outcome.value}: {result.summary}" for result in report.results]
    exchanges = [
        f"  {each.id} {each.rpc_method or each.method} → {each.status} {each.body[:80]!r}" for each in report.exchanges
    ]
    causes = [f"{each.id}: {each.summary}" for each in report.diagnoses]
    return "\n".join(["", *checks, *exchanges, *causes])
