"""Scripts of web pages: whether browsers let them speak to the endpoint (Fetch standard, "CORS protocol")."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from checks.credentials import Credential, credential_headers, credentials_of
from checks.full_profile import harmless_method, published, skipped
from checks.messages import result_of
from checks.model import CheckResult, Exchange, Finding, Outcome, Profile
from checks.proofs import answer_line, counted
from checks.spec import (
    HEADER_METHOD,
    HEADER_NAME,
    HEADER_SESSION,
    HEADER_VERSION,
    NEWEST_HANDSHAKE,
    NEWEST_STATELESS,
    SESSION_DELETE_SAFE_SINCE,
    VERSION_HEADER_SINCE,
    Chapter,
    Era,
    is_at_least,
    section,
)
from checks.text import clean
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check
from checks.wire import Alteration

PROBE_ORIGIN: Final = "https://mcp-prober.invalid"
"""Stands for any web page where the owner names none: a name that nobody can have (RFC 6761)."""

ORIGIN_CAP: Final = 5

ALLOW_ORIGIN: Final = "access-control-allow-origin"
ALLOW_HEADERS: Final = "access-control-allow-headers"
ALLOW_METHODS: Final = "access-control-allow-methods"
ALLOW_CREDENTIALS: Final = "access-control-allow-credentials"
EXPOSE_HEADERS: Final = "access-control-expose-headers"

_FETCH: Final = "https://fetch.spec.whatwg.org/"
_TRANSIENT: Final = frozenset({408, 429, 503, 504})


class Problem(StrEnum):
    """What keeps a script out; the values stand in the check's facts."""

    REDIRECT = "redirect"
    STATUS = "status"
    """The preflight is answered with another status than 200 to 299."""
    ORIGIN_REFUSED = "origin-refused"
    """The server itself refuses requests that name this origin."""
    ORIGIN_MISSING = "origin-missing"
    ORIGIN_OTHER = "origin-other"
    ORIGIN_TWICE = "origin-twice"
    WILDCARD_WITH_CREDENTIALS = "wildcard-with-credentials"
    HEADERS_MISSING = "headers-missing"
    NOT_EXPOSED = "not-exposed"
    """A header that clients cannot do without stays hidden from scripts."""
    METHOD_MISSING = "method-missing"
    CHALLENGE_HIDDEN = "challenge-hidden"


CONTRADICTIONS: Final = frozenset({Problem.ORIGIN_TWICE, Problem.WILDCARD_WITH_CREDENTIALS})
"""Headers that can be meant by nobody, whether or not scripts are wanted."""

BEARABLE: Final = frozenset({Problem.METHOD_MISSING, Problem.CHALLENGE_HIDDEN})
"""What a script can live with: a session that it cannot end, a challenge that it cannot read."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One problem, with the answer that shows it."""

    problem: Problem
    text: str
    exchange: Exchange


@check("cors", Chapter(page="https://fetch.spec.whatwg.org/#http-cors-protocol"), profiles=frozenset({Profile.FULL}))
async def cors(ctx: CheckContext) -> CheckResult:
    """May a script of a web page speak to this endpoint, from every origin that its owner names?

    One preflight for each of at most `ORIGIN_CAP` origins, one more for DELETE where a session has to be ended, and
    one request that names the first origin. Where the owner names none, an origin that nobody has stands for all, and
    a refusal is no fault.
    Facts: `declared` (the owner names origins), `origins` (those asked for), `allowed` (those of them that may),
    `problems`, one `{"origin", "problem", "text", "exchange"}` each; problems are the values of `Problem`.
    """
    if not ctx.wire.opening.established:
        return skipped("cors", "not asked: no conversation is open")
    origins = tuple(dict.fromkeys(ctx.endpoint.browser_origins))[:ORIGIN_CAP] or (PROBE_ORIGIN,)
    seen: dict[str, list[_Seen]] = {}
    exchanges: list[Exchange] = []
    for origin in origins:
        seen[origin] = []
        async for exchange, problems in _ask(ctx, origin, is_first=origin == origins[0]):
            exchanges.append(exchange)
            if _says_nothing(exchange):
                return _unjudged(exchanges)
            seen[origin] += problems
    return _result(ctx, seen, exchanges)


async def _ask(ctx: CheckContext, origin: str, *, is_first: bool) -> AsyncIterator[tuple[Exchange, Iterable[_Seen]]]:
    """What is asked about one origin: the preflights, and once a request as the script would send it."""
    headers = asked_headers(ctx)
    preflight = await ctx.wire.preflight(origin, "POST", headers)
    yield preflight, _of_preflight(headers, origin, preflight)
    if not is_first:
        return
    if _ends_session(ctx) and _is_ok(preflight) and not _allows_delete(preflight):
        second = await ctx.wire.preflight(origin, "DELETE", [name for name in headers if name != "content-type"])
        yield second, _of_second_preflight(second)
    answer = await ctx.wire.request(harmless_method(ctx), altered=Alteration(headers={"Origin": origin}))
    yield answer, _of_answer(ctx, origin, answer)


