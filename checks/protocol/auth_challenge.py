"""What a client without credentials meets: the refusal, and how to find out where to log in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from checks.challenges import HEADER_REMAPPED, Challenge, challenges_of
from checks.credentials import Credential, credentials_of
from checks.front_door import front_door_of
from checks.full_profile import harmless_method, published, skipped
from checks.messages import error_of, result_of
from checks.model import CheckResult, Exchange, Failure, Finding, Outcome, Profile
from checks.proofs import answer_line, request_line, shown_json
from checks.spec import NEWEST_STATELESS, Chapter, ErrorCode, section
from checks.symptoms import Symptom, body_json, symptom_of
from checks.text import clean, shown_url
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check
from checks.wire import Alteration, Wire

RESOURCE_METADATA: Final = "/.well-known/oauth-protected-resource"
SERVER_METADATA: Final = "/.well-known/oauth-authorization-server"

_RFC_RESOURCE: Final = "https://www.rfc-editor.org/rfc/rfc9728#section-3.3"
_RFC_ISSUER: Final = "https://www.rfc-editor.org/rfc/rfc8414#section-2"
_SERVERS_READ: Final = 100
_SERVERS_KEPT: Final = 10
_GATEWAYS: Final = frozenset({Symptom.ROUTE_MISSING, Symptom.GATEWAY_REFUSED, Symptom.URL_FORBIDDEN, Symptom.URL_GONE})
_PORTS: Final = {"http": 80, "https": 443}


class Metadata(StrEnum):
    """What came of looking for the document that names the authorization servers; stands in the check's facts."""

    FOUND = "found"
    MISSING = "missing"
    FOREIGN = "foreign"
    """Named at another origin, which is not asked."""
    UNOBSERVED = "unobserved"
    """The network or the probe's deadline came between."""
    NOT_SOUGHT = "not-sought"


class Match(StrEnum):
    """How the `resource` of the document relates to the endpoint; stands in the check's facts."""

    SAME = "same"
    PARENT = "parent"
    """A path above the endpoint's, at the same origin: official clients accept it."""
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Discovery:
    """The search for the document."""

    named: str | None
    """The address in the challenge."""
    metadata: Metadata
    exchanges: tuple[Exchange, ...] = ()
    document: Any = None


@check("auth_challenge", Chapter(page="basic/authorization", since="2025-03-26"), profiles=frozenset({Profile.FULL}))
async def auth_challenge(ctx: CheckContext) -> CheckResult:
    """Does a client without credentials learn where to get some?

    Asked where credentials are configured, by one request without them; where the opening itself ended in a 401, that
    answer is judged. Then at most two documents of the endpoint's own origin are fetched, in the order in which
    clients look for them. A refusal is all that is expected where the owner's credential is a signature or a key in a
    header: no client could find out where to get one.

    Facts: `status` and `exchange` (the id) of the refusal, `open` (answered without credentials), `schemes` (of its
    challenges, in lower case), `remapped` (a gateway renamed the challenge), `resource_metadata` (the address in the
    challenge, or None), `metadata` (a value of `Metadata`), `resource` (a value of `Match`, or None),
    `authorization_servers` (as listed, at most ten).
    """
    opening = ctx.wire.opening
    if not opening.established:
        refusal = next((each for each in reversed(opening.exchanges) if each.status == 401), None)
        if refusal is None:
            return skipped("auth_challenge", "not asked: no conversation is open")
        return await _followed(ctx, refusal, ())
    if not credentials_of(ctx.endpoint):
        return skipped("auth_challenge", "not asked: no credentials are configured")
    answer = await ctx.wire.request(harmless_method(ctx), altered=Alteration(with_credentials=False))
    if answer.status == 401:
        return await _followed(ctx, answer, (answer,))
    return _not_challenged(ctx, answer)


