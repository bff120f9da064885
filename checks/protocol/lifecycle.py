"""The opening of the conversation: `initialize` with its notification, or `server/discover`."""

from collections.abc import Iterator
from typing import Final

from checks.cuts import never_ends
from checks.messages import error_of
from checks.model import CheckResult, Exchange, Finding, Opening, Outcome
from checks.proofs import answer_line, request_line
from checks.second_look import after_failed_opening
from checks.shapes import of_opening, rulebook
from checks.spec import NEWEST_HANDSHAKE, NEWEST_STATELESS, REVISIONS, Chapter, Era, section
from checks.symptoms import Symptom, symptom_of
from checks.text import clean
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check

_OPENS: Final = {Era.HANDSHAKE: "initialize", Era.STATELESS: "server/discover"}

_UNKNOWN_METHOD: Final = "https://www.jsonrpc.org/specification#error_object"


@check(
    "lifecycle",
    Chapter(page="basic/lifecycle", anchor="initialization", until=NEWEST_HANDSHAKE),
    Chapter(page="server/discover", since=NEWEST_STATELESS),
)
async def lifecycle(ctx: CheckContext) -> CheckResult:
    """Does the server open a conversation as one of the published revisions says?

    The wire has opened the conversation, or failed to, before the first check. A request of its own is made only where
    a front door answered for a function that failed.
    Facts: `server_name`, `server_version` (what the server calls itself, or None), `has_session`, `asked_again` (ids
    of the exchanges of a second look).
    """
    opening = ctx.wire.opening
    again = () if opening.established else await after_failed_opening(ctx)
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
        exchanges=(*opening.exchanges, *again),
        findings=findings,
        facts={
            "server_name": opening.server_name,
            "server_version": opening.server_version,
            "has_session": opening.has_session,
            "asked_again": [each.id for each in again],
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
    """Deviations in the part of the opening that worked; what was tried before was asked in another era."""
    if opening.opener is None:
        return
    era, revision = opening.opener.era, rulebook(opening.opener)
    for number, exchange in enumerate(opening.exchanges):
        if _OPENS[era] == exchange.rpc_method and symptom_of(exchange) is Symptom.ANSWERED:
            yield from of_opening(exchange, opening.exchanges[:number], revision)
        if era is Era.HANDSHAKE and _failed_at_discover(exchange):
            text = f"fails at {request_line(exchange)}, which clients ask first of all: {answer_line(exchange)}"
            yield Finding(text=text, rule=_UNKNOWN_METHOD)
        if exchange.rpc_method == "notifications/initialized":
            yield from _of_notification(exchange, revision)
    if opening.opener.protocol_version not in REVISIONS:
        text = f"negotiated the unpublished revision {clean(opening.opener.protocol_version, 40)}"
        yield Finding(text=text, rule=section(NEWEST_HANDSHAKE, "basic/lifecycle", "version-negotiation"))


def _failed_at_discover(exchange: Exchange) -> bool:
    unanswered = (exchange.status or 0) >= 500 and error_of(exchange) is None
    return unanswered and exchange.rpc_method == _OPENS[Era.STATELESS]


def _of_notification(exchange: Exchange, revision: str) -> Iterator[Finding]:
    status = exchange.status
    if never_ends(exchange):
        rule = section(max(revision, "2025-03-26"), "basic/transports", "sending-messages-to-the-server")
        yield Finding(text="takes a notification and never ends its answer, which has no body", rule=rule)
    if status is not None and status != 202 and status != 204 and revision >= "2025-03-26":
        rule = section(revision, "basic/transports", "sending-messages-to-the-server")
        yield Finding(text=f"answers a notification with HTTP {status} instead of 202", rule=rule)
