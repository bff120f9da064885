"""Causes on the way to the endpoint: name, connection, certificate, silence, and ourselves."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from checks.detectors.scene import Scene, scene
from checks.model import Effect, Evidence, Observer, Proof, TransportError
from checks.observing import CLOCK, LAG, NO_CONNECTIVITY
from checks.proofs import milliseconds
from checks.symptoms import Symptom, troubled
from checks.text import clean
from checks.unit import Cause, detector

_TRUST: Final = (
    "Serve the whole chain from a public authority. For a private one, add its root to the trust store of the prober, "
    "or set verify_tls: false for this endpoint."
)
_TLS_FIXES: Final[Mapping[str, str]] = {
    "expired": "Renew the certificate; one issued by ACM and validated by DNS renews itself.",
    "not-yet-valid": "Wait until the certificate's first day, or correct the clock of whoever issued it, or ours.",
    "name-mismatch": "Use a name that the certificate covers, or add this one to it; an API Gateway custom domain also "
    "needs its DNS record to point at the gateway's regional name.",
    "self-signed": _TRUST,
    "untrusted": _TRUST,
    "revoked": "Replace the certificate: its authority has withdrawn it.",
    "protocol": "Allow TLS 1.2 or newer on the endpoint (security policy TLS_1_2 of an API Gateway custom domain), and "
    "check that this port speaks TLS at all.",
    "closed": "Check that this port speaks TLS, and that nothing on the way cuts connections by their server name.",
    "timeout": "Check that this port speaks TLS, and what on the way holds the handshake up.",
}
"""By the reason that the failure carries."""

_ALLOWABLE: Final = frozenset({"private", "loopback", "port"})
"""Reasons of a refusal that the owner can lift."""

_ALLOW: Final = (
    "If this address is meant, allow its range under `network: allow_cidrs:` (or `allow_private: true`) in the "
    "configuration."
)
_PLAIN_HTTP: Final = (
    "Give the endpoint an https address: over plain http its credentials could be read on the way. If this address is "
    "in a network of your own, list that under `network: allow_cidrs:` in the configuration."
)
_NEVER_ALLOWED: Final = (
    "No setting allows this address. Give the endpoint a public one, or a private one that the configuration allows; "
    "if its name should not lead here, correct the DNS record."
)

_OWN_FIXES: Final[Mapping[str, str]] = {
    "secret": "Make the secret available to the prober: set the variable, mount the file or allow the prober to read "
    "the secret that the reference names, and where the configuration has `secrets: allow:`, add it there.",
    "aws-credentials": "Give the prober AWS credentials: a role for its task, pod or instance, or AWS_ACCESS_KEY_ID "
    "and AWS_SECRET_ACCESS_KEY. `aws sts get-caller-identity` in its place tells whether it has any.",
    "aws-region": "Say in which region the secrets are: AWS_REGION in the prober's environment, or `region` in its AWS "
    "profile.",
    "aws-away": "Let the prober reach AWS: a way out to the internet or a VPC endpoint of the service, and nothing in "
    "AWS_ENDPOINT_URL that is no longer there.",
    "token-endpoint-blocked": "Allow the token endpoint's address, if it is meant, under `network: allow_cidrs:` in "
    "the configuration; beyond such networks it wants https. The authorization server was not asked.",
    NO_CONNECTIVITY: "Look at the network of the machine that the prober runs on. Where it may reach the endpoints and "
    "nothing else, name places that it does reach under `observer: canaries:` in the configuration, or to `check` with "
    "--canary.",
    CLOCK: "Set the clock of the machine that the prober runs on, and have it kept by NTP.",
    LAG: "Give the prober more of a processor, or fewer endpoints: something kept its process from running in time. "
    "`observer: lag:` in the configuration is the delay from which it does not believe itself.",
    "token-endpoint": "Look at the authorization server: whether it is up, and whether it still knows this client, its "
    "secret, scope and resource.",
}
"""By the reason why we could not ask."""

_OWN_MACHINE: Final = "Look at the machine that the prober runs on: its network, resolver, clock and load."


@detector("dns-failure", effect=Effect.DOWN)
def dns_failure(evidence: Evidence) -> Cause | None:
    """The name of the endpoint does not resolve."""
    found = scene(evidence, Symptom.DNS, tool_calls=True)
    if found is None:
        return None
    host, reason = _host(found), clean(_error(found).reason, 60)
    certain = reason in ("not-found", "invalid-name")
    return found.cause(
        0.95 if certain else 0.7,
        f"The name {host} does not resolve ({reason}).",
        f"Compare {host} with the address in the console (region and spelling), and for a domain of your own restore "
        "its DNS record. Names of Function URLs resolve even after their deletion, so the URL itself is likely wrong.",
        alternatives=() if certain else ("The prober's own resolver is in trouble: then other names fail, too.",),
    )


@detector("connect-failure", effect=Effect.DOWN)
def connect_failure(evidence: Evidence) -> Cause | None:
    """The name resolves, but no TCP connection comes about."""
    found = scene(evidence, Symptom.CONNECT, tool_calls=True)
    if found is None:
        return None
    return found.cause(
        0.95,
        f"No connection to {_place(found)}: {clean(_error(found).reason, 60)}.",
        f"Check that something listens at {_place(found)} and that security groups, network ACLs and the load "
        "balancer's listener let this prober in. AWS front doors themselves always accept on port 443.",
        proofs=_address(found),
    )


@detector("tls-invalid", effect=Effect.DOWN)
def tls_invalid(evidence: Evidence) -> Cause | None:
    """The TLS handshake fails: certificate expired, wrong name, untrusted, or no common protocol."""
    found = scene(evidence, Symptom.TLS, tool_calls=True)
    if found is None:
        return None
    error = _error(found)
    return found.cause(
        0.95,
        f"The TLS handshake with {_host(found)} fails: {clean(error.reason, 60)} ({clean(error.detail, 160)}).",
        _TLS_FIXES.get(error.reason, _TRUST),
        proofs=_address(found),
    )


@detector("response-timeout", effect=Effect.DOWN)
def response_timeout(evidence: Evidence) -> Cause | None:
    """Connected, but no complete answer before the deadline, and no sign of which part of the platform is at fault."""
    found = scene(evidence, Symptom.TIMEOUT, tool_calls=True)
    if found is None or _had_no_time_left(evidence):
        return None
    waited = milliseconds(found.exchange.timings.total_ms)
    status = found.exchange.status
    came = "without a first byte" if status is None else f"with HTTP {status} begun but not finished"
    return found.cause(
        0.7,
        f"No answer to {found.asked}: {waited} {came}, against a deadline of "
        f"{milliseconds(evidence.endpoint.timeout_s * 1000)} for the whole probe.",
        "Look in the function's log for `Task timed out` and for the duration of the request. If the server is merely "
        "slow, raise `timeout` of the endpoint; if it hangs, bound its own calls to other services.",
        proofs=_address(found),
        alternatives=(
            "The application never becomes ready behind the Lambda Web Adapter (wrong AWS_LWA_PORT or readiness "
            "path): then every method, OPTIONS too, takes as long as the function's timeout.",
            "A function in a VPC without a route to what it calls: then its log shows the request and nothing after.",
            "A cold start longer than the deadline: then a second probe right after this one succeeds.",
        ),
    )


def _had_no_time_left(evidence: Evidence) -> bool:
    """Whether a failure at `server/discover`, which explains itself, has taken the time of the handshake after it."""
    return not evidence.opening.established and any(symptom is Symptom.CRASH for _, symptom in troubled(evidence))


@detector("connection-lost", effect=Effect.DOWN)
def connection_lost(evidence: Evidence) -> Cause | None:
    """The connection breaks before the answer is complete."""
    found = scene(evidence, Symptom.LOST, tool_calls=True)
    if found is None:
        return None
    got = found.exchange.body_size
    announced = found.exchange.header("content-length")
    of = "" if announced is None else f" of {clean(announced, 20)} announced"
    begun = f"after {got:,} bytes{of}" if found.exchange.status is not None else "before any answer"
    return found.cause(
        0.85,
        f"The connection breaks in the answer to {found.asked}, {begun} ({_error(found).reason}).",
        "Look for a process that ends during the request (out of memory, `Runtime.ExitError`) and for a proxy with an "
        "idle or size limit between the function and the internet.",
        proofs=_address(found),
        alternatives=(
            *found.unknown_method,
            "The network between prober and endpoint: then other endpoints of the same region break too.",
        ),
    )


@detector("target-blocked", effect=Effect.UNKNOWN)
def target_blocked(evidence: Evidence) -> Cause | None:
    """The prober's own guard refuses the address, so nothing was sent.

    Facts: `reason`, which of its rules does.
    """
    found = scene(evidence, Symptom.BLOCKED, tool_calls=True)
    if found is None:
        return None
    return found.cause(
        1.0,
        f"The prober does not connect to {_host(found)}: {clean(_error(found).detail, 300)}.",
        _way_out_of_refusal(_error(found).reason),
        proofs=_address(found),
        effect=Effect.UNKNOWN,
        facts={"reason": f"blocked-{clean(_error(found).reason, 40)}"},
    )


@detector("observer-impaired", effect=Effect.UNKNOWN)
def observer_impaired(evidence: Evidence) -> Cause | None:
    """The prober itself could not observe: no connectivity, a secret not to be had, a resolver or clock in trouble.

    Facts: `reason`, why, in a word.
    """
    if not evidence.opening.established and not evidence.opening.exchanges:
        return Cause(
            confidence=0.8,
            summary="Nothing is known about the endpoint: the prober made no request before its deadline.",
            evidence=(Proof(text=f"0 requests within {evidence.endpoint.timeout_s:g} s"),),
            fix=_OWN_MACHINE,
            facts={"reason": "no-request"},
        )
    found = scene(evidence, Symptom.OBSERVER, tool_calls=True)
    if found is None:
        return _impaired(evidence.observer)
    error = _error(found)
    return found.cause(
        0.95,
        f"Nothing is known about the endpoint, because the prober could not ask: {clean(error.detail, 600)}.",
        _OWN_FIXES.get(error.reason, _OWN_MACHINE),
        effect=Effect.UNKNOWN,
        facts={"reason": clean(error.reason, 40)},
    )


def _impaired(observer: Observer) -> Cause | None:
    """What the prober knows of itself, where no exchange shows it."""
    if observer.reason is None:
        return None
    return Cause(
        confidence=0.9,
        summary=f"Nothing is known about the endpoint, because the prober could not see it: {clean(observer.detail)}.",
        evidence=(Proof(text=clean(observer.detail)),),
        fix=_OWN_FIXES.get(observer.reason, _OWN_MACHINE),
        facts={"reason": observer.reason},
    )


def _way_out_of_refusal(reason: str) -> str:
    if reason == "plain-http":
        return _PLAIN_HTTP
    return _ALLOW if reason in _ALLOWABLE else _NEVER_ALLOWED


def _error(found: Scene) -> TransportError:
    error = found.exchange.transport_error
    assert error is not None
    return error


def _address(found: Scene) -> tuple[Proof, ...]:
    address = found.exchange.remote_address
    return () if address is None else (Proof(text=f"address {clean(address, 60)}", exchange=found.exchange.id),)


def _host(found: Scene) -> str:
    return clean(urlsplit(found.exchange.url).hostname or found.exchange.url, 100)


def _place(found: Scene) -> str:
    return clean(urlsplit(found.exchange.url).netloc.rpartition("@")[2] or found.exchange.url, 100)