def _not_challenged(ctx: CheckContext, answer: Exchange) -> CheckResult:
    """The result for any answer but a 401."""
    asked, said = request_line(answer), answer_line(answer)
    if result_of(answer) is not None:
        text = f"{asked} is answered without the credentials that are configured: whoever has the address can ask it"
        return _result(answer, (answer,), Outcome.WARN, text, (Finding(text=text, rule=_rule_of_errors(ctx)),))
    owned = credentials_of(ctx.endpoint)
    if _says_nothing(ctx, answer):
        return _result(answer, (answer,), Outcome.SKIP, f"not judged: {asked} without credentials → {said}")
    signed = Credential.SIGNATURE in owned and answer.status == 403
    if signed or Credential.BEARER not in owned:
        who = "IAM refuses" if signed else "the endpoint refuses"
        return _result(answer, (answer,), Outcome.PASS, f"{who} a client without credentials: {said}")
    if answer.status == 403 and symptom_of(answer) in _GATEWAYS:
        door = front_door_of(answer).value
        text = f"the {door} refuses with 403 and no challenge, before the server could say where to get credentials"
    else:
        text = f"a client without credentials is refused otherwise than with the 401 that it looks for: {said}"
    return _result(answer, (answer,), Outcome.WARN, text, (Finding(text=text, rule=_rule_of_errors(ctx)),))


def _says_nothing(ctx: CheckContext, answer: Exchange) -> bool:
    """Whether the answer is about something else than credentials, as far as one can tell."""
    status, error = answer.status or 0, error_of(answer)
    if error is not None and error.code == ErrorCode.METHOD_NOT_FOUND:
        return True
    about_session = ctx.wire.opening.has_session and status in (400, 404)
    return status < 200 or 300 <= status < 400 or status in (408, 421, 429) or status >= 500 or about_session


async def _followed(ctx: CheckContext, refusal: Exchange, asked: tuple[Exchange, ...]) -> CheckResult:
    """The result for a 401: what a client learns that follows its challenge."""
    owned = credentials_of(ctx.endpoint)
    if owned and Credential.BEARER not in owned:
        return _result(refusal, asked, Outcome.PASS, f"refused with {_challenged(refusal)}, as is right without a key")
    revision = _revision(ctx)
    found = await _discover(ctx.wire, ctx.endpoint.url, revision, challenges_of(refusal))
    findings = (*_of_challenge(refusal, found, revision), *_of_document(ctx.endpoint.url, found, revision))
    if found.metadata is Metadata.UNOBSERVED:
        outcome, findings = Outcome.SKIP, ()
    else:
        outcome = Outcome.WARN if findings else Outcome.PASS
    summary = f"401 with {_challenged(refusal)}; {_learned(found)}"
    return _result(refusal, (*asked, *found.exchanges), outcome, summary, findings, found, ctx.endpoint.url)


async def _discover(wire: Wire, url: str, revision: str, challenges: Sequence[Challenge]) -> _Discovery:
    """Look for the document where the challenge says, else at the well-known places, in the order of clients."""
    named = next(
        (each.parameters["resource_metadata"] for each in challenges if "resource_metadata" in each.parameters), None
    )
    places = (named,) if named is not None and _is_address(named) else _well_known(url, revision)
    exchanges: list[Exchange] = []
    for place in places:
        exchange = await wire.fetch(place)
        exchanges.append(exchange)
        document = _document(exchange)
        metadata = _came_of(exchange, document)
        if metadata is not Metadata.MISSING:
            return _Discovery(named=named, metadata=metadata, exchanges=tuple(exchanges), document=document)
    metadata = Metadata.MISSING if places else Metadata.NOT_SOUGHT
    return _Discovery(named=named, metadata=metadata, exchanges=tuple(exchanges))


def _well_known(url: str, revision: str) -> tuple[str, ...]:
    """Where clients look whom the challenge tells nothing.

    Source: 2025-11-25, basic/authorization, "Protected Resource Metadata Discovery Requirements"; 2025-03-26,
    basic/authorization, "Server Metadata Discovery". Before that, there was no authorization.
    """
    parts = urlsplit(url)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    if revision < "2025-03-26":
        return ()
    if revision < "2025-06-18":
        return (f"{origin}{SERVER_METADATA}",)
    root = f"{origin}{RESOURCE_METADATA}"
    return (f"{root}{path}", root) if path else (root,)


