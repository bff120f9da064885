"""What every check and every detector of the catalog keeps, whoever writes the next one."""

import re
import subprocess
import sys
from collections import Counter

import pytest

from checks.catalog import CHECKS, DETECTORS
from checks.model import Effect, Profile
from checks.unit import Check, Detector
from prober.lab.faults import SCENARIOS
from prober.lab.scenario import Scenario

POSSIBLE = {
    Effect.DOWN: {"down", "degraded", "unknown"},
    Effect.DEGRADED: {"degraded", "up"},
    Effect.UNKNOWN: {"unknown"},
    Effect.INFORMATION: {"up"},
}
"""The verdicts of a scenario by the effect of its detector. What is seen in one tool or on some connections alone
degrades, at most; what no client suffers from is information; what is the prober's own doing is no outage."""


def test_ids_are_unique_and_can_stand_in_a_url() -> None:
    ids = [each.id for each in (*CHECKS, *DETECTORS)]

    assert not [each for each, count in Counter(ids).items() if count > 1]
    assert all(re.fullmatch(r"[a-z]+([-_][a-z]+)*", each) for each in ids)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_asks_a_question(check: Check) -> None:
    assert check.question.endswith("?")
    assert Profile.FULL in check.profiles


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.id)
def test_a_detector_names_a_fault_in_one_sentence(detector: Detector) -> None:
    assert detector.fault.endswith(".")
    assert detector.fault[0].isupper()


def test_fallbacks_come_last_and_never_merely_inform() -> None:
    fallback = [detector.fallback for detector in DETECTORS]

    assert fallback == sorted(fallback)
    assert all(each.effect is not Effect.INFORMATION for each in DETECTORS if each.fallback)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.id)
def test_a_detector_has_a_fault_in_the_lab_that_does_not_come_and_go(detector: Detector) -> None:
    assert [scenario.id for scenario in SCENARIOS if scenario.steady and detector.id in scenario.diagnoses]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_a_scenario_of_the_lab_names_detectors_and_a_verdict_that_theirs_can_bring_about(scenario: Scenario) -> None:
    effects = {detector.id: detector.effect for detector in DETECTORS}

    assert set(scenario.diagnoses) <= effects.keys()
    if scenario.diagnosis is not None:
        assert scenario.verdict in POSSIBLE[effects[scenario.diagnosis]]


def test_the_catalog_loads_nothing_heavy() -> None:
    heavy = {"asyncio", "pydantic", "httpx", "ssl", "sqlalchemy", "jsonschema"}
    script = f"import sys, checks.catalog; print(*sorted({heavy} & set(sys.modules)))"

    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert loaded == []
