"""Causes around the protocol's revision: one that we cannot speak, or not the one that the owner pinned.

Source: MCP 2025-11-25, basic/lifecycle, "Version Negotiation", and 2026-07-28, basic/versioning.
"""

from collections.abc import Iterator
from typing import Final

from checks.detectors.scene import Scene
from checks.messages import error_of, result_of
from checks.model import Effect, Endpoint, Evidence, Exchange, Proof
from checks.proofs import answer_line, answer_proof, request_line
from checks.spec import NEWEST_STATELESS, REVISIONS, Era, ErrorCode, pinned_era
from checks.symptoms import Symptom, troubled
from checks.text import clean
from checks.unit import Cause, detector

ERA_CODES: Final = frozenset(
    {
        ErrorCode.METHOD_NOT_FOUND,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.INVALID_PARAMS,
        ErrorCode.UNSUPPORTED_PROTOCOL_VERSION,
        -32000,
    }
)
"""How servers of one era refuse the opening of the other. They explain less than an error of the server's own."""

_SERVE: Final = {
    Era.STATELESS: "serve 2026-07-28 again, with an SDK that knows it (Python mcp 2, TypeScript "
    "@modelcontextprotocol/server 2), and let its request headers through to the server.",
    Era.HANDSHAKE: "serve `initialize` again; official SDKs do so beside 2026-07-28 unless told not to (TypeScript "
    "createMcpHandler: legacy must not be 'reject').",
}


@detector("protocol-version-mismatch", effect=Effect.DEGRADED)
def protocol_version_mismatch(evidence: Evidence) -> Cause | None:
    """The server speaks a revision that we do not know, not the pinned one, or not the offered one that it could."""
    if evidence.opening.opener is None:
        return _nothing_in_common(evidence)
    return _unwanted(evidence) or _not_echoed(evidence)


def _unwanted(evidence: Evidence) -> Cause | None:
    """The revision spoken is not the pinned one, or one that nobody has published."""
    opener, pinned = evidence.opening.opener, evidence.endpoint.protocol_version
    spoken = "" if opener is None else opener.protocol_version
    if spoken in REVISIONS and (pinned in (None, spoken) or _pinned_era_is_missed(evidence)):
        return None
    answered = [each for each in evidence.opening.exchanges if result_of(each) is not None]
    if not answered:
        return None
    what = f"not the pinned {pinned}" if pinned is not None else "a revision that nobody has published"
    return Scene(evidence, answered[-1]).cause(
        0.9,
        f"The server negotiates {clean(spoken, 40)}, {what}.",
        "Update the server's SDK, or change `protocol_version` of the endpoint if the server is right.",
    )


def _not_echoed(evidence: Evidence) -> Cause | None:
    """A revision that the server answers to another offer is not answered to its own."""
    result = evidence.result("eras")
    violated = () if result is None else result.facts.get("echo_violations", ())
    if result is None or not violated:
        return None
    revision, revisions = violated[0], result.facts["revisions"]
    exchanges = {each.id: each for each in evidence.exchanges}
    to = [offer for offer, fact in revisions.items() if fact["instead"] == revision]
    return Scene(evidence, exchanges[revisions[revision]["exchange"]]).cause(
        0.9,
        f"Echo-rule violation: the server speaks {revision}, for it answers so where {to[0]} is offered, but where "
        f"{revision} itself is offered: {revisions[revision]['said']}.",
        "A server that supports the offered revision must answer with that one. Let the SDK negotiate, and take out a "
        "revision that is written into the code, or a gateway that answers `initialize` by itself.",
        proofs=[answer_proof(exchanges[revisions[each]["exchange"]]) for each in to[:3]],
        alternatives=(
            "Two versions of the server answer at this address, in the middle of a deploy: then a later probe finds "
            "one answer.",
        ),
    )