def _came_of(exchange: Exchange, document: Any) -> Metadata:
    failed = exchange.transport_error
    if failed is not None and failed.failure is Failure.BLOCKED and failed.reason == "foreign-origin":
        return Metadata.FOREIGN
    if exchange.status is None or exchange.status in (408, 429):
        return Metadata.UNOBSERVED
    return Metadata.FOUND if exchange.status == 200 and isinstance(document, dict) else Metadata.MISSING


def _document(exchange: Exchange) -> Any:
    return exchange.messages[0].data if exchange.messages else body_json(exchange)


def _of_challenge(refusal: Exchange, found: _Discovery, revision: str) -> Iterator[Finding]:
    rule = _rule_of_discovery(revision)
    if _is_remapped(refusal):
        yield Finding(text=f"the challenge arrives as {HEADER_REMAPPED}, where no client looks for it", rule=rule)
    if found.named is not None and not _is_address(found.named):
        yield Finding(text=f"resource_metadata is no address: “{clean(found.named, 80)}”", rule=rule)
    elif found.named is None and revision == "2025-06-18":
        yield Finding(text="the 401 names no resource_metadata, which this revision demands", rule=rule)
    if found.metadata is Metadata.FOREIGN:
        text = f"resource_metadata leads to another origin, {shown_url(found.named or '', 200)}: it was not asked"
        yield Finding(text=f"{text}, as cautious clients would not", rule=rule)
    elif found.metadata is Metadata.MISSING and revision >= "2025-06-18":
        last = found.exchanges[-1]
        places = " and ".join(_path(each.url) for each in found.exchanges)
        text = f"a client cannot find out where to log in: {places} → {answer_line(last)}"
        yield Finding(text=text + _hint(last), rule=rule)


def _hint(exchange: Exchange) -> str:
    """Why a gateway has nothing at a well-known place."""
    if symptom_of(exchange) is not Symptom.ROUTE_MISSING or exchange.status != 403:
        return ""
    return "; a stage of API Gateway serves nothing beside itself, so the challenge has to name a document within it"


def _of_document(url: str, found: _Discovery, revision: str) -> Iterator[Finding]:
    document = found.document
    if found.metadata is not Metadata.FOUND or found.exchanges[-1].url.endswith(SERVER_METADATA):
        return
    resource = document.get("resource")
    if not isinstance(resource, str):
        yield Finding(text="the resource metadata does not say of which resource it is", rule=_RFC_RESOURCE)
    elif _match(resource, url) is Match.OTHER:
        text = f"the resource metadata is of {shown_url(resource, 200)}, not of this endpoint: clients must not use it"
        yield Finding(text=text, rule=_RFC_RESOURCE)
    servers = document.get("authorization_servers")
    if not isinstance(servers, list) or not servers:
        rule = section(revision, _page(revision), "authorization-server-location")
        yield Finding(text="the resource metadata lists no authorization_servers", rule=rule)
        return
    schemes = ("https",) if urlsplit(url).scheme == "https" else ("https", "http")
    wrong = [each for each in servers[:_SERVERS_READ] if not (isinstance(each, str) and _is_address(each, schemes))]
    if wrong:
        yield Finding(text=f"an authorization server is no https URL: {shown_json(wrong[0], 80)}", rule=_RFC_ISSUER)


def _match(resource: str, url: str) -> Match:
    """How a document's resource relates to the address that is probed (RFC 9728 section 3.3).

    The RFC asks for the very same text. Clients compare less strictly, without regard to a final slash, the case of
    the host or a default port, and accept a path above the endpoint's.
    """
    try:
        one, other = urlsplit(resource), urlsplit(url)
        if _origin(one) != _origin(other):
            return Match.OTHER
    except ValueError:
        return Match.OTHER
    above, path = one.path.rstrip("/"), other.path.rstrip("/")
    if above == path:
        return Match.SAME if one.query in ("", other.query) else Match.OTHER
    return Match.PARENT if not one.query and path.startswith(f"{above}/") else Match.OTHER


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme)


