"""Causes around the protocol's revision: one that we cannot speak, or not the one that the owner pinned."""

from collections.abc import Iterator
from typing import Final

from checks.detectors.scene import Scene
from checks.messages import error_of, result_of
from checks.model import Effect, Endpoint, Evidence, Exchange
from checks.spec import REVISIONS, ErrorCode
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


@detector("protocol-version-mismatch", effect=Effect.DEGRADED)
def protocol_version_mismatch(evidence: Evidence) -> Cause | None:
    """The server speaks a revision that we do not know, or not the one that the endpoint's owner pinned."""
    if evidence.opening.opener is None:
        return _nothing_in_common(evidence)
    spoken, pinned = evidence.opening.opener.protocol_version, evidence.endpoint.protocol_version
    if spoken in REVISIONS and pinned in (None, spoken):
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
    del evidence
    return None
