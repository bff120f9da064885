"""Does the server refuse a revision that it cannot know, in the way that its own revision says?"""

from collections.abc import Iterator
from typing import Any, Final

from checks.full_profile import NO_REVISION, harmless_method, opener_of, published, skipped, unobserved, why_not
from checks.messages import error_of, result_of
from checks.model import CheckResult, Exchange, Finding, Opener, Outcome, Profile
from checks.proofs import answer_line, shown_json
from checks.spec import (
    HEADER_VERSION,
    META_VERSION,
    NEWEST_HANDSHAKE,
    NEWEST_STATELESS,
    VERSION_HEADER_SINCE,
    Chapter,
    Era,
    ErrorCode,
    Transport,
    is_at_least,
    section,
)
from checks.text import clean
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check
from checks.wire import Alteration

_NAMES_KEPT: Final = 20


@check(
    "versions",
    Chapter(page="basic/lifecycle", anchor="version-negotiation", until=NEWEST_HANDSHAKE),
    Chapter(page="basic/versioning", anchor="protocol-version-negotiation", since=NEWEST_STATELESS),
    profiles=frozenset({Profile.FULL}),
)
async def versions(ctx: CheckContext) -> CheckResult:
    """Does the server refuse a revision that it cannot know, in the way that its own revision says?

    Makes one request that claims `NO_REVISION`. In the stateless era header and body claim it, and 400 with -32022 and
    the list of what is supported must come; after a handshake of 2025-06-18 or later the header alone, and 400 must.
    Facts: `claimed`, `status` and `code` of the refusal (None where there is none), `supported` (the revisions that it
    names, at most `_NAMES_KEPT`), `exchange`.
    """
    reason = why_not(ctx) or _does_not_apply(opener_of(ctx))
    if reason is not None:
        return skipped("versions", reason)
    opener = opener_of(ctx)
    stateless = opener.era is Era.STATELESS
    claim = Alteration(headers={HEADER_VERSION: NO_REVISION}, meta={META_VERSION: NO_REVISION} if stateless else {})
    exchange = await ctx.wire.request(harmless_method(ctx), altered=claim)
    unseen = unobserved(exchange)
    findings = () if unseen is not None else tuple(_stateless(exchange) if stateless else _handshake(exchange, opener))
    return CheckResult(
        check="versions",
        outcome=Outcome.SKIP if unseen is not None else Outcome.WARN if findings else Outcome.PASS,
        summary=_summary(exchange, unseen, findings),
        ms=elapsed_ms((exchange,)),
        exchanges=(exchange,),
        findings=findings,
        facts=_facts(exchange),
    )


def _does_not_apply(opener: Opener) -> str | None:
    if opener.era is Era.STATELESS:
        return None
    if opener.transport is Transport.SSE:
        return "not asked: over HTTP+SSE no request names a revision after the handshake"
    if not is_at_least(opener.protocol_version, VERSION_HEADER_SINCE):
        return f"not asked: after a handshake of {clean(opener.protocol_version, 40)} no request names a revision"
    return None


def _stateless(exchange: Exchange) -> Iterator[Finding]:
    rule = section("2026-07-28", "basic/versioning", "protocol-version-negotiation")
    error = error_of(exchange)
    if error is None:
        yield Finding(text=f"a request of revision {NO_REVISION} {_met(exchange)}", rule=rule)
        return
    if error.code != ErrorCode.UNSUPPORTED_PROTOCOL_VERSION:
        text = f"refuses revision {NO_REVISION} with {answer_line(exchange)}, not with -32022"
        yield Finding(text=text, rule=rule)
        return
    if exchange.status != 400:
        by_status = section("2026-07-28", "basic/transports/streamable-http", "protocol-version-header")
        yield Finding(text=f"refuses revision {NO_REVISION} with HTTP {exchange.status} instead of 400", rule=by_status)
    data = error.data if isinstance(error.data, dict) else {}
    if not _revisions(data.get("supported")):
        text = f"the refusal does not list the revisions that are supported ({shown_json(data.get('supported'), 60)})"
        yield Finding(text=text, rule=rule)
    if data.get("requested") != NO_REVISION:
        text = f"the refusal does not repeat the revision that was asked for ({shown_json(data.get('requested'), 60)})"
        yield Finding(text=text, rule=rule)


def _handshake(exchange: Exchange, opener: Opener) -> Iterator[Finding]:
    if exchange.status != 400:
        revision = published(opener.protocol_version)
        rule = section(revision, "basic/transports", "protocol-version-header")
        text = f"a request with {HEADER_VERSION}: {NO_REVISION} {_met(exchange)}"
        yield Finding(text=text, rule=rule)


def _met(exchange: Exchange) -> str:
    if result_of(exchange) is not None:
        return "is served instead of refused"
    return f"is not refused as it should be: {answer_line(exchange)}"


def _summary(exchange: Exchange, unseen: str | None, findings: tuple[Finding, ...]) -> str:
    if unseen is not None:
        return f"not observed: {unseen}"
    if findings:
        return "; ".join(finding.text for finding in findings)
    return f"revision {NO_REVISION} is refused: {answer_line(exchange)}"


def _facts(exchange: Exchange) -> dict[str, Any]:
    error = error_of(exchange)
    data = error.data if error is not None and isinstance(error.data, dict) else {}
    named = _revisions(data.get("supported"))[:_NAMES_KEPT]
    return {
        "claimed": NO_REVISION,
        "status": exchange.status,
        "code": None if error is None else error.code,
        "supported": [clean(each, 40) for each in named],
        "exchange": exchange.id,
    }


def _revisions(named: Any) -> list[str]:
    return [each for each in named if isinstance(each, str)] if isinstance(named, list) else []
