"""Whatever a server answers, no check of the full profile raises, no detector does, and what they say is bounded."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.catalog import DETECTORS
from checks.judgement import diagnose, verdict_of
from checks.model import Evidence, Exchange, Failure, OnRequest, Opening, Outcome, Verdict
from checks.protocol.capabilities import capabilities
from checks.protocol.cold_starts import cold_starts
from checks.protocol.eras import eras
from checks.protocol.headers import headers
from checks.protocol.lifecycle import lifecycle
from checks.protocol.order import order
from checks.protocol.session import session
from checks.protocol.tools_list import tools_list
from checks.protocol.versions import versions
from checks.spec import REVISIONS, Era, Transport
from checks.unit import Check, CheckContext
from checks.wire import Alteration
from tests.unit.checks.conversations import (
    ENDPOINT,
    ScriptedWire,
    endpoint,
    exchange,
    ok,
    opened,
    refused,
    tool_page,
)

OURS = (order, capabilities, versions, headers, cold_starts, eras, session)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
TELLING = st.sampled_from(
    [
        "2.0",
        "tools",
        "Session not found",
        "2025-11-25",
        "2026-07-28",
        "1900-01-01",
        "x" * 70_000,
        "\x1b[31m\u202e\x00",
        "\ud800",
        -32022,
        -32020,
        -32601,
        10**400,
    ]
)
KEYS = st.sampled_from(
    [
        "jsonrpc",
        "id",
        "result",
        "error",
        "code",
        "message",
        "data",
        "supported",
        "requested",
        "supportedVersions",
        "protocolVersion",
        "tools",
        "prompts",
        "resources",
        "nextCursor",
        "name",
    ]
)
JSON = st.recursive(
    SCALARS | TELLING,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=12,
)
ANSWERS = st.one_of(
    JSON,
    st.builds(ok, JSON),
    st.builds(lambda code, message, data: _error(code, message, data), JSON, JSON, JSON),
)
STATUSES = st.sampled_from([None, 0, 200, 202, 204, 302, 400, 401, 403, 404, 405, 421, 429, 500, 502, 503, 504])
FAILURES = st.none() | st.sampled_from([Failure.DEADLINE, Failure.CONNECTION_LOST, Failure.LIMIT, Failure.PROTOCOL])
MEDIA = st.sampled_from([None, "application/json", "text/event-stream", "text/plain", "x" * 9000])


def _error(code: Any, message: Any, data: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": ..., "error": {"code": code, "message": message, "data": data}}


class AnyWire(ScriptedWire):
    """Answers every question with whatever is drawn."""

    def __init__(self, draw: Any, opening: Opening) -> None:
        super().__init__(opening)
        self._draw = draw

    def answer(self, method: str | None) -> Exchange:
        answers = self._draw(st.lists(ANSWERS, max_size=2))
        return exchange(
            method,
            status=self._draw(STATUSES),
            messages=answers,
            media=self._draw(MEDIA),
            failure=self._draw(FAILURES),
            body=json.dumps(answers, default=str).encode("utf-8", "replace"),
            reason=self._draw(st.sampled_from(["exhausted", "reset", "y" * 9000])),
        )

    async def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        progress: bool = False,
        altered: Alteration | None = None,
    ) -> Exchange:
        return self.answer(method)

    async def at_once(self, method: str, count: int) -> tuple[Exchange, ...]:
        return tuple(self.answer(method) for _ in range(self._draw(st.integers(0, 3))))

    async def end_session(self) -> Exchange | None:
        return self.answer(None) if self._draw(st.booleans()) else None

    async def open_beside(self, era: Era, version: str) -> Opening:
        method = "server/discover" if era is Era.STATELESS else "initialize"
        return refused(*(self.answer(method) for _ in range(self._draw(st.integers(0, 2)))))


def opening_of(draw: Any) -> Opening:
    era, version = draw(st.sampled_from([(era, revision) for revision, era in REVISIONS.items()]))
    method = "server/discover" if era is Era.STATELESS else "initialize"
    offer = {"protocolVersion": version}
    tried = exchange(method, messages=[draw(ANSWERS)], status=draw(STATUSES), request=offer)
    declared = draw(st.dictionaries(st.sampled_from(["tools", "prompts", "resources"]) | st.text(), JSON, max_size=3))
    return opened(
        tried,
        era=era,
        version=draw(st.sampled_from([version, "0", "zzz\x00" * 20])),
        transport=draw(st.sampled_from(list(Transport))) if era is Era.HANDSHAKE else Transport.STREAMABLE_HTTP,
        has_session=draw(st.booleans()),
        capabilities=declared,
    )


@pytest.mark.parametrize("check", OURS, ids=lambda check: check.id)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_no_answer_makes_a_check_or_a_detector_raise(check: Check, data: st.DataObject) -> None:
    opening = opening_of(data.draw)
    wire = AnyWire(data.draw, opening)
    curious = endpoint(on_request=(OnRequest.COLD_STARTS,), client_timeout_s=0.001)
    pinned = data.draw(
        st.sampled_from([ENDPOINT, endpoint(era=Era.STATELESS), endpoint(protocol_version="2025-03-26"), curious])
    )
    results = (asyncio.run(lifecycle.run(CheckContext(endpoint=pinned, wire=wire))),)
    if data.draw(st.booleans()):
        listing = Healthy(data.draw, opening)
        results += (asyncio.run(tools_list.run(CheckContext(endpoint=pinned, wire=listing, results=results))),)
    result = asyncio.run(check.run(CheckContext(endpoint=pinned, wire=wire, results=results)))

    diagnoses, broken = diagnose(Evidence(endpoint=pinned, opening=opening, results=(*results, result)), DETECTORS)

    assert broken == ()
    assert result.outcome is not Outcome.ERROR
    json.dumps(dict(result.facts))
    said = [result.summary, *(finding.text for finding in result.findings), *(each.summary for each in diagnoses)]
    assert all(len(text) < 3000 and not set(text) & set("\x1b\u202e\x00\ud800") for text in said)
    if result.outcome is Outcome.FAIL:
        assert verdict_of((result,), diagnoses) is Verdict.DEGRADED


class Healthy(AnyWire):
    """Lists one tool, so that the checks behind the list have something to ask."""

    def answer(self, method: str | None) -> Exchange:
        return tool_page("add")