def _nothing_in_common(evidence: Evidence) -> Cause | None:
    """No way in worked, and the server says which revisions it would have spoken."""
    for _, symptom in troubled(evidence):
        if symptom is not Symptom.RPC_ERROR:
            return None
    offers = [(each, tuple(_offered(each))) for each in evidence.opening.exchanges]
    naming = [(each, versions) for each, versions in offers if versions]
    errors = [error for each, _ in offers if (error := error_of(each)) is not None]
    if not naming or any(error.code not in ERA_CODES for error in errors):
        return None
    exchange, versions = naming[-1]
    last = evidence.opening.exchanges[-1]
    if last is not exchange and last.rpc_method == "server/discover" and NEWEST_STATELESS in versions:
        return None  # what the server named was then offered
    return Scene(evidence, exchange).cause(
        0.85,
        f"No common revision: the server offers {', '.join(clean(each, 40) for each in versions[:5])}, "
        f"{_spoken_here(evidence.endpoint)}.",
        "Update whichever is older, the server's SDK or this prober, or take the pin off the endpoint.",
        effect=Effect.DOWN,
    )


def _spoken_here(endpoint: Endpoint) -> str:
    if endpoint.protocol_version is not None:
        return f"the endpoint is pinned to {endpoint.protocol_version}"
    if endpoint.era is not None:
        return f"the endpoint is pinned to the {endpoint.era} era"
    return f"this prober speaks {', '.join(REVISIONS)}"


def _offered(exchange: Exchange) -> Iterator[str]:
    """The revisions that a discovery or a refusal names."""
    result, error = result_of(exchange), error_of(exchange)
    named = (result or {}).get("supportedVersions")
    if error is not None and error.code == ErrorCode.UNSUPPORTED_PROTOCOL_VERSION and isinstance(error.data, dict):
        named = error.data.get("supported")
    if isinstance(named, list):
        yield from (each for each in named if isinstance(each, str))


@detector("era-unsupported", effect=Effect.DEGRADED)
def era_unsupported(evidence: Evidence) -> Cause | None:
    """The era that the endpoint's owner pinned is not served, or no longer."""
    pinned = _pinned_era(evidence)
    opener = evidence.opening.opener
    if pinned is None or opener is None or not _pinned_era_is_missed(evidence):
        return None
    method = "server/discover" if pinned is Era.STATELESS else "initialize"
    refused = [each for each in evidence.opening.exchanges if each.rpc_method == method]
    answered = [each for each in evidence.opening.exchanges if result_of(each) is not None]
    shown = [*answered, *refused][-1:]
    if not shown:
        return None
    said = f" {method} → {answer_line(refused[-1])}." if refused else ""
    return Scene(evidence, shown[0]).cause(
        0.9 if refused else 0.7,
        f"The endpoint is pinned to the {pinned.value} era, and only the {opener.era.value} era opens a conversation "
        f"({clean(opener.protocol_version, 40)}).{said}",
        f"If the pin is right: {_SERVE[pinned]}\n"
        f"If the server is right: take `era` (or `protocol_version`) of the endpoint away, or set it to "
        f"`{opener.era.value}`.",
        proofs=[_opened_by(each) for each in answered[-1:] if refused],
        alternatives=(
            f"The {pinned.value} era was served until a deploy: then the reports before it name that era, and a "
            "rollback brings it back.",
            "Two versions of the server answer at this address: then some probes find the pinned era.",
        ),
    )


def _pinned_era(evidence: Evidence) -> Era | None:
    return pinned_era(evidence.endpoint.era, evidence.endpoint.protocol_version)


def _pinned_era_is_missed(evidence: Evidence) -> bool:
    opener, pinned = evidence.opening.opener, _pinned_era(evidence)
    return opener is not None and pinned is not None and opener.era is not pinned


def _opened_by(exchange: Exchange) -> Proof:
    return Proof(text=f"opened by {request_line(exchange)} instead", exchange=exchange.id)
