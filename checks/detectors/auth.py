"""Causes of a refusal for want of credentials, or in spite of them."""

from typing import Final

from checks.detectors.scene import Scene, scene
from checks.model import Effect, Evidence
from checks.proofs import header_proof, quote
from checks.spec import section
from checks.symptoms import Symptom
from checks.unit import Cause, detector

_REMAPPED: Final = "x-amzn-remapped-www-authenticate"
_DISCOVERY: Final = section("2025-11-25", "basic/authorization")
_CREDENTIAL_WORDS: Final = ("authorization", "api-key", "apikey", "token", "auth")


@detector("auth-required", effect=Effect.DOWN)
def auth_required(evidence: Evidence) -> Cause | None:
    """The endpoint asks for credentials, and none are configured."""
    found = _refused(evidence)
    if found is None or _has_credentials(evidence):
        return None
    challenged = found.exchange.header("www-authenticate") is not None
    status = found.exchange.status
    how = "with a challenge" if challenged else "without a challenge that a client could follow"
    return found.cause(
        0.9 if status == 401 else 0.5,
        f"HTTP {status} to {found.asked} {how}, and no credentials are configured.",
        "Give the prober a token by reference, never by value:\n"
        "  bearer: env:MCP_TOKEN           # in the endpoint's configuration\n"
        "or, for another scheme, `headers:` with a reference as the value.",
        proofs=(*header_proof(found.exchange, "www-authenticate"), *header_proof(found.exchange, _REMAPPED)),
        alternatives=_otherwise(found),
        effect=Effect.DOWN,
    )


@detector("auth-rejected", effect=Effect.DOWN)
def auth_rejected(evidence: Evidence) -> Cause | None:
    """The configured credentials are refused."""
    found = _refused(evidence)
    if found is None or not _has_credentials(evidence):
        return None
    status = found.exchange.status
    scope = "insufficient_scope" in (found.exchange.header("www-authenticate") or "")
    why = "they lack a scope" if scope else "expired, revoked, or for another audience"
    return found.cause(
        0.9 if status == 401 or scope else 0.6,
        f"HTTP {status} to {found.asked}: the configured credentials are refused ({why}).",
        "Renew the token behind the reference, and compare its audience and scopes with what the server asks for.",
        proofs=(*header_proof(found.exchange, "www-authenticate"), *header_proof(found.exchange, _REMAPPED)),
        alternatives=(
            *_otherwise(found),
            "CloudFront with origin access control replaces the Authorization header by its own signature: then the "
            "same token works at the Function URL itself.",
        ),
        effect=Effect.DOWN,
    )


@detector("auth-challenge-remapped", effect=Effect.DEGRADED)
def auth_challenge_remapped(evidence: Evidence) -> Cause | None:
    """The gateway renames the server's WWW-Authenticate header, so that clients cannot find where to log in."""
    found = _refused(evidence)
    if found is None or found.exchange.header(_REMAPPED) is None or found.exchange.header("www-authenticate"):
        return None
    return found.cause(
        0.9,
        f"The challenge of the 401 arrives as {_REMAPPED}, where no client looks for it.",
        "Serve the protected resource metadata at /.well-known/oauth-protected-resource of the same host, where "
        f"clients look next ({_DISCOVERY}), or answer the 401 from the gateway, whose gateway responses may set it.",
        proofs=header_proof(found.exchange, _REMAPPED),
        effect=Effect.DEGRADED,
    )


def _refused(evidence: Evidence) -> Scene | None:
    return scene(evidence, Symptom.UNAUTHENTICATED) or scene(evidence, Symptom.FORBIDDEN)


def _has_credentials(evidence: Evidence) -> bool:
    names = [name.lower() for name in evidence.endpoint.headers]
    return evidence.endpoint.bearer is not None or any(word in name for name in names for word in _CREDENTIAL_WORDS)


def _otherwise(found: Scene) -> tuple[str, ...]:
    if found.exchange.status == 401:
        return ("An authorizer of the gateway: then the function's log shows no request.",)
    return (
        "A firewall or proxy before the server: then the server's log shows no request.",
        f"The server refuses this client for a reason of its own: {quote(found.exchange)}.",
    )
