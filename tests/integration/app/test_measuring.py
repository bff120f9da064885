"""What a worker measures is there for CloudWatch and Prometheus, also while the database is away."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint, Exchange, Failure, Opening, TransportError
from prober.app.measuring import Measuring
from prober.clock import SystemClock
from prober.settings import CloudWatchSettings, EndpointOptions, MetricSet, Settings
from prober.storage import endpoints
from prober.storage.database import open_engine
from prober.storage.schedule import Claim
from prober.vitals import Vitals
from tests.unit.metrics.emf_schema import checked
from tests.unit.metrics.reports import report

ORDERS = Endpoint(name="orders", url="https://orders.example/mcp")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def claim(chosen: MetricSet | None = None) -> Claim:
    now, options = SystemClock().now(), EndpointOptions(metrics=chosen)
    return Claim(endpoint_id=uuid4(), endpoint=ORDERS, options=options, slot=now, next_slot=now, fence=1)


def measuring(db: AsyncEngine, executor: ThreadPoolExecutor, vitals: Vitals, file: Path | None = None) -> Measuring:
    """Writes metrics to the file, where there is one."""
    cloudwatch = CloudWatchSettings(enabled=file is not None, emf_file=file)
    settings = Settings(endpoints=(ORDERS,), cloudwatch=cloudwatch)
    return Measuring(db, settings=settings, vitals=vitals, clock=SystemClock(), executor=executor)


def published(file: Path) -> dict[str, list[float]]:
    """What stands in the file, by metric."""
    found: dict[str, list[float]] = {}
    for line in file.read_bytes().splitlines(keepends=True):
        event = checked(line)
        for metric in event["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
            found.setdefault(metric["Name"], []).extend(event[metric["Name"]])
    return found


async def test_a_report_is_measured_by_what_is_chosen_for_its_endpoint(
    db: AsyncEngine, executor: ThreadPoolExecutor, tmp_path: Path
) -> None:
    await endpoints.sync(db, (ORDERS,))
    file, vitals = tmp_path / "metrics.log", Vitals()
    told = measuring(db, executor, vitals, file)
    await told.start()
    for moment in ("probe", "commit", "outbox"):
        vitals.happened(moment, SystemClock().monotonic())
    told.add(claim(MetricSet.MINIMAL), report(at=SystemClock().now()))
    await told.publish()
    found = published(file)
    assert (found["Up"], found["EndpointsUnknown"], found["Heartbeat"]) == ([1.0], [1.0], [1.0])
    assert "HandshakeMs" not in found
    text = told.exposition.render().decode()
    assert 'mcp_endpoint_up{endpoint="orders",location="local"} 1.0' in text
    assert 'mcp_fleet_endpoints{verdict="unknown"} 1.0' in text


async def test_nothing_waits_for_a_database_that_is_away(executor: ThreadPoolExecutor, tmp_path: Path) -> None:
    db = open_engine("postgresql://nobody@127.0.0.1:9/none", pool_size=1)
    file = tmp_path / "metrics.log"
    told = measuring(db, executor, Vitals(), file)
    await told.start()
    told.add(claim(), report(at=SystemClock().now()))
    await told.publish()
    await told.publish_last()
    await db.dispose()
    found = published(file)
    assert (found["Up"], found["Probes"]) == ([1.0], [1.0])
    assert {"EndpointsUp", "Heartbeat"}.isdisjoint(found)
    assert b"mcp_endpoint_up" in told.exposition.render()
    assert b"mcp_fleet_endpoints" not in told.exposition.render()


async def test_requests_that_were_not_allowed_and_secrets_that_are_not_there_are_counted(
    db: AsyncEngine, executor: ThreadPoolExecutor
) -> None:
    vitals = Vitals()
    told = measuring(db, executor, vitals)
    found = report(at=SystemClock().now())

    def failed(failure: Failure, reason: str) -> Exchange:
        error = TransportError(failure=failure, reason=reason, detail="")
        return replace(found.opening.exchanges[0], transport_error=error)

    for failure, reason in (
        (Failure.BLOCKED, "private"),
        (Failure.BLOCKED, "foreign-origin"),
        (Failure.OBSERVER, "env"),
        (Failure.DNS, "no-such-name"),
    ):
        exchange = failed(failure, reason)
        lifecycle = replace(found.results[0], exchanges=(exchange,))
        told.add(claim(), replace(found, opening=Opening(exchanges=(exchange,)), results=(lifecycle,)))
    assert (vitals.counters["guard_blocks", ""], vitals.counters["secret_failures", ""]) == (1, 1)
