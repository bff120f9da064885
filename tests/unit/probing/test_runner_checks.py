"""Which checks run, in which order, and what a bug in one of them costs. The wire is a script."""

import logging

import pytest

from checks.catalog import CHECKS
from checks.judgement import verdict_of
from checks.model import CheckResult, Endpoint, Opening, Outcome, Profile, Verdict
from checks.unit import Check, CheckContext
from prober.probing.runner import run_checks
from tests.unit.checks.conversations import ScriptedWire

ENDPOINT = Endpoint(name="orders", url="https://orders.example/mcp")


def passing(check_id: str, *profiles: Profile) -> Check:
    async def run(context: CheckContext) -> CheckResult:
        before = ",".join(result.check for result in context.results)
        return CheckResult(check=check_id, outcome=Outcome.PASS, summary=f"after: {before}")

    return Check(check_id, "a question", frozenset(profiles or Profile), run)


def failing(bug: BaseException) -> Check:
    async def run(context: CheckContext) -> CheckResult:
        raise bug

    return Check("buggy", "a question", frozenset(Profile), run)


async def test_a_bug_in_a_check_costs_one_result_and_is_no_fault_of_the_endpoint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    checks = (passing("first"), failing(ValueError("no such key")), passing("last"))
    results = await run_checks(ENDPOINT, ScriptedWire(Opening()), Profile.STANDARD, checks)
    assert [(result.check, result.outcome) for result in results] == [
        ("first", Outcome.PASS),
        ("buggy", Outcome.ERROR),
        ("last", Outcome.PASS),
    ]
    assert results[1].summary == "the prober itself failed in this check (ValueError); see its log"
    assert verdict_of(results, ()) is Verdict.UNKNOWN
    (logged,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "check buggy failed on endpoint orders" in logged.getMessage()


async def test_a_cancelled_check_ends_the_probe() -> None:
    class Cancelled(BaseException):
        """Stands for asyncio.CancelledError, which would end the test, too."""

    with pytest.raises(Cancelled):
        await run_checks(ENDPOINT, ScriptedWire(Opening()), Profile.STANDARD, (failing(Cancelled()), passing("last")))


async def test_each_check_sees_the_results_before_it() -> None:
    results = await run_checks(
        ENDPOINT, ScriptedWire(Opening()), Profile.QUICK, (passing("one"), passing("two"), passing("three"))
    )
    assert [result.summary for result in results] == ["after: ", "after: one", "after: one,two"]


async def test_only_the_checks_of_the_profile_run() -> None:
    checks = (passing("always"), passing("thorough", Profile.FULL), passing("usual", Profile.STANDARD, Profile.FULL))
    ran = {
        profile: [result.check for result in await run_checks(ENDPOINT, ScriptedWire(Opening()), profile, checks)]
        for profile in Profile
    }
    assert ran == {
        Profile.QUICK: ["always"],
        Profile.STANDARD: ["always", "usual"],
        Profile.FULL: ["always", "thorough", "usual"],
    }


def test_the_quick_profile_is_the_opening_and_the_tool_list() -> None:
    quick = [check.id for check in CHECKS if Profile.QUICK in check.profiles]
    assert quick == ["lifecycle", "tools_list"]