def _is_address(text: str, schemes: Sequence[str] = ("https", "http")) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme.lower() in schemes and bool(parts.hostname)
    except ValueError:
        return False


def _shown(address: str | None) -> str | None:
    if address is None:
        return None
    return shown_url(address, 300) if _is_address(address) else clean(address, 300)


def _path(url: str) -> str:
    return clean(urlsplit(url).path, 120)


def _challenged(refusal: Exchange) -> str:
    """The challenges of a refusal, in words."""
    schemes = _schemes(challenges_of(refusal))
    return f"a challenge for {', '.join(schemes[:3])}" if schemes else "no challenge"


def _schemes(challenges: Sequence[Challenge]) -> list[str]:
    return list(dict.fromkeys(clean(each.scheme.lower(), 40) for each in challenges))


def _learned(found: _Discovery) -> str:
    """What the search ended in, in words."""
    return {
        Metadata.FOUND: "the document that names the authorization servers is there",
        Metadata.MISSING: "no document names the authorization servers",
        Metadata.FOREIGN: "the document that it names is of another origin",
        Metadata.UNOBSERVED: "the document could not be fetched for a reason that is not the server's",
        Metadata.NOT_SOUGHT: "its revision knows no document to look for",
    }[found.metadata]


def _is_remapped(refusal: Exchange) -> bool:
    return refusal.header(HEADER_REMAPPED) is not None and not challenges_of(refusal)


def _revision(ctx: CheckContext) -> str:
    """The revision whose rules hold: where none was negotiated, the newest."""
    opener = ctx.wire.opening.opener
    return NEWEST_STATELESS if opener is None else published(opener.protocol_version)


def _page(revision: str) -> str:
    stateless = revision >= NEWEST_STATELESS
    return "basic/authorization/authorization-server-discovery" if stateless else "basic/authorization"


def _rule_of_discovery(revision: str) -> str:
    if revision < "2025-06-18":
        return section("2025-03-26", "basic/authorization", "server-metadata-discovery")
    anchor = "protected-resource-metadata-discovery-requirements"
    return section(revision, _page(revision), "authorization-server-location" if revision == "2025-06-18" else anchor)


def _rule_of_errors(ctx: CheckContext) -> str:
    """Where the revision says that authorization is demanded by a 401. The first one says nothing about it."""
    return section(max(_revision(ctx), "2025-03-26"), "basic/authorization", "error-handling")


def _result(
    refusal: Exchange,
    exchanges: tuple[Exchange, ...],
    outcome: Outcome,
    summary: str,
    findings: tuple[Finding, ...] = (),
    found: _Discovery | None = None,
    url: str = "",
) -> CheckResult:
    document = found.document if found is not None and isinstance(found.document, dict) else {}
    resource, servers = document.get("resource"), document.get("authorization_servers")
    listed = servers if isinstance(servers, list) else []
    return CheckResult(
        check="auth_challenge",
        outcome=outcome,
        summary=summary,
        ms=elapsed_ms(exchanges),
        exchanges=exchanges,
        findings=findings,
        facts={
            "status": refusal.status,
            "exchange": refusal.id,
            "open": result_of(refusal) is not None,
            "schemes": _schemes(challenges_of(refusal)),
            "remapped": _is_remapped(refusal),
            "resource_metadata": None if found is None else _shown(found.named),
            "metadata": (Metadata.NOT_SOUGHT if found is None else found.metadata).value,
            "resource": _match(resource, url).value if isinstance(resource, str) else None,
            "authorization_servers": [_shown(each) for each in listed[:_SERVERS_KEPT] if isinstance(each, str)],
        },
    )
