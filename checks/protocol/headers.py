"""Does the server refuse a request whose headers contradict its body?"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from checks.full_profile import harmless_method, opener_of, skipped, unobserved, why_not
from checks.messages import error_of, result_of
from checks.model import CheckResult, Exchange, Finding, Outcome, Profile
from checks.proofs import answer_line
from checks.spec import (
    HEADER_METHOD,
    META_VERSION,
    NEWEST_HANDSHAKE,
    NEWEST_STATELESS,
    Chapter,
    Era,
    ErrorCode,
    section,
)
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check
from checks.wire import Alteration

_RULE: Final = section("2026-07-28", "basic/transports/streamable-http", "server-validation")
_WHY: Final = "what a gateway lets through by the headers need not be what the server then does"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One way in which headers and body disagree. The body asks for something harmless in each of them."""

    id: str
    said: str
    alteration: Alteration


CONTRADICTIONS: Final = (
    Contradiction(
        "method-differs",
        f"{HEADER_METHOD} names tools/call, the body another method",
        Alteration(headers={HEADER_METHOD: "tools/call"}),
    ),
    Contradiction("method-missing", f"{HEADER_METHOD} is missing", Alteration(headers={HEADER_METHOD: None})),
    # The body differs and not the header: official servers of both eras route by the header, and one that names a
    # handshake revision has them read the request as one of the other era.
    Contradiction(
        "version-differs",
        f"the body names revision {NEWEST_HANDSHAKE}, the header another one",
        Alteration(meta={META_VERSION: NEWEST_HANDSHAKE}),
    ),
)


class Met(StrEnum):
    """How one contradiction was met; the values stand in the check's facts."""

    REFUSED = "refused"
    """400 with -32020, or any 4xx without JSON-RPC, which something before the server may have written."""
    REFUSED_OTHERWISE = "refused-otherwise"
    ANSWERED = "answered"
    NOT_OBSERVED = "not-observed"


@check(
    "headers",
    Chapter(page="basic/transports/streamable-http", anchor="server-validation", since=NEWEST_STATELESS),
    profiles=frozenset({Profile.FULL}),
)
async def headers(ctx: CheckContext) -> CheckResult:
    """Does the server refuse a request whose headers contradict its body?

    Asks once per contradiction, always for something without effects: a server that does not look executes the body.
    Facts: `contradictions`, one `{"contradiction", "met", "status", "code", "exchange"}` for each of `CONTRADICTIONS`;
    `met` is a value of `Met`, `code` that of the JSON-RPC error or None.
    """
    reason = why_not(ctx)
    if reason is None and opener_of(ctx).era is not Era.STATELESS:
        reason = "not asked: before 2026-07-28 no header repeats what the body says"
    if reason is not None:
        return skipped("headers", reason)
    method = harmless_method(ctx)
    asked = [(each, await ctx.wire.request(method, altered=each.alteration)) for each in CONTRADICTIONS]
    exchanges = tuple(exchange for _, exchange in asked)
    findings = tuple(finding for each, exchange in asked for finding in _findings(each, exchange))
    return CheckResult(
        check="headers",
        outcome=_outcome(exchanges, findings),
        summary=_summary(exchanges, findings),
        ms=elapsed_ms(exchanges),
        exchanges=exchanges,
        findings=findings,
        facts={"contradictions": [_fact(each, exchange) for each, exchange in asked]},
    )


def _met(exchange: Exchange) -> Met:
    if result_of(exchange) is not None:
        return Met.ANSWERED
    if unobserved(exchange) is not None:
        return Met.NOT_OBSERVED
    error, status = error_of(exchange), exchange.status or 0
    if error is not None:
        specified = status == 400 and error.code == ErrorCode.HEADER_MISMATCH
        return Met.REFUSED if specified else Met.REFUSED_OTHERWISE
    return Met.REFUSED if 400 <= status < 500 else Met.REFUSED_OTHERWISE


def _findings(contradiction: Contradiction, exchange: Exchange) -> list[Finding]:
    met = _met(exchange)
    if met is Met.ANSWERED:
        text = f"security: a request is answered although {contradiction.said}; {_WHY}"
        return [Finding(text=text, rule=_RULE)]
    if met is Met.REFUSED_OTHERWISE:
        text = f"where {contradiction.said}, the refusal is not 400 with -32020: {answer_line(exchange)}"
        return [Finding(text=text, rule=_RULE)]
    return []


def _outcome(exchanges: Sequence[Exchange], findings: Sequence[Finding]) -> Outcome:
    if findings:
        return Outcome.WARN
    return Outcome.SKIP if all(_met(each) is Met.NOT_OBSERVED for each in exchanges) else Outcome.PASS


def _summary(exchanges: Sequence[Exchange], findings: Sequence[Finding]) -> str:
    if findings:
        return "; ".join(finding.text for finding in findings)
    seen = [each for each in exchanges if _met(each) is not Met.NOT_OBSERVED]
    if not seen:
        return f"not observed: {unobserved(exchanges[0])}"
    return f"{len(seen)} of {len(exchanges)} contradictions refused" + (
        "" if len(seen) == len(exchanges) else "; the others were not observed"
    )


def _fact(contradiction: Contradiction, exchange: Exchange) -> dict[str, Any]:
    error = error_of(exchange)
    return {
        "contradiction": contradiction.id,
        "met": _met(exchange).value,
        "status": exchange.status,
        "code": None if error is None else error.code,
        "exchange": exchange.id,
    }