def asked_headers(ctx: CheckContext) -> tuple[str, ...]:
    """The headers of a client's request that browsers ask leave for, in lower case and in order."""
    opener, owned = ctx.wire.opening.opener, credentials_of(ctx.endpoint)
    names = {"content-type", *(name.lower() for name in credential_headers(ctx.endpoint))}
    if Credential.BEARER in owned:
        names.add(ctx.endpoint.token_header.lower())
    if Credential.SIGNATURE in owned:
        names |= {"authorization", "x-amz-date"}
    if ctx.wire.opening.has_session:
        names.add(HEADER_SESSION.lower())
    if opener is not None and is_at_least(opener.protocol_version, VERSION_HEADER_SINCE):
        names.add(HEADER_VERSION.lower())
    if opener is not None and opener.era is Era.STATELESS:
        names |= {HEADER_METHOD.lower(), HEADER_NAME.lower()}
    return tuple(sorted(names))


def _of_preflight(headers: Sequence[str], origin: str, exchange: Exchange) -> Iterator[_Seen]:
    """What keeps a script out before it has sent anything (Fetch standard, "CORS-preflight fetch")."""
    status = exchange.status or 0
    if 300 <= status < 400:
        yield _Seen(Problem.REDIRECT, f"the preflight is answered with a redirect, HTTP {status}", exchange)
        return
    if not _is_ok(exchange):
        yield _Seen(Problem.STATUS, f"the preflight is answered with HTTP {status}", exchange)
        return
    yield from _of_origin(origin, exchange, "the preflight's answer")
    with_credentials = (exchange.header(ALLOW_CREDENTIALS) or "").strip() == "true"
    if _origins(exchange) == ["*"] and with_credentials:
        text = "the preflight allows every origin by * and credentials too, which browsers do not accept together"
        yield _Seen(Problem.WILDCARD_WITH_CREDENTIALS, text, exchange)
    # A wildcard covers every name but Authorization.
    missing = [each for each in headers if not _names(exchange, ALLOW_HEADERS, each, wildcard=each != "authorization")]
    if missing:
        yield _Seen(Problem.HEADERS_MISSING, f"the preflight does not allow {', '.join(missing)}", exchange)


def _of_second_preflight(exchange: Exchange) -> Iterator[_Seen]:
    if not _is_ok(exchange) or not _allows_delete(exchange):
        text = "the preflight does not allow DELETE, by which clients end a session"
        yield _Seen(Problem.METHOD_MISSING, text, exchange)


def _of_answer(ctx: CheckContext, origin: str, exchange: Exchange) -> Iterator[_Seen]:
    """What keeps a script from reading the answer to a request that it was allowed to send."""
    if result_of(exchange) is None and exchange.status == 403:
        yield _Seen(Problem.ORIGIN_REFUSED, f"a request of this origin is refused: {answer_line(exchange)}", exchange)
        return
    yield from _of_origin(origin, exchange, "an answer")
    if ctx.wire.opening.has_session and not _names(exchange, EXPOSE_HEADERS, HEADER_SESSION.lower(), wildcard=True):
        text = "answers do not expose mcp-session-id, without which a script loses its session"
        yield _Seen(Problem.NOT_EXPOSED, text, exchange)
    owned = Credential.BEARER in credentials_of(ctx.endpoint)
    if owned and not _names(exchange, EXPOSE_HEADERS, "www-authenticate", wildcard=True):
        text = "answers do not expose www-authenticate, so that a script cannot read where to log in"
        yield _Seen(Problem.CHALLENGE_HIDDEN, text, exchange)


def _of_origin(origin: str, exchange: Exchange, what: str) -> Iterator[_Seen]:
    """Fetch standard, "CORS check": one value, and this very origin or the wildcard."""
    allowed = _origins(exchange)
    shown = clean(", ".join(allowed), 120)
    if not allowed:
        yield _Seen(Problem.ORIGIN_MISSING, f"{what} has no {ALLOW_ORIGIN}", exchange)
    elif len(allowed) > 1:
        text = f"{what} has {ALLOW_ORIGIN} {len(allowed)} times ({shown}): browsers accept one value"
        yield _Seen(Problem.ORIGIN_TWICE, text, exchange)
    elif allowed[0] not in ("*", origin):
        yield _Seen(Problem.ORIGIN_OTHER, f"{what} allows {shown} and not {clean(origin, 120)}", exchange)


