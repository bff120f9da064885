"""One probe against servers of the lab: what goes out, when it ends, and what the report may say."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from checks.encode import as_json
from checks.model import Endpoint, Expectation, Outcome, ProbeReport, Profile, Sentinel, Verdict
from prober.clock import SystemClock
from prober.lab import misbehaviour
from prober.lab.lab import Lab
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing.credentials import Credentials
from prober.probing.runner import Assignment, probe
from prober.secrets.vault import Vault
from prober.storage.identity import report_id
from tests.integration.probing.servers import Waiting, echoing, serving

SECRETS = {"env:API_TOKEN": 's3cret/"value"+=', "env:API_KEY": "another-s3cret"}
ADD = Sentinel(tool="add", arguments={"a": 2, "b": 3}, expect=Expectation(text="5"))


async def probed(url: str, *, profile: Profile = Profile.STANDARD, **fields: Any) -> ProbeReport:
    clock = SystemClock()
    net = Net(GuardPolicy(allow_private=True), clock=clock)
    endpoint = Endpoint(**{"name": "orders", "url": url, "timeout_s": 5.0, **fields})
    assignment = Assignment(endpoint=endpoint, slot=datetime.now(UTC), profile=profile)
    secrets = {name.removeprefix("env:"): value for name, value in SECRETS.items()}
    credentials = Credentials(Vault(env=secrets), net=net, clock=clock)
    return await probe(assignment, net=net, clock=clock, credentials=credentials)


def asked(lab: Lab) -> list[str]:
    return [each.rpc_method or each.method for each in lab.served("served")]


async def test_a_healthy_server_is_up_and_asked_what_its_owner_configured() -> None:
    async with serving(StatelessServer()) as (lab, url):
        report = await probed(url, sentinels=(ADD,), labels={"team": "blue"})
        assert asked(lab) == ["server/discover", "tools/list", "tools/call"]
    assert report.verdict is Verdict.UP
    assert [result.check for result in report.results] == ["lifecycle", "tools_list", "sentinel_call", "streaming"]
    assert report.labels == {"team": "blue"}
    assert 0 < report.duration_ms < 5000


async def test_the_quick_profile_calls_no_tool() -> None:
    async with serving(StatelessServer()) as (lab, url):
        report = await probed(url, profile=Profile.QUICK, sentinels=(ADD,))
        assert asked(lab) == ["server/discover", "tools/list"]
    assert [result.check for result in report.results] == ["lifecycle", "tools_list"]


async def test_the_requests_of_a_probe_make_a_trace_with_the_id_of_its_report() -> None:
    clock, endpoint_id = SystemClock(), uuid4()
    assignment = Assignment(
        endpoint=Endpoint(name="orders", url="", timeout_s=5.0),
        endpoint_id=endpoint_id,
        slot=clock.now(),
        location="eu",
    )
    async with serving(StatelessServer()) as (lab, url):
        traced = replace(assignment, endpoint=replace(assignment.endpoint, url=url))
        await probe(traced, net=Net(GuardPolicy(allow_private=True), clock=clock), clock=clock)
        sent = [{name.lower(): value for name, value in each.headers} for each in lab.served("served")]
    report = report_id(endpoint_id, assignment.slot, "eu")
    assert [each["traceparent"].split("-")[1] for each in sent] == [report.hex] * 2


async def test_secrets_are_sent_and_shown_as_their_references() -> None:
    async with serving(StatelessServer()) as (lab, url):
        report = await probed(url, bearer="env:API_TOKEN", headers={"X-Api-Key": "env:API_KEY", "X-Tenant": "blue"})
        for request in lab.served("served"):
            sent = {name.lower(): value for name, value in request.headers}
            assert sent["authorization"] == f"Bearer {SECRETS['env:API_TOKEN']}"
            assert sent["x-api-key"] == SECRETS["env:API_KEY"]
    for exchange in report.exchanges:
        shown = dict(exchange.request_headers)
        assert shown["Authorization"] == "Bearer ${env:API_TOKEN}"
        assert shown["X-Api-Key"] == "${env:API_KEY}"
        assert shown["X-Tenant"] == "blue"


@pytest.mark.parametrize("method", ["server/discover", "tools/list", "tools/call"])
async def test_a_secret_that_the_server_repeats_is_nowhere_in_the_report(method: str) -> None:
    server = misbehaviour.intercept(StatelessServer(), {method: echoing, "initialize": echoing})
    async with serving(server) as (_, url):
        report = await probed(url, bearer="env:API_TOKEN", headers={"X-Api-Key": "env:API_KEY"}, sentinels=(ADD,))
    written = json.dumps(as_json(report))
    assert "[redacted]" in written, "the server did repeat them"
    for value in SECRETS.values():
        assert json.dumps(value)[1:-1] not in written
        assert value not in written
    assert "s3cret" not in written


async def test_a_missing_secret_is_our_fault_and_not_the_endpoints() -> None:
    async with serving(StatelessServer()) as (lab, url):
        report = await probed(f"{url}?api_key=key-in-query-1", bearer="env:FORGOTTEN", sentinels=(ADD,))
        assert asked(lab) == [], "nobody is asked without the credentials that the owner wants sent"
    assert report.verdict is Verdict.UNKNOWN
    assert [each.id for each in report.diagnoses] == ["observer-impaired"]
    written = json.dumps(as_json(report))
    assert "env:FORGOTTEN" in written
    assert "key-in-query-1" not in written


async def test_the_deadline_holds_for_a_server_that_never_answers() -> None:
    async with serving(misbehaviour.never) as (_, url):
        async with asyncio.timeout(20):
            report = await probed(url, timeout_s=1.0)
    assert report.verdict is Verdict.DOWN
    assert [each.id for each in report.diagnoses] == ["response-timeout"]
    assert 1000 <= report.duration_ms < 10_000, "the deadline, and what closing takes on a busy machine"


async def test_the_deadline_holds_over_all_requests_together() -> None:
    async with serving(misbehaviour.slowly(StatelessServer(), 0.25)) as (lab, url):
        report = await probed(url, timeout_s=0.6, sentinels=(ADD,) * 3)
        assert len(asked(lab)) <= 3
    assert report.verdict in (Verdict.DEGRADED, Verdict.DOWN)
    assert report.duration_ms < 10_000


async def test_a_session_is_ended_after_the_probe() -> None:
    async with serving(HandshakeServer()) as (lab, url):
        assert (await probed(url)).verdict is Verdict.UP
        assert asked(lab)[-1] == "DELETE"


async def test_a_session_is_ended_when_the_probe_is_cancelled() -> None:
    server = Waiting()
    async with serving(server) as (lab, url):
        probing = asyncio.create_task(probed(url, sentinels=(ADD,)))
        async with asyncio.timeout(20):
            await server.called.wait()
        probing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probing
        assert asked(lab)[-3:] == ["tools/call", "notifications/cancelled", "DELETE"]


async def test_what_was_remembered_is_tried_first() -> None:
    async with serving(HandshakeServer()) as (lab, url):
        first = await probed(url)
        before = len(asked(lab))
        clock = SystemClock()
        again = await probe(
            Assignment(
                endpoint=Endpoint(name="orders", url=url), slot=datetime.now(UTC), remembered=first.opening.opener
            ),
            net=Net(GuardPolicy(allow_private=True), clock=clock),
            clock=clock,
        )
        assert asked(lab)[before] == "initialize"
    assert again.verdict is Verdict.UP
    assert {result.outcome for result in again.results} <= {Outcome.PASS, Outcome.SKIP}
