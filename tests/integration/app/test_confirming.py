"""After a probe that may have met a cold start, the function's log completes its report, and no verdict changes."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Effect, Exchange, Opening, Timings
from prober.app.confirming import DELAYS_S, Confirming
from prober.function_logs.cloudwatch_logs import Invocation, LogsUnavailable
from prober.function_logs.report_line import InvocationReport
from tests.integration.storage.builders import OPENER, Store, diagnosis, endpoint, report_on

ID = "8f507cfc-1111-4697-b07a-ac58fc914c95"
COLD = diagnosis("cold-start", Effect.INFORMATION)
URL = "https://abc.lambda-url.eu-west-1.on.aws/mcp"


@dataclass
class FakeLog:
    """Answers in turn; remembers what was asked."""

    answers: Sequence[InvocationReport | LogsUnavailable | None]
    asked: list[Invocation] = field(default_factory=list)

    async def report(self, invocation: Invocation) -> InvocationReport | None:
        self.asked.append(invocation)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, LogsUnavailable):
            raise answer
        return answer


@dataclass
class Waits:
    slept: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def opening(wait_ms: float = 900.0, request_id: str = ID, door: str = "x-amzn-RequestId") -> Opening:
    timings = Timings(sent_ms=5, first_byte_ms=5 + wait_ms, total_ms=5 + wait_ms)
    first = Exchange(
        id="x1",
        method="POST",
        url=URL,
        started_at=datetime.now(UTC),
        headers=((door, request_id),),
        timings=timings,
    )
    return Opening(exchanges=(first,), opener=OPENER)


async def probed(
    db: AsyncEngine, logs: FakeLog, *, cold: bool = True, idle: timedelta = timedelta(minutes=1), **changes: Any
) -> tuple[Store, Waits]:
    """One probe of an endpoint that names its function, followed to its end."""
    store, waits = Store(db), Waits()
    function, times = changes.pop("function", "orders"), changes.pop("times", 1)
    await store.watch(endpoint(url=URL, function=function))
    claim = await store.claim_one()
    claim = replace(claim, history=replace(claim.history, answered_at=datetime.now(UTC) - idle))
    report = report_on(claim, opening=opening(**changes), diagnoses=(COLD,) if cold else ())
    await store.save(report, claim)
    confirming = Confirming(db, logs, waits)
    for _ in range(times):
        confirming.follow(claim, report)
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
    return store, waits


async def row(store: Store) -> tuple[object, ...]:
    (found,) = await store.sql(
        "select verdict, cold_confirmed, init_ms, restore_ms, function_ms, memory_mb from report"
    )
    return tuple(found)


async def test_the_report_line_confirms_the_cold_start_beside_the_probe(db: AsyncEngine) -> None:
    logs = FakeLog([None, InvocationReport(init_ms=812.0, function_ms=40.0, memory_mb=91.0)])
    store, waits = await probed(db, logs)

    assert await row(store) == ("up", True, 812, None, 40, 91)
    assert waits.slept == list(DELAYS_S[:2])
    assert {(each.log_group, each.region, each.request_id) for each in logs.asked} == {
        ("/aws/lambda/orders", "eu-west-1", ID)
    }


async def test_another_version_of_the_function_in_the_log_marks_a_deploy(db: AsyncEngine) -> None:
    store, _ = await probed(db, FakeLog([InvocationReport(init_ms=800.0, function_version="7")]))
    claim = await store.claim_one()
    assert claim.history.tools.deploys == ()

    report = report_on(claim, opening=opening(), diagnoses=(COLD,))
    await store.save(report, claim)
    confirming = Confirming(db, FakeLog([InvocationReport(init_ms=800.0, function_version="8")]), Waits())
    confirming.follow(claim, report)
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    (deploy,) = (await store.claim_one()).history.tools.deploys
    assert (deploy.what, deploy.at) == ("function version 7 → 8", claim.slot)


async def test_an_instance_started_ahead_of_time_was_no_cold_start_for_the_client(db: AsyncEngine) -> None:
    store, _ = await probed(db, FakeLog([InvocationReport(init_ms=5000.0)]))

    assert await row(store) == ("up", False, 5000, None, None, None)


async def test_a_snapshot_is_restored(db: AsyncEngine) -> None:
    store, _ = await probed(db, FakeLog([InvocationReport(restore_ms=300.0)]))

    assert (await row(store))[:4] == ("up", True, None, 300)


async def test_after_an_idle_gap_a_short_cold_start_is_found_that_nobody_suspected(db: AsyncEngine) -> None:
    logs = FakeLog([InvocationReport(init_ms=20.0)])
    store, _ = await probed(db, logs, cold=False, idle=timedelta(minutes=31), wait_ms=60.0)

    assert (await row(store))[1] is True


async def test_what_cannot_have_been_a_cold_start_or_has_no_function_is_not_asked_about(db: AsyncEngine) -> None:
    logs = FakeLog([InvocationReport(init_ms=20.0)])
    await probed(db, logs, cold=False)
    await probed(db, logs, function=None)
    await probed(db, logs, request_id='" ?"REPORT')

    assert logs.asked == []


async def test_behind_a_gateway_it_is_said_why_nothing_is_confirmed(
    db: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    logs = FakeLog([InvocationReport(init_ms=20.0)])
    store, _ = await probed(db, logs, door="x-amz-apigw-id")

    assert logs.asked == []
    assert (await row(store))[1] is None
    assert "behind API Gateway REST API no header tells the id of the invocation" in caplog.text


async def test_aws_in_trouble_is_said_once_and_changes_nothing(
    db: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    logs = FakeLog([LogsUnavailable("AWS says AccessDeniedException about the log group /aws/lambda/orders")])
    with caplog.at_level(logging.WARNING):
        store, waits = await probed(db, logs, times=2)

    assert await row(store) == ("up", None, None, None, None, None)
    assert caplog.text.count("AccessDeniedException") == 1
    assert waits.slept == [DELAYS_S[0]] * 2


async def test_a_report_that_never_comes_is_given_up(db: AsyncEngine, caplog: pytest.LogCaptureFixture) -> None:
    store, waits = await probed(db, FakeLog([None]))

    assert waits.slept == list(DELAYS_S)
    assert (await row(store))[1] is None
    assert "holds no report of our requests" in caplog.text


async def test_stopping_gives_up_what_is_looked_for(db: AsyncEngine) -> None:
    store = Store(db)
    await store.watch(endpoint(url=URL, function="orders"))
    claim = await store.claim_one()
    confirming = Confirming(db, FakeLog([None]))
    confirming.follow(claim, report_on(claim, opening=opening(), diagnoses=(COLD,)))
    async with asyncio.timeout(sum(DELAYS_S[:2])):
        await confirming.stop()
