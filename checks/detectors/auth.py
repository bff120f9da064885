"""Causes of a refusal for want of credentials, or in spite of them."""

from typing import Final

from checks.challenges import HEADER_REMAPPED, challenges_of
from checks.credentials import credentials_of
from checks.detectors.scene import Scene, scene
from checks.front_door import FrontDoor
from checks.model import Effect, Evidence, Exchange, Outcome, Proof
from checks.proofs import header_proof, quote
from checks.protocol.auth_challenge import Metadata
from checks.spec import section
from checks.symptoms import Symptom, error_message, error_type
from checks.text import clean
from checks.unit import Cause, detector

_DISCOVERY: Final = section("2025-11-25", "basic/authorization")

_CHALLENGE_FIX: Final = """
Clients cannot tell from this 401 where to log in. Let the gateway say it (AWS::Serverless::Api):
  GatewayResponses:
    UNAUTHORIZED:
      ResponseParameters: { Headers: { WWW-Authenticate: "'Bearer resource_metadata=\\"URL\\"'" } }
or let the application judge tokens, behind no authorizer."""


_METHODS_LISTED: Final = (
    "A server of the handshake era that leaves the methods which it knows open, and no other: then a probe with the "
    "era pinned (--era handshake, or `era: handshake` in the configuration) opens it."
)


@detector("auth-required", effect=Effect.DOWN)
def auth_required(evidence: Evidence) -> Cause | None:
    """The endpoint asks for credentials, and none are configured."""
    found = _refused(evidence)
    if found is None or credentials_of(evidence.endpoint):
        return None
    challenged = found.exchange.header("www-authenticate") is not None
    status = found.exchange.status
    how = "with a challenge" if challenged else "without a challenge that a client could follow"
    authorizer = _by_authorizer(found)
    who = f" by an authorizer of the {found.door.value}," if authorizer else ""
    return found.cause(
        0.9 if status == 401 else 0.5,
        f"HTTP {status} to {found.asked}{who} {how}, and no credentials are configured.",
        "Give the prober credentials, each secret by reference and never by value:\n"
        "  --bearer env:MCP_TOKEN            auth: {bearer: env:MCP_TOKEN}        # a token\n"
        "  --oauth-token-url URL …           auth: {oauth: {token_url: URL, …}}   # a client of its own\n"
        "  --sigv4                           auth: {sigv4: true}                  # where IAM guards\n"
        "  --header X-Api-Key=env:API_KEY    headers: {X-Api-Key: env:API_KEY}    # another scheme\n"
        "on the command line, or in the endpoint's configuration."
        f"{'' if challenged or not authorizer else _CHALLENGE_FIX}",
        proofs=(*_challenge_proofs(found), *_discovery_proof(evidence)),
        alternatives=_otherwise(found),
        effect=Effect.DOWN,
    )


@detector("auth-rejected", effect=Effect.DOWN)
def auth_rejected(evidence: Evidence) -> Cause | None:
    """The configured credentials are refused."""
    found = _refused(evidence)
    if found is None or not credentials_of(evidence.endpoint):
        return None
    status = found.exchange.status
    scope = _wanted_scope(found)
    lacking = "they lack a scope" if not scope else f"they lack the scope {clean(scope, 120)}"
    why = _why_refused(evidence, found) if scope is None else lacking
    return found.cause(
        0.9 if status == 401 or scope is not None else 0.6,
        f"HTTP {status} to {found.asked}: the configured credentials are refused ({why}).",
        _renewal(evidence, found),
        proofs=_challenge_proofs(found),
        alternatives=(
            *_otherwise(found),
            "CloudFront with origin access control replaces the Authorization header by its own signature: then the "
            "same token works at the Function URL itself.",
        ),
        effect=Effect.DOWN,
    )


def _why_refused(evidence: Evidence, found: Scene) -> str:
    if _key_is_unknown(evidence, found):
        return "AWS does not know the access key"
    return "expired, revoked, or for another audience"


def _renewal(evidence: Evidence, found: Scene) -> str:
    if _key_is_unknown(evidence, found):
        return (
            "Give the prober an AWS access key that is in use: compare AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, "
            "for temporary keys, AWS_SESSION_TOKEN, or AWS_PROFILE. `aws sts get-caller-identity` in its place tells "
            "whether AWS knows them."
        )
    if evidence.endpoint.oauth is not None:
        return (
            "The authorization server gave a token that the endpoint refuses: compare its audience and scopes with "
            "what the server asks for, and set `resource` and `scope` under `oauth` (--oauth-resource, --oauth-scope)."
        )
    return (
        "Renew the token behind the reference (`bearer` or a header in the configuration, --bearer or --header), and "
        "compare its audience and scopes with what the server asks for."
    )


