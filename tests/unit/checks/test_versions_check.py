"""A revision that nobody knows: refused as each era says, or not."""

from typing import Any

import pytest

from checks.model import Exchange, Failure, Opening, Outcome, Verdict
from checks.protocol.versions import versions
from checks.spec import Transport
from checks.wire import Alteration
from tests.unit.checks.conversations import error, exchange, failed, ok, opened, tool_page
from tests.unit.checks.full_profile import ask, handshake, refusal

DATA = {"supported": ["2026-07-28"], "requested": "1900-01-01"}
REFUSED = refusal(-32022, "Unsupported protocol version", data=DATA)


def test_the_stateless_refusal_with_its_lists_passes() -> None:
    judged = ask(versions, opened(), REFUSED)

    result = judged.results[-1]
    assert (result.outcome, result.findings, judged.ids) == (Outcome.PASS, (), [])
    assert result.facts == {
        "claimed": "1900-01-01",
        "status": 400,
        "code": -32022,
        "supported": ["2026-07-28"],
        "exchange": REFUSED.id,
    }
    assert judged.wire.alterations[-1] == Alteration(
        headers={"MCP-Protocol-Version": "1900-01-01"},
        meta={"io.modelcontextprotocol/protocolVersion": "1900-01-01"},
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (tool_page("add"), "is served instead of refused"),
        (refusal(-32602, "Invalid params"), "not with -32022"),
        (refusal(-32022, "no", 200, data=DATA), "with HTTP 200 instead of 400"),
        (refusal(-32022, "no"), "does not list the revisions"),
        (refusal(-32022, "no", data={"supported": "all", "requested": "1900-01-01"}), "does not list the revisions"),
        (refusal(-32022, "no", data={"supported": ["2026-07-28"]}), "does not repeat the revision"),
        (exchange("tools/list", status=400, media="text/plain", body=b"Bad Request"), "is not refused as it should be"),
        (exchange("tools/list", status=500, media="text/plain", body=b"boom"), "is not refused as it should be"),
    ],
)
def test_another_answer_of_the_stateless_era_is_a_finding(answer: Exchange, said: str) -> None:
    judged = ask(versions, opened(), answer)

    result = judged.results[-1]
    assert (result.outcome, judged.ids, judged.verdict) == (Outcome.WARN, [], Verdict.UP)
    assert said in result.findings[0].text
    assert all("/2026-07-28/" in str(finding.rule) for finding in result.findings)


@pytest.mark.parametrize(
    "answer",
    [
        refusal(-32600, "Unsupported protocol version: 1900-01-01", rpc_id="server-error"),
        refusal(-32602, "params._meta is missing", rpc_id=None),
        exchange("tools/list", status=400, media="text/plain", body=b"Bad Request"),
    ],
)
@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
def test_after_a_handshake_any_400_will_do(answer: Exchange, version: str) -> None:
    judged = ask(versions, handshake(version), answer)

    assert judged.results[-1].outcome is Outcome.PASS
    assert judged.wire.alterations[-1] == Alteration(headers={"MCP-Protocol-Version": "1900-01-01"})


@pytest.mark.parametrize("answer", [tool_page("add"), refusal(-32600, "no", 422), refusal(-32600, "no", 200)])
def test_after_a_handshake_anything_but_400_is_a_finding(answer: Exchange) -> None:
    judged = ask(versions, handshake("2025-06-18"), answer)

    assert (judged.results[-1].outcome, judged.verdict) == (Outcome.WARN, Verdict.UP)
    assert judged.results[-1].findings[0].rule == (
        "https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#protocol-version-header"
    )


@pytest.mark.parametrize(
    ("opening", "said"),
    [
        (handshake("2025-03-26"), "after a handshake of 2025-03-26"),
        (handshake("2024-11-05"), "after a handshake of 2024-11-05"),
        (handshake(transport=Transport.SSE), "over HTTP+SSE"),
        (Opening(), "no conversation is open"),
    ],
)
def test_where_no_request_names_a_revision_nothing_is_asked(opening: Opening, said: str) -> None:
    judged = ask(versions, opening)

    assert judged.results[-1].outcome is Outcome.SKIP
    assert said in judged.results[-1].summary


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (failed(Failure.DEADLINE, "exhausted", "tools/list"), "the time for this probe was used up"),
        (failed(Failure.CONNECT, "refused", "tools/list"), "connect (refused)"),
        (exchange("tools/list", status=429, media="text/plain", body=b""), "HTTP 429"),
        (exchange("tools/list", status=403, body=b'{"message":"Forbidden"}'), "HTTP 403"),
    ],
)
@pytest.mark.parametrize("opening", [opened(), handshake()])
def test_what_never_reached_the_server_is_skipped(opening: Opening, answer: Exchange, said: str) -> None:
    result = ask(versions, opening, answer).results[-1]

    assert (result.outcome, result.findings) == (Outcome.SKIP, ())
    assert said in result.summary


@pytest.mark.parametrize("data", [None, [], "x" * 100_000, {"supported": [None, 7, "v" * 500] * 50, "requested": {}}])
def test_what_the_refusal_names_is_kept_bounded(data: Any) -> None:
    hostile = exchange("tools/list", status=400, messages=[error(-32022, "no", data=data)])

    result = ask(versions, opened(), hostile).results[-1]

    assert result.outcome is Outcome.WARN
    assert len(result.facts["supported"]) <= 20
    assert all(len(each) <= 40 for each in result.facts["supported"])
    assert len(result.summary) < 500


def test_a_server_without_tools_is_asked_for_what_it_has() -> None:
    toolless = refusal(-32601, "Method not found", 404)
    refused = exchange("server/discover", status=400, messages=[error(-32022, "no", data=DATA)])
    served = exchange("ping", messages=[ok({})])
    declared = {"prompts": {}}

    stateless = ask(versions, opened(capabilities=declared), refused, listing=[toolless])
    stateful = ask(versions, handshake(capabilities=declared), served, listing=[toolless])

    assert (stateless.results[-1].outcome, stateful.results[-1].outcome) == (Outcome.PASS, Outcome.WARN)
