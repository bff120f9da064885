"""What Prometheus reads, and when a series ends."""

import gc
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from checks.model import ProbeReport, Verdict
from prober.metrics.board import Board
from prober.metrics.catalog import ENDPOINT_METRICS, PROBER_METRICS, Kind
from prober.metrics.prometheus import HELP, Exposition
from prober.storage.census import Census
from prober.vitals import Vitals
from tests.unit.metrics.reports import NOW, Clock, report, silent

Samples = dict[tuple[str, str], float]


class Scraped:
    """What is offered, with the clock and the vitals that it is made of."""

    def __init__(self) -> None:
        self.board, self.vitals, self.clock = Board(), Vitals(), Clock()
        self.exposition = Exposition(self.board, self.vitals, self.clock)

    def add(self, found: ProbeReport, interval_s: float = 60.0) -> None:
        self.board.add(found, interval_s)

    def samples(self) -> Samples:
        """By name and the values of the labels."""
        found = {}
        for family in text_string_to_metric_families(self.exposition.render().decode()):
            for sample in family.samples:
                found[sample.name, ",".join(sample.labels.values())] = sample.value
        return found


@pytest.fixture
def scraped() -> Scraped:
    return Scraped()


def census(*names: str, verdicts: dict[Verdict, int] | None = None, in_incident: tuple[str, ...] = ()) -> Census:
    return Census(verdicts=verdicts or {}, names=frozenset(names), in_incident=frozenset(in_incident))


def test_an_endpoint_shows_its_latest_probe_in_seconds(scraped: Scraped) -> None:
    scraped.add(report(ms=10.0))
    scraped.add(report(verdict=Verdict.DEGRADED, ms=20.0))
    found = scraped.samples()
    assert found["mcp_endpoint_handshake_seconds", "orders,local"] == 0.02
    assert found["mcp_endpoint_verdict", "orders,local"] == 2
    assert found["mcp_endpoint_last_probe_timestamp_seconds", "orders,local"] == NOW.timestamp()
    assert found["mcp_endpoint_probes_total", "orders,local"] == 2
    assert found["mcp_endpoint_warm_wait_seconds", "orders,local"] == 0.03
    assert found["mcp_endpoint_sentinel_seconds", "orders,local"] == 0.006
    assert ("mcp_endpoint_cold_wait_seconds", "orders,local") not in found


def test_what_a_probe_did_not_measure_is_not_shown_from_an_earlier_one(scraped: Scraped) -> None:
    scraped.add(report())
    scraped.add(silent())
    found = scraped.samples()
    assert found["mcp_endpoint_up", "orders,local"] == 0
    assert ("mcp_endpoint_handshake_seconds", "orders,local") not in found


def test_a_probe_that_could_not_observe_leaves_what_was_known(scraped: Scraped) -> None:
    scraped.add(silent())
    scraped.add(report(verdict=Verdict.UNKNOWN, at=NOW + timedelta(minutes=1)))
    found = scraped.samples()
    assert found["mcp_endpoint_up", "orders,local"] == 0
    assert found["mcp_endpoint_verdict", "orders,local"] == 0
    assert found["mcp_endpoint_last_probe_timestamp_seconds", "orders,local"] == NOW.timestamp() + 60


def test_a_removed_endpoint_is_gone(scraped: Scraped) -> None:
    scraped.add(report(endpoint="kept"))
    scraped.add(report(endpoint="removed"))
    scraped.board.take(census("kept"))
    assert {labels for name, labels in scraped.samples() if name.startswith("mcp_endpoint")} == {"kept,local"}


def test_an_endpoint_that_another_worker_took_over_is_gone_in_time(scraped: Scraped) -> None:
    scraped.add(report(endpoint="often"), interval_s=60)
    scraped.add(report(endpoint="rarely"), interval_s=3600)
    scraped.clock.at = NOW + timedelta(minutes=9)
    assert ("mcp_endpoint_up", "often,local") in scraped.samples()
    scraped.clock.at = NOW + timedelta(minutes=11)
    assert ("mcp_endpoint_up", "often,local") not in scraped.samples()
    assert ("mcp_endpoint_up", "rarely,local") in scraped.samples()