def _key_is_unknown(evidence: Evidence, found: Scene) -> bool:
    """IAM User Guide, "Troubleshoot access keys": what AWS says to a key that was deleted, or never was."""
    signed = evidence.endpoint.sigv4 is not None
    unknown = error_type(found.exchange) == "UnrecognizedClientException"
    return signed and (unknown or (error_message(found.exchange) or "").lower().startswith("the security token incl"))


@detector("auth-challenge-remapped", effect=Effect.DEGRADED)
def auth_challenge_remapped(evidence: Evidence) -> Cause | None:
    """The gateway renames the server's WWW-Authenticate header, so that clients cannot find where to log in."""
    found = _remapped(evidence)
    if found is None:
        return None
    elsewhere = _metadata(evidence) == Metadata.FOUND
    rescued = "; the metadata at the well-known place makes up for it" if elsewhere else ""
    return found.cause(
        0.9,
        f"The challenge of the {found.exchange.status} arrives as {HEADER_REMAPPED}, where no client looks for "
        f"it{rescued}.",
        "Serve the protected resource metadata at /.well-known/oauth-protected-resource of the same host, where "
        f"clients look next ({_DISCOVERY}; those of 2025-06-18 read the challenge alone), or let an authorizer of the "
        "gateway refuse, whose gateway responses may set the header:\n"
        "  GatewayResponses:               # of an AWS::Serverless::Api\n"
        "    UNAUTHORIZED:\n"
        "      ResponseParameters:\n"
        "        Headers:\n"
        '          WWW-Authenticate: "\'Bearer resource_metadata=\\"URL\\"\'"',
        proofs=header_proof(found.exchange, HEADER_REMAPPED),
        effect=Effect.INFORMATION if elsewhere else Effect.DEGRADED,
    )


def _remapped(evidence: Evidence) -> Scene | None:
    """A refusal whose challenge was renamed: of the opening, or of the question that was put without credentials."""
    found = _refused(evidence)
    if found is not None and _is_remapped(found.exchange):
        return found
    asked = evidence.result("auth_challenge")
    refused = [each for each in (asked.exchanges if asked is not None else ()) if each.status in (401, 403)]
    return next((Scene(evidence, each) for each in refused if each.rpc_id is not None and _is_remapped(each)), None)


def _is_remapped(exchange: Exchange) -> bool:
    return exchange.header(HEADER_REMAPPED) is not None and not exchange.header("www-authenticate")


def _metadata(evidence: Evidence) -> str | None:
    """What came of looking for the metadata, where the probe did."""
    asked = evidence.result("auth_challenge")
    return None if asked is None else asked.facts.get("metadata")


def _challenge_proofs(found: Scene) -> tuple[Proof, ...]:
    return (*header_proof(found.exchange, "www-authenticate"), *header_proof(found.exchange, HEADER_REMAPPED))


def _discovery_proof(evidence: Evidence) -> tuple[Proof, ...]:
    """What a client learns that follows the challenge, where the probe has tried."""
    asked = evidence.result("auth_challenge")
    if asked is None or asked.outcome is Outcome.SKIP:
        return ()
    return (Proof(text=f"auth_challenge: {asked.summary}"),)


def _wanted_scope(found: Scene) -> str | None:
    """The scope that the credentials lack, as the challenge says; empty where it does not name it."""
    for challenge in challenges_of(found.exchange):
        if challenge.parameters.get("error") == "insufficient_scope":
            return challenge.parameters.get("scope", "")
    return None


def _refused(evidence: Evidence) -> Scene | None:
    return scene(evidence, Symptom.UNAUTHENTICATED) or scene(evidence, Symptom.FORBIDDEN)


def _by_authorizer(found: Scene) -> bool:
    """Whether the gateway refused, not the application: nothing was traced, or nothing but the gateway's word came."""
    if found.exchange.status != 401:
        return False
    if found.door is FrontDoor.REST_API:
        return found.exchange.header("x-amzn-trace-id") is None
    said = (error_message(found.exchange) or "").strip().lower()
    return found.door is FrontDoor.HTTP_API and said == "unauthorized"


def _otherwise(found: Scene) -> tuple[str, ...]:
    listed = (_METHODS_LISTED,) if found.exchange.rpc_method == "server/discover" else ()
    if found.exchange.status == 401:
        if _by_authorizer(found):
            return ("The application's own refusal: then the function's log shows the request.",)
        return ("An authorizer of the gateway: then the function's log shows no request.", *listed)
    return (
        *listed,
        "A firewall or proxy before the server: then the server's log shows no request.",
        f"The server refuses this client for a reason of its own: {quote(found.exchange)}.",
    )
