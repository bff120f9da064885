"""The opening of the conversation: `initialize` with its notification, or `server/discover`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from checks.messages import result_of
from checks.model import CheckResult, Exchange, Finding, Opening, Outcome
from checks.proofs import answer_line, request_line, shown_json
from checks.spec import HEADER_SESSION, REVISIONS, Era, section
from checks.symptoms import Symptom, symptom_of
from checks.text import clean
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check

_DISCOVER_FIELDS: Final[Mapping[str, type]] = {
    "resultType": str,
    "supportedVersions": list,
    "capabilities": dict,
    "ttlMs": int,
    "cacheScope": str,
}
_INITIALIZE_FIELDS: Final[Mapping[str, type]] = {"protocolVersion": str, "capabilities": dict, "serverInfo": dict}
_KIND_NAMES: Final = {str: "a string", list: "an array", dict: "an object", int: "an integer"}


@check("lifecycle")
async def lifecycle(ctx: CheckContext) -> CheckResult:
    """Does the server open a conversation as one of the published revisions says?

    Makes no request of its own: the wire has opened the conversation, or failed to, before the first check.
    Facts: `server_name`, `server_version` (what the server calls itself, or None), `has_session`.
    """
    opening = ctx.wire.opening
    findings = tuple(_violations(opening))
    if not opening.established:
        outcome, summary = Outcome.FAIL, _failure(opening)
    else:
        outcome, summary = (Outcome.WARN if findings else Outcome.PASS), _success(opening)
    return CheckResult(
        check="lifecycle",
        outcome=outcome,
        summary=summary,
        ms=elapsed_ms(opening.exchanges),
        exchanges=opening.exchanges,
        findings=findings,
        facts={
            "server_name": opening.server_name,
            "server_version": opening.server_version,
            "has_session": opening.has_session,
        },
    )


def _success(opening: Opening) -> str:
    assert opening.opener is not None
    name = clean(" ".join(part for part in (opening.server_name, opening.server_version) if part), 80)
    how = f"{opening.opener.protocol_version} over {opening.opener.transport.value}, {opening.opener.era.value} era"
    return f"{name} speaks {how}" if name else f"the server speaks {how}"


def _failure(opening: Opening) -> str:
    if not opening.exchanges:
        return "no conversation could be opened"
    asked = [each for each in opening.exchanges if each.rpc_id is not None] or list(opening.exchanges)
    return f"no conversation could be opened: {request_line(asked[-1])} → {answer_line(asked[-1])}"


def _violations(opening: Opening) -> Iterator[Finding]:
    """Deviations from rules that the specification states with MUST; what clients survive is no failure."""
    if opening.opener is None:
        return
    revision = opening.opener.protocol_version
    for exchange in opening.exchanges:
        if symptom_of(exchange) is Symptom.ANSWERED:
            yield from _of_result(exchange, opening.opener.era, revision)
        if exchange.rpc_method == "notifications/initialized":
            yield from _of_notification(exchange, revision)
    if revision not in REVISIONS:
        rule = section("2025-11-25", "basic/lifecycle", "version-negotiation")
        yield Finding(text=f"negotiated the unpublished revision {clean(revision, 40)}", rule=rule)


def _of_result(exchange: Exchange, era: Era, revision: str) -> Iterator[Finding]:
    result = result_of(exchange) or {}
    if exchange.rpc_method == "server/discover" and era is Era.STATELESS:
        yield from _missing(result, _DISCOVER_FIELDS, section("2026-07-28", "server/discover"))
        if exchange.header(HEADER_SESSION) is not None:
            rule = section("2026-07-28", "basic/transports/streamable-http")
            yield Finding(text="hands out a session id, which this revision has removed", rule=rule)
    if exchange.rpc_method == "initialize" and era is Era.HANDSHAKE:
        known = revision if revision in REVISIONS else "2025-11-25"
        rule = section(known, "basic/lifecycle", "initialization")
        yield from _missing(result, _INITIALIZE_FIELDS, rule)
        yield from _of_session(exchange, known)
    if isinstance(_first(exchange), list):
        rule = section("2025-06-18", "basic/transports", "sending-messages-to-the-server")
        yield Finding(text=f"answers the single request {exchange.rpc_method} with a batch array", rule=rule)


def _missing(result: Mapping[str, Any], fields: Mapping[str, type], rule: str) -> Iterator[Finding]:
    for name, kind in fields.items():
        if not isinstance(result.get(name), kind):
            given = shown_json(result[name], 60) if name in result else "missing"
            yield Finding(text=f"{name} of the opening result is not {_KIND_NAMES[kind]} ({given})", rule=rule)


def _of_session(exchange: Exchange, revision: str) -> Iterator[Finding]:
    session = exchange.header(HEADER_SESSION)
    if session is not None and not all("!" <= character <= "~" for character in session):
        rule = section(revision, "basic/transports", "session-management")
        yield Finding(text="the session id has characters outside visible ASCII", rule=rule)


def _of_notification(exchange: Exchange, revision: str) -> Iterator[Finding]:
    status = exchange.status
    if status is not None and status != 202 and status != 204 and revision >= "2025-03-26":
        rule = section("2025-11-25", "basic/transports", "sending-messages-to-the-server")
        yield Finding(text=f"answers a notification with HTTP {status} instead of 202", rule=rule)


def _first(exchange: Exchange) -> Any:
    return exchange.messages[0].data if exchange.messages else None