def test_the_fleet_is_counted_by_verdict_while_the_database_is_there(scraped: Scraped) -> None:
    scraped.add(report())
    scraped.board.take(census("orders", verdicts={Verdict.DOWN: 1}, in_incident=("orders",)))
    found = scraped.samples()
    assert [found["mcp_fleet_endpoints", verdict.value] for verdict in Verdict] == [0, 0, 1, 0]
    assert found["mcp_fleet_incidents_open", ""] == 1
    assert found["mcp_endpoint_incident_open", "orders,local"] == 1
    scraped.board.take(None)
    assert ("mcp_fleet_incidents_open", "") not in scraped.samples()
    assert ("mcp_endpoint_up", "orders,local") in scraped.samples()


def test_the_prober_says_how_it_is_itself(scraped: Scraped) -> None:
    vitals = scraped.vitals
    vitals.set("loop_lag", 0.004)
    vitals.add("unknowns", 2, label="network")
    vitals.add("unknowns", label="loop-lag")
    vitals.add("outbox_attempts", label="slack sent")
    vitals.happened("commit", 90.0)
    vitals.trouble("database", "secret detail")
    found = scraped.samples()
    assert found["mcp_prober_loop_lag_seconds", ""] == 0.004
    assert found["mcp_prober_unknowns_total", "network"] == 2
    assert found["mcp_prober_unknowns_total", "loop-lag"] == 1
    assert found["mcp_prober_outbox_attempts_total", "slack,sent"] == 1
    assert found["mcp_prober_spool_dropped_total", ""] == 0, "so that the first one is an increase"
    assert found["mcp_prober_commit_age_seconds", ""] == 10
    assert found["mcp_prober_trouble", "database"] == 1
    assert b"secret detail" not in scraped.exposition.render()


def test_every_metric_of_the_catalog_is_offered_under_its_name(scraped: Scraped) -> None:
    for metric in PROBER_METRICS:
        if metric.kind is Kind.COUNTER:
            scraped.vitals.add(metric.vital, label=" ".join(metric.labels))
        elif metric.kind is Kind.GAUGE:
            scraped.vitals.set(metric.vital, 1)
        else:
            scraped.vitals.happened(metric.vital, 1)
    scraped.vitals.trouble("database", "away")
    scraped.add(report())
    scraped.add(report(endpoint="cold", cold=True))
    scraped.board.take(census("orders", "cold"))
    names = {name for name, _ in scraped.samples()}
    assert {each.series for each in (*ENDPOINT_METRICS, *PROBER_METRICS)} | set(HELP) <= names


@given(name=st.text(min_size=1))
def test_a_name_comes_through_whatever_it_is(name: str) -> None:
    scraped = Scraped()
    scraped.add(report(endpoint=name.encode("utf-8", "replace").decode()))
    assert len([key for key in scraped.samples() if key[0] == "mcp_endpoint_up"]) == 1


def test_it_can_be_read_while_it_is_written(scraped: Scraped) -> None:
    stop, failures = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                scraped.samples()
            except Exception as failure:
                failures.append(failure)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2000):
        scraped.add(replace(report(), endpoint=f"e{number % 50}"))
        scraped.vitals.add("unknowns", label=f"r{number % 7}")
        scraped.board.take(census(*(f"e{each}" for each in range(number % 50))))
    stop.set()
    reader.join()
    assert failures == []


def test_the_samples_of_a_large_fleet_do_not_live_all_at_once() -> None:
    scraped, fleet = Scraped(), 200
    for number in range(fleet):
        scraped.add(replace(report(), endpoint=f"e{number}"))
    most = 0
    gc.freeze()  # What was there before is not looked through each time.
    try:
        for _ in scraped.exposition.collect():
            most = max(most, sum(isinstance(each, Sample) for each in gc.get_objects()))
    finally:
        gc.unfreeze()
    assert fleet <= most <= 6 * fleet
