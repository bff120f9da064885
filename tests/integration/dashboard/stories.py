"""Fabricated endpoints with a past, written through the same functions that a worker uses."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.encode import as_json
from checks.inventory import Inventory, inventory_of
from checks.model import (
    CheckResult,
    Diagnosis,
    Effect,
    Endpoint,
    Exchange,
    Failure,
    Finding,
    Irregularity,
    Message,
    Opener,
    Opening,
    Outcome,
    ProbeReport,
    Profile,
    Proof,
    Sentinel,
    Timings,
    TransportError,
    Verdict,
)
from checks.spec import Era, Transport, section
from checks.standing import FullFindings
from checks.tool_memory import Deploy, ToolMemory
from prober.incidents.notice import Route
from prober.incidents.policy import AlertPolicy
from prober.storage import accepted_tools, endpoints, incidents, recording
from prober.storage.identity import endpoint_id
from prober.storage.incidents import Observed
from prober.storage.missed import Missed, MissedReason, MissedRun, save_missed
from prober.storage.schedule import Claim
from prober.storage.tables import endpoint_state
from tests.integration.storage.builders import record_on

TOOLS = ("list_orders", "get_order", "refund_order", "search_customers")


@dataclass(frozen=True)
class Story:
    """An endpoint and the verdicts of its probes, oldest first, as one letter each: u d g ? and c for a cold start.

    A full probe that went well is f."""

    endpoint: Endpoint
    past: str
    era: Era = Era.STATELESS
    diagnosis: Diagnosis | None = None
    wait_ms: float = 42.0
    tools: tuple[str, ...] = TOOLS
    accepted: tuple[str, ...] = ()
    """Tools of the list that was accepted once; none: there is none, and no list is remembered."""
    missed: int = 0


ADAPTER_MISSING = Diagnosis(
    id="adapter-missing",
    effect=Effect.DOWN,
    confidence=0.9,
    summary="The function behind the Function URL answers server/discover with HTTP 200 and the console's sample, "
    "not with MCP.",
    evidence=(
        Proof(text='the body begins "Hello from Lambda!"', exchange="x1"),
        Proof(text="x-amzn-requestid: 5f0c2a9e-3f6d-4c8e-9f53-0d0f7f0c9d11", exchange="x1"),
    ),
    fix="Put the Lambda Web Adapter between Lambda and the server (AWS SAM):\n  Handler: run.sh\n"
    "  Environment:\n    Variables:\n      AWS_LAMBDA_EXEC_WRAPPER: /opt/bootstrap\n"
    "or deploy the handler that speaks MCP, see `Handler` of the function.",
    reproduce="curl -sS -i -N --globoff -H 'Content-Type: application/json' --data-raw '{\"jsonrpc\":\"2.0\"}' "
    "--url https://k3x.lambda-url.eu-central-1.on.aws/mcp",
    alternatives=("The server is there, but at another path: then `/mcp/` of the same host answers with JSON-RPC.",),
)
BUFFERED = Diagnosis(
    id="streaming-buffered",
    effect=Effect.DEGRADED,
    confidence=0.85,
    summary="All 6 events arrived within 3 ms of each other after 1.9 s: something on the way buffers the stream.",
    evidence=(Proof(text="first event at 1 903 ms, last event at 1 906 ms, 6 events", exchange="x3"),),
    fix="Let both sides stream:\n  aws lambda update-function-url-config --function-name NAME --invoke-mode "
    "RESPONSE_STREAM\nand `AWS_LWA_INVOKE_MODE=response_stream` in the function's environment.",
    reproduce="curl -N https://stream.example/mcp",
)
UNOBSERVED = Diagnosis(
    id="observer-failure",
    effect=Effect.UNKNOWN,
    confidence=0.95,
    summary="The secret env:BILLING_TOKEN is not set, so nothing could be asked.",
    evidence=(),
    fix="Set the variable that the reference names.",
)
COLD = Diagnosis(
    id="cold-start",
    effect=Effect.INFORMATION,
    confidence=0.7,
    summary="The first answer took 1.31 s, 31 times what a warm instance takes: the probe woke a new instance.",
    evidence=(Proof(text="wait of x1: 1 310 ms; warm median: 42 ms", exchange="x1"),),
    fix="Nothing is broken. Keep instances warm with provisioned concurrency where clients give up before.",
)
FLEET = (
    Story(
        Endpoint(
            name="orders",
            url="https://q7n.lambda-url.eu-central-1.on.aws/mcp",
            labels={"team": "commerce", "env": "production"},
            expected_tools=TOOLS[:2],
            sentinels=(Sentinel(tool="list_orders", arguments={"limit": 1}),),
        ),
        past="uuuuuuuuucuuuuuuuuuuuuuuuuucuuuuuuuuuuuuuuuucufuuuu",
        accepted=(*TOOLS[:3], "find_customers"),
    ),
    Story(
        Endpoint(
            name="billing adapter",
            url="https://k3x.lambda-url.eu-central-1.on.aws/mcp?key=geheim",
            labels={"env": "staging"},
        ),
        past="uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuudddddddddd",
        diagnosis=ADAPTER_MISSING,
    ),
    Story(
        Endpoint(name="reports-stream", url="https://stream.example/mcp", streaming=True, labels={"env": "production"}),
        past="uuuuugggguuuuuuuuuuuuuuuuuuuggggggggg",
        era=Era.HANDSHAKE,
        diagnosis=BUFFERED,
        wait_ms=310.0,
    ),
    Story(
        Endpoint(name="ledger", url="https://ledger.example/mcp", bearer="env:BILLING_TOKEN"),
        past="uuuuuuuuuuuuuu????",
        era=Era.HANDSHAKE,
        diagnosis=UNOBSERVED,
        missed=3,
    ),
    Story(Endpoint(name="search", url="https://search.example/mcp", interval_s=30), past="u" * 60, wait_ms=9.0),
    Story(Endpoint(name="just-added", url="https://new.example/mcp"), past=""),
    Story(Endpoint(name="retired", url="https://old.example/mcp", enabled=False), past="uuu"),
)


async def tell(db: AsyncEngine, stories: Sequence[Story], now: datetime, channels: Sequence[str] = ("file",)) -> None:
    """Register the endpoints of all stories and let each live through its past, which ends a few seconds ago."""
    await endpoints.sync(db, [story.endpoint for story in stories])
    for story in stories:
        await _live_through(db, story, now, channels)


async def add_probe(db: AsyncEngine, story: Story, letter: str, slot: datetime, channels: Sequence[str] = ()) -> UUID:
    """Save one more probe of the story's endpoint, with everything that follows from it. Returns the report's id."""
    async with db.begin() as connection:
        return await _save(connection, story, letter, slot, channels)


def report_of(story: Story, letter: str, slot: datetime) -> ProbeReport:
    """A whole report, as the runner would make it."""
    verdict = {"d": Verdict.DOWN, "g": Verdict.DEGRADED, "?": Verdict.UNKNOWN}.get(letter, Verdict.UP)
    wobble = 1 + (slot.minute * 7 + slot.second * 3) % 11 / 30
    wait = 1310.0 if letter == "c" else story.wait_ms * wobble
    broken = verdict in (Verdict.DOWN, Verdict.UNKNOWN)
    opening, results = _broken(story, slot, wait) if broken else _healthy(story, slot, wait, verdict)
    if letter == "f":
        results = (*results, *_of_the_full_profile(story, slot))
    diagnoses = (story.diagnosis,) if story.diagnosis and verdict is not Verdict.UP else ()
    return ProbeReport(
        endpoint=story.endpoint.name,
        slot=slot,
        profile=Profile.FULL if letter == "f" else Profile.STANDARD,
        started_at=slot,
        duration_ms=sum(result.ms for result in results) + 2,
        verdict=verdict,
        opening=opening,
        results=results,
        diagnoses=(COLD,) if letter == "c" else diagnoses,
    )


async def _live_through(db: AsyncEngine, story: Story, now: datetime, channels: Sequence[str]) -> None:
    interval = timedelta(seconds=story.endpoint.interval_s)
    slots = [now - timedelta(seconds=4) - interval * back for back in reversed(range(len(story.past)))]
    async with db.begin() as connection:
        if story.missed:
            gap = Missed(
                first_slot=slots[0] - interval * story.missed,
                last_slot=slots[0] - interval,
                count=story.missed,
                reason=MissedReason.MISSED,
            )
            run = MissedRun(endpoint_id=endpoint_id(story.endpoint.name), location="local", missed=gap)
            await save_missed(connection, [run])
        for letter, slot in zip(story.past, slots, strict=True):
            await _save(connection, story, letter, slot, channels)
        if story.accepted:
            await _accept(connection, story, slots[-6])


async def _accept(connection: AsyncConnection, story: Story, deployed_at: datetime) -> None:
    """Let the accepted list be the first one seen, and the tools of today those of a deploy since."""
    identity, old, new = endpoint_id(story.endpoint.name), _inventory(story.accepted), _inventory(story.tools)
    await accepted_tools.accept_first(connection, identity, old)
    deploy = Deploy(at=deployed_at, what="version 1.4.1 → 1.4.2, another list of tools")
    after = ToolMemory(fingerprints=(new.fingerprint,) * 3, lists=(new,), deploys=(deploy,))
    state = endpoint_state.c.endpoint_id == identity
    await connection.execute(update(endpoint_state).where(state).values(tool_memory=as_json(after)))


def _inventory(names: Sequence[str]) -> Inventory:
    schema = {"type": "object", "properties": {"id": {"type": "string"}}}
    return inventory_of(
        {"name": name, "description": f"{name} of the shop, by id or by name", "inputSchema": schema} for name in names
    )


async def _save(
    connection: AsyncConnection, story: Story, letter: str, slot: datetime, channels: Sequence[str]
) -> UUID:
    identity = endpoint_id(story.endpoint.name)
    claim = Claim(
        endpoint_id=identity,
        endpoint=story.endpoint,
        slot=slot,
        next_slot=slot + timedelta(seconds=story.endpoint.interval_s),
        fence=None,
    )
    report = report_of(story, letter, slot)
    record = record_on(claim, report, findings=FullFindings(), is_full=report.profile is Profile.FULL)
    await recording.save(connection, [record])
    policy = AlertPolicy(routes=tuple(Route(channel=each) for each in channels))
    await incidents.record(connection, [Observed(endpoint_id=identity, seen=record.seen)], policy, slot)
    return record.report_id


def _healthy(story: Story, slot: datetime, wait: float, verdict: Verdict) -> tuple[Opening, tuple[CheckResult, ...]]:
    stateless = story.era is Era.STATELESS
    first = replace(
        _exchange(1, "server/discover" if stateless else "initialize", story, slot, 0.0),
        timings=Timings(
            dns_ms=3.1, connect_ms=11.4, tls_ms=19.8, sent_ms=35.0, first_byte_ms=35 + wait, total_ms=36 + wait
        ),
    )
    at = first.timings.total_ms + 1
    listing = _exchange(2, "tools/list", story, slot, at, wait=wait * 0.6 if wait < 1000 else 30)
    at += listing.timings.total_ms + 1
    call = replace(_exchange(3, "tools/call", story, slot, at, wait=wait * 0.8 if wait < 1000 else 40, stream=140))
    opening = Opening(
        exchanges=(first,),
        opener=Opener(
            transport=Transport.STREAMABLE_HTTP,
            era=story.era,
            protocol_version="2026-07-28" if stateless else "2025-11-25",
            reason="server/discover was answered" if stateless else "initialize was answered",
            chosen_at=slot,
        ),
        server_name=f"{story.endpoint.name}-mcp",
        server_version="1.4.2",
        instructions="Ask for orders by id.",
    )
    spread = verdict is Verdict.UP
    return opening, (
        CheckResult(
            check="lifecycle",
            outcome=Outcome.WARN if stateless else Outcome.PASS,
            summary=f"speaks {opening.opener.protocol_version if opening.opener else ''}",
            ms=first.timings.total_ms,
            exchanges=(first,),
            findings=(Finding(text="the answer has no resultType", rule=section("2026-07-28", "basic")),)
            if stateless
            else (),
            facts={"server_name": opening.server_name, "has_session": not stateless},
        ),
        CheckResult(
            check="tools_list",
            outcome=Outcome.PASS,
            summary=f"{len(story.tools)} tools on 1 page",
            ms=listing.timings.total_ms,
            exchanges=(listing,),
            facts={"tools": list(story.tools), "tool_count": len(story.tools), "pages": 1, "invalid": []},
        ),
        CheckResult(
            check="sentinel_call",
            outcome=Outcome.PASS,
            summary="list_orders answered as expected",
            ms=call.timings.total_ms,
            exchanges=(call,),
            facts={"sentinels": [{"tool": "list_orders", "outcome": "ok", "ms": 41.2, "summary": "answers in 41 ms"}]},
        ),
        CheckResult(
            check="streaming",
            outcome=Outcome.PASS if spread else Outcome.WARN,
            summary="3 events over 120 ms" if spread else "6 events within 3 ms",
            facts={"first_event_ms": 60.0, "last_event_ms": 180.0, "events": 3, "spread_ms": 120.0},
        ),
    )


def _of_the_full_profile(story: Story, slot: datetime) -> tuple[CheckResult, ...]:
    odd = replace(
        _exchange(4, "prompts/list", story, slot, 400.0),
        irregularities=(Irregularity(code="bom", detail="a byte order mark before the JSON"),),
    )
    offers = {"2025-11-25": "refused", "2026-07-28": "served"}
    return (
        CheckResult(
            check="capabilities",
            outcome=Outcome.WARN,
            summary="prompts are declared and not served",
            ms=30.0,
            exchanges=(odd,),
            findings=(Finding(text="prompts/list is refused", rule=section("2026-07-28", "server/prompts")),),
        ),
        CheckResult(
            check="eras",
            outcome=Outcome.PASS,
            summary="one of two eras",
            facts={
                "clients": [{"clients": "stateless-era clients", "connect": "yes", "detail": "served"}],
                "revisions": {each: {"answer": said, "said": said} for each, said in offers.items()},
            },
        ),
    )


def _broken(story: Story, slot: datetime, wait: float) -> tuple[Opening, tuple[CheckResult, ...]]:
    first = _exchange(1, "server/discover", story, slot, 0.0, wait=wait)
    if story.diagnosis is ADAPTER_MISSING:
        first = replace(first, body=b'"Hello from Lambda!"', body_size=20, messages=())
    else:
        first = replace(
            first,
            status=None,
            headers=(),
            body=b"",
            body_size=0,
            messages=(),
            timings=Timings(dns_ms=2.0, total_ms=3002.0),
            transport_error=TransportError(failure=Failure.CONNECT, reason="refused", detail="connection refused"),
        )
    return Opening(exchanges=(first,)), (
        CheckResult(
            check="lifecycle",
            outcome=Outcome.FAIL,
            summary="no way in worked: the answer is not JSON-RPC",
            ms=first.timings.total_ms,
            exchanges=(first,),
        ),
        CheckResult(check="tools_list", outcome=Outcome.SKIP, summary="there is no conversation to ask in"),
    )


def _exchange(
    number: int, method: str, story: Story, slot: datetime, offset: float, *, wait: float = 30.0, stream: float = 0.6
) -> Exchange:
    events = stream > 1
    body = b'{"jsonrpc":"2.0","id":%d,"result":{"tools":[{"name":"list_orders"}]}}' % number
    return Exchange(
        id=f"x{number}",
        method="POST",
        url=story.endpoint.url.partition("?")[0],
        request_headers=(
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
            ("Authorization", "Bearer ${env:ORDERS_TOKEN}"),
        ),
        request_body=json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": {}}),
        rpc_method=method,
        rpc_id=str(number),
        started_at=slot,
        offset_ms=offset,
        status=200,
        headers=(
            ("content-type", "text/event-stream" if events else "application/json"),
            ("x-amzn-RequestId", "5f0c2a9e-3f6d-4c8e-9f53-0d0f7f0c9d11"),
        ),
        body=(b"event: message\ndata: " + body + b"\n\n") if events else body,
        body_size=len(body),
        messages=tuple(
            Message(data={"method": "notifications/progress"}, at_ms=wait + stream * share) for share in (0.1, 0.5, 0.9)
        )
        if events
        else (Message(data={"result": {}}, at_ms=wait),),
        timings=Timings(sent_ms=0.4, first_byte_ms=0.4 + wait, total_ms=0.4 + wait + stream),
        remote_address="198.51.100.7:443",
        reused_connection=number > 1,
    )
