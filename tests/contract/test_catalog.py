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


def test_every_fault_of_the_lab_has_its_detector() -> None:
    detectors = {detector.id: detector for detector in DETECTORS}

    for scenario in SCENARIOS:
        if scenario.diagnosis is not None:
            effect = detectors[scenario.diagnosis].effect
            assert scenario.verdict == ("up" if effect is Effect.INFORMATION else effect.value), scenario.id


def test_the_catalog_loads_nothing_heavy() -> None:
    heavy = {"asyncio", "pydantic", "httpx", "ssl", "sqlalchemy", "jsonschema"}
    script = f"import sys, checks.catalog; print(*sorted({heavy} & set(sys.modules)))"

    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert loaded == []