def _origins(exchange: Exchange) -> list[str]:
    """Every value of the header, in however many fields the server or a gateway has put them."""
    return [part.strip() for value in _fields(exchange, ALLOW_ORIGIN) for part in value.split(",") if part.strip()]


def _names(exchange: Exchange, header: str, name: str, *, wildcard: bool) -> bool:
    """Whether a list of names in a header has this one, or stands for all names where it may."""
    listed = {part.strip().lower() for value in _fields(exchange, header) for part in value.split(",")}
    return name in listed or (wildcard and "*" in listed)


def _fields(exchange: Exchange, header: str) -> list[str]:
    return [value for name, value in exchange.headers if name.lower() == header]


def _allows_delete(preflight: Exchange) -> bool:
    """POST needs no mention, because the Fetch standard has it among the safelisted methods; DELETE does."""
    return _names(preflight, ALLOW_METHODS, "delete", wildcard=True)


def _ends_session(ctx: CheckContext) -> bool:
    opening = ctx.wire.opening
    version = None if opening.opener is None else opening.opener.protocol_version
    return opening.has_session and is_at_least(version, SESSION_DELETE_SAFE_SINCE)


def _is_ok(exchange: Exchange) -> bool:
    return 200 <= (exchange.status or 0) < 300


def _says_nothing(exchange: Exchange) -> bool:
    """Whether the network, our deadline or a throttle came between."""
    return exchange.status is None or exchange.status in _TRANSIENT


def _unjudged(exchanges: Sequence[Exchange]) -> CheckResult:
    return CheckResult(
        check="cors",
        outcome=Outcome.SKIP,
        summary=f"not judged: {answer_line(exchanges[-1])}",
        ms=elapsed_ms(exchanges),
        exchanges=tuple(exchanges),
    )


def _result(ctx: CheckContext, seen: Mapping[str, Sequence[_Seen]], exchanges: Sequence[Exchange]) -> CheckResult:
    declared = bool(ctx.endpoint.browser_origins)
    problems = [(origin, each) for origin, every in seen.items() for each in every]
    told = [each for each in problems if declared or each[1].problem in CONTRADICTIONS]
    allowed = [origin for origin, every in seen.items() if not {each.problem for each in every} - BEARABLE]
    return CheckResult(
        check="cors",
        outcome=_outcome(declared=declared, clean=not problems, allowed=bool(allowed)),
        summary=_summary(declared, seen, allowed),
        ms=elapsed_ms(exchanges),
        exchanges=tuple(exchanges),
        findings=tuple(Finding(text=_named(declared, *each), rule=_rule(ctx, each[1].problem)) for each in told),
        facts={
            "declared": declared,
            "origins": list(seen),
            "allowed": allowed,
            "problems": [_fact(*each) for each in problems],
        },
    )


def _outcome(*, declared: bool, clean: bool, allowed: bool) -> Outcome:
    if declared:
        return Outcome.PASS if clean else Outcome.WARN
    return Outcome.PASS if allowed else Outcome.SKIP


def _summary(declared: bool, seen: Mapping[str, Sequence[_Seen]], allowed: Sequence[str]) -> str:
    first = next((each.text for every in seen.values() for each in every), "")
    if not declared:
        if allowed:
            return "scripts of any web page may speak to the endpoint"
        return f"no web page is known to use the endpoint, and browsers keep their scripts out: {first}"
    may = f"scripts of {len(allowed)} of {counted(len(seen), 'origin')} may speak to the endpoint"
    return f"{may}; {first}" if first else may


def _named(declared: bool, origin: str, seen: _Seen) -> str:
    return f"{clean(origin, 120)}: {seen.text}" if declared else seen.text


def _fact(origin: str, seen: _Seen) -> dict[str, Any]:
    return {"origin": origin, "problem": seen.problem.value, "text": seen.text, "exchange": seen.exchange.id}


def _rule(ctx: CheckContext, problem: Problem) -> str:
    if problem is Problem.ORIGIN_REFUSED:
        return _rule_of_origins(ctx)
    if problem in (Problem.NOT_EXPOSED, Problem.CHALLENGE_HIDDEN):
        return f"{_FETCH}#http-access-control-expose-headers"
    if problem in (Problem.ORIGIN_MISSING, Problem.ORIGIN_OTHER, Problem.ORIGIN_TWICE):
        return f"{_FETCH}#cors-check"
    return f"{_FETCH}#cors-preflight-fetch"


def _rule_of_origins(ctx: CheckContext) -> str:
    """Where the revision says that servers look at the Origin header. The first one says nothing about it."""
    opener = ctx.wire.opening.opener
    revision = published(NEWEST_HANDSHAKE if opener is None else opener.protocol_version)
    if revision >= NEWEST_STATELESS:
        return section(revision, "basic/transports/streamable-http")
    return section(max(revision, "2025-03-26"), "basic/transports", "security-warning")
