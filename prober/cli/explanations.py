"""What `mcp-prober explain` knows of each diagnosis beside the fault in plain words: how it shows, and what mends it;
and of exit codes.

A report says the same with the names and figures of one server; this is for whoever has only the id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from checks.spec import section
from prober.cli.errors import ExitCode

_LAMBDA: Final = "https://docs.aws.amazon.com/lambda/latest/dg"
_GATEWAY: Final = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
_ADAPTER: Final = "https://github.com/aws/aws-lambda-web-adapter"
_TRANSPORT: Final = section("2025-11-25", "basic/transports")
_TOOLS: Final = section("2025-11-25", "server/tools")
_LIFECYCLE: Final = section("2025-11-25", "basic/lifecycle")
_AUTHORIZATION: Final = section("2025-11-25", "basic/authorization")


@dataclass(frozen=True, slots=True)
class Explanation:
    """How one fault is seen from outside, what usually mends it, and where to read on."""

    seen: str
    fix: str
    links: tuple[str, ...] = ()


EXPLANATIONS: Final[Mapping[str, Explanation]] = {
    "dns-failure": Explanation(
        "The lookup of the host name fails, on two resolvers' word that it does not exist or on their silence.",
        "Compare the address with the stack's output; a new domain needs its record, a deleted Function URL has none.",
    ),
    "connect-failure": Explanation(
        "The name has addresses, and each refuses the connection or never answers to it.",
        "Look at security groups, network ACLs and routes, at the load balancer's listener, and at the port.",
    ),
    "tls-invalid": Explanation(
        "The connection stands and the handshake breaks: the reason names date, name, issuer or protocol.",
        "Renew or replace the certificate of the custom domain; a name of AWS itself is never at fault.",
    ),
    "response-timeout": Explanation(
        "The request is sent and the deadline comes before the answer is complete, at no round number of seconds.",
        "Look into the function's log for what it waited for; raise --timeout or timeout where that is usual.",
    ),
    "connection-lost": Explanation(
        "Bytes come, or none, and then the other side closes before the answer is complete.",
        "Look for a process that ends during a request, and for proxies with limits of size or idle time.",
    ),
    "redirected": Explanation(
        "The answer is 301, 302, 307 or 308 with a Location, often the same path with or without a slash at its end.",
        "Give clients the address that the redirect names, or let the application serve both spellings.",
        (_TRANSPORT,),
    ),
    "target-blocked": Explanation(
        "Nothing is sent: the address is one of metadata services, link-local, or private without being allowed.",
        "Allow a private network under `network: allow_cidrs:`; metadata addresses are never asked.",
    ),
    "function-url-forbidden": Explanation(
        "HTTP 403 by the Function URL itself, with an AWS error type, before any function runs.",
        "AuthType AWS_IAM wants --sigv4; AuthType NONE wants two permissions for everyone: lambda:InvokeFunctionUrl, "
        "and lambda:InvokeFunction with the condition that it comes by the URL.",
        (f"{_LAMBDA}/urls-auth.html",),
    ),
    "function-url-gone": Explanation(
        "The host of a Function URL answers that it knows no such URL.",
        "Read the address anew from the stack's outputs: a function that is made again has a new one.",
        (f"{_LAMBDA}/urls-configuration.html",),
    ),
    "signature-rejected": Explanation(
        "HTTP 403 that speaks of the signature, the credential's scope or its time.",
        "Look at the clock, region and keys of the caller. Behind CloudFront with origin access control a POST needs "
        "the x-amz-content-sha256 of its body.",
        ("https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html",),
    ),
    "route-missing": Explanation(
        "HTTP 404, or 403 with “Missing Authentication Token”, and a path beside it is answered alike; or Amazon S3 "
        "answers in the server's place.",
        "Compare stage, base path and the server's own path; AWS_LWA_REMOVE_BASE_PATH takes a stage off.",
    ),
    "gateway-timeout": Explanation(
        "HTTP 504 after about the gateway's limit: 29 s for a REST API unless raised, 30 s for an HTTP API.",
        "Answer sooner, stream (a REST API with response transfer mode STREAM, a Function URL), or raise the limit.",
        (f"{_GATEWAY}/limits.html",),
    ),
    "throttled": Explanation(
        "HTTP 429, by Lambda with an error type that says which limit, or by the gateway's quota.",
        "Raise the reserved concurrency or the account's limit, the usage plan, or the stage's throttling.",
        (f"{_LAMBDA}/lambda-concurrency.html",),
    ),
    "blocked-by-waf": Explanation(
        "HTTP 403 with the words of a firewall, a resource policy, an authorizer or a missing API key; or a challenge "
        "that only browsers solve.",
        "Read the sampled requests of the web ACL, or let the prober in by its rules, its key or its address.",
        ("https://docs.aws.amazon.com/waf/latest/developerguide/logging.html",),
    ),
    "auth-required": Explanation(
        "HTTP 401 or 403 to the opening, and the prober has no credentials for it.",
        "Give it some by reference: --bearer env:NAME, --sigv4, --oauth-token-url, or --header.",
        (_AUTHORIZATION,),
    ),
    "auth-rejected": Explanation(
        "HTTP 401 or 403 although credentials were sent.",
        "Look at the token's expiry, audience and scopes, and whether the secret was replaced.",
        (_AUTHORIZATION,),
    ),
    "auth-challenge-remapped": Explanation(
        "A 401 whose WWW-Authenticate arrives as x-amzn-remapped-www-authenticate.",
        "A REST API renames it for every integration: map it back in CloudFront or by an ALB or Function URL in its "
        "place; publish the resource's metadata at its well-known path.",
        (f"{_GATEWAY}/api-gateway-known-issues.html", _AUTHORIZATION),
    ),
    "function-crash": Explanation(
        "HTTP 502, or a Function URL's “Internal Server Error”, in place of the function's answer; or the runtime's "
        "own report, with errorType and errorMessage, on HTTP 200.",
        "The log of the request id says why: an exception, an import that fails, a wrapper or a process that ended.",
        (f"{_LAMBDA}/troubleshooting-invocation.html",),
    ),
    "function-timeout": Explanation(
        "The same error page, each time after the same wait of whole seconds.",
        "Raise Timeout of the function (below the gateway's), or find what it waits for.",
        (f"{_LAMBDA}/configuration-timeout.html",),
    ),
    "warm-request-crash": Explanation(
        "The first request of an instance is answered, the next ones end in the platform's error page.",
        "Build per request what cannot be used twice, such as an event loop, a session manager or a transport.",
    ),
    "adapter-missing": Explanation(
        "HTTP 200 with a value of the function itself: null, a greeting, HTML, its event.",
        "Zip packages: the layer, AWS_LAMBDA_EXEC_WRAPPER=/opt/bootstrap and a handler that starts the server. Images: "
        "the adapter under /opt/extensions.",
        (_ADAPTER,),
    ),
    "invoke-mode-mismatch": Explanation(
        "The body is an envelope with statusCode and headers, or begins with the streaming prelude.",
        "AWS_LWA_INVOKE_MODE must say what InvokeMode of the URL says: response_stream for RESPONSE_STREAM, buffered "
        "for BUFFERED.",
        (_ADAPTER, f"{_LAMBDA}/configuration-response-streaming.html"),
    ),
    "host-rejected": Explanation(
        "HTTP 421, 403 or 400 that speaks of the Host header; the SDK for TypeScript says it in JSON-RPC on 403.",
        "Name the public host in the server's list of allowed hosts: allowed_hosts in Python and Rust, allowedHosts in "
        "TypeScript.",
        (_TRANSPORT,),
    ),
    "malformed-response": Explanation(
        "Bytes that are meant as JSON-RPC and cannot be read as an answer to what was asked.",
        "Return what the SDK writes as it is: no base64 in a text, no second serialization, no log line before it.",
        (section("2025-11-25", "basic"),),
    ),
    "protocol-version-mismatch": Explanation(
        "The revision in the answer is not one that was offered, pinned, or known.",
        "Update the SDK of the server, or pin the revision that it is meant to speak.",
        (_LIFECYCLE,),
    ),
    "era-unsupported": Explanation(
        "Opening in the pinned era is refused, and the other era is served.",
        "Serve both eras while clients of both are about, or pin the one that is meant.",
        (section("2026-07-28", "basic/versioning"),),
    ),
    "session-lost": Explanation(
        "A session id that was given out meets 404 or 400 later, or on some of several connections at once; of "
        "HTTP+SSE, the address that the stream names knows no such session.",
        "Instances share no memory: run stateless (stateless_http=True), or keep sessions in a shared store.",
        (_TRANSPORT,),
    ),
    "capability-untruthful": Explanation(
        "A declared capability answers “method not found”, or an undeclared one answers.",
        "Declare what is served, and nothing else: handlers and capabilities belong together.",
        (_LIFECYCLE,),
    ),
    "headers-stripped": Explanation(
        "The server complains of a header or of `_meta` that was sent with the request.",
        "Let CloudFront, the gateway or the WAF forward MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method and Mcp-Name.",
        (_TRANSPORT,),
    ),
    "accept-rejected": Explanation(
        "HTTP 406 although application/json and text/event-stream were both offered.",
        "Something on the way replaces Accept, or the server wants one type alone: forward the header as it is.",
        (_TRANSPORT,),
    ),
    "streaming-disabled": Explanation(
        "Content-Type text/event-stream, and then nothing, or an end without an event.",
        "Let the URL stream (InvokeMode RESPONSE_STREAM and AWS_LWA_INVOKE_MODE=response_stream), or answer in JSON.",
        (f"{_LAMBDA}/configuration-response-streaming.html",),
    ),
    "streaming-buffered": Explanation(
        "Progress and result arrive within milliseconds of each other, after a wait as long as the work.",
        "Something collects the answer: InvokeMode BUFFERED, a gateway that does not stream, compression, a proxy.",
        (f"{_LAMBDA}/configuration-response-streaming.html",),
    ),
    "stream-truncated": Explanation(
        "The stream ends without the answer to the request, or within an event.",
        "Look for a time limit, a crash or a limit of size while the answer was under way.",
        (_TRANSPORT,),
    ),
    "tools-empty": Explanation(
        "tools/list answers with an empty list.",
        "Register tools before the server starts to answer; look for an import that fails quietly, or a flag.",
        (_TOOLS,),
    ),
    "tools-list-failed": Explanation(
        "The opening works, and tools/list brings an error, or nothing that can be read.",
        "Ask for it with the curl line of a report, and read the function's log for that request.",
        (_TOOLS,),
    ),
    "tools-missing": Explanation(
        "A name under `expected_tools`, --expect-tool or a sentinel is not in the list.",
        "Restore the tool, or correct the expectation where it was renamed on purpose.",
        (_TOOLS,),
    ),
    "tools-invalid": Explanation(
        "An entry of the list breaks the schema of a tool, or a cursor comes back again and again.",
        "Mend the named entry: most often inputSchema is no object schema, or a name has other characters.",
        (_TOOLS,),
    ),
    "tools-drift": Explanation(
        "The list differs from the accepted one, in several probes that agree on it.",
        "Accept what was meant (mcp-prober baseline accept NAME), or bring the old definition back.",
        (_TOOLS,),
    ),
    "sentinel-failed": Explanation(
        "The result of a sentinel has isError: true.",
        "The text of the result says what the tool met: most often a backend, its address or its credentials.",
        (_TOOLS,),
    ),
    "sentinel-access-denied": Explanation(
        "The error of a sentinel speaks of AccessDenied, with action and resource.",
        "Give the function's role the action that is named, on the resource that is named.",
        ("https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",),
    ),
    "sentinel-error": Explanation(
        "tools/call brings a JSON-RPC error or an HTTP error, and no tool result.",
        "Compare the arguments with inputSchema; an error of the tool itself belongs into a result with isError.",
        (_TOOLS,),
    ),
    "sentinel-mismatch": Explanation(
        "The result lacks the expected text or JSON, or breaks the tool's own outputSchema.",
        "Mend the tool, or the expectation where the data has moved on.",
        (_TOOLS,),
    ),
    "cold-start-exceeds-timeout": Explanation(
        "First answers of new instances come after `client_timeout`, again and again.",
        "Provisioned concurrency, SnapStart, more memory, or fewer imports at the start.",
        (f"{_LAMBDA}/provisioned-concurrency.html",),
    ),
    "slow": Explanation(
        "The wait for the first answer is beyond `slow_after`, or far beyond the endpoint's own past, when warm.",
        "Compare with the duration in the function's log: more memory, a slow backend, or a network on the way.",
    ),
    "deploy-warming": Explanation(
        "A new version was seen minutes ago, and the first wait is longer than usual.",
        "Wait; where clients notice, shift the alias only once provisioned concurrency is ready.",
        (f"{_LAMBDA}/provisioned-concurrency.html",),
    ),
    "cold-start": Explanation(
        "The first request waits far longer than the next ones on the same connection.",
        "Nothing is broken. Where it hurts: provisioned concurrency, SnapStart, fewer imports.",
        (f"{_LAMBDA}/lambda-runtime-environment.html",),
    ),
    "cors-misconfigured": Explanation(
        "The preflight of a page's origin lacks the headers that let its script in.",
        "Allow the origin, POST, and the headers of MCP, and expose Mcp-Session-Id, in one place alone.",
        (f"{_LAMBDA}/urls-configuration.html",),
    ),
    "observer-impaired": Explanation(
        "No verdict on the endpoint: our network, resolver, clock, machine or a secret was in trouble.",
        "Mend what the reason names on the prober's side. It never counts against the endpoint.",
    ),
    "handshake-rejected": Explanation(
        "initialize or server/discover brings an error, and nothing says more.",
        "Read the error's text, and ask again with the curl line of the report.",
        (_LIFECYCLE,),
    ),
    "not-mcp": Explanation(
        "Something answers over HTTP, and it is not MCP.",
        "Compare the address with the server's own path, most often /mcp, and look at what came in the report.",
        (_TRANSPORT,),
    ),
}

SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "network": ("dns-failure", "connect-failure", "tls-invalid", "response-timeout", "connection-lost"),
    "address": ("redirected", "route-missing", "function-url-gone", "host-rejected", "not-mcp"),
    "access": (
        "auth-required", "auth-rejected", "auth-challenge-remapped", "function-url-forbidden", "signature-rejected",
        "blocked-by-waf", "cors-misconfigured",
    ),
    "Lambda": (
        "function-crash", "function-timeout", "warm-request-crash", "gateway-timeout", "throttled", "adapter-missing",
        "invoke-mode-mismatch",
    ),
    "time": ("cold-start", "cold-start-exceeds-timeout", "deploy-warming", "slow"),
    "protocol": (
        "handshake-rejected", "protocol-version-mismatch", "era-unsupported", "session-lost", "malformed-response",
        "capability-untruthful", "headers-stripped", "accept-rejected",
    ),
    "streaming": ("streaming-disabled", "streaming-buffered", "stream-truncated"),
    "tools": (
        "tools-empty", "tools-list-failed", "tools-missing", "tools-invalid", "tools-drift", "sentinel-failed",
        "sentinel-access-denied", "sentinel-error", "sentinel-mismatch",
    ),
    "the prober itself": ("observer-impaired", "target-blocked"),
}  # fmt: skip
"""Every diagnosis under what it is about."""

DEMANDS: Final[Mapping[str, str]] = {
    "ready": "Do enough probes in a row pass?",
    "expect_tool": "Are the tools listed that must be?",
    "expect_version": "Is it the version of the server that must be there?",
    "answer_within": "Does no answer keep clients waiting for longer than they may wait?",
    "baseline": "Are the tools those that were saved?",
}
"""What `mcp-prober check` asks beside its checks, where an option demands it; `ready` is of --wait and --passes."""

EXIT_CODES: Final[Mapping[ExitCode, str]] = {
    ExitCode.UP: "Passed: nothing is wrong.",
    ExitCode.NOT_UP: "Failed: an endpoint is degraded, down or not as demanded; a template or an account holds errors.",
    ExitCode.USAGE: "The command line or the configuration cannot be used; what is wrong stands on standard error.",
    ExitCode.UNOBSERVED: "Not all that was asked for could be observed, so that nothing is said about the server: our "
    "network was down, something could not be read, or a question was left out. A pipeline must not roll back for it.",
    ExitCode.AUTHENTICATION: "The server refuses our credentials, or asks for some.",
    ExitCode.WARNINGS: "Passed with warnings, under --strict.",
    ExitCode.INTERRUPTED: "Ctrl-C ended it.",
}
"""What a pipeline may take each exit code for."""
