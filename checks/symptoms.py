"""What one exchange looks like from outside, in one word: every detector reads the same, so no two contradict.

The signatures are those of AWS front doors, of the Lambda runtimes and of the MCP SDKs.
"""

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Any, Final

from checks.bodies import DATA_LINE, is_encoded_twice, is_in_base64, is_like_events, is_like_json, is_packed
from checks.front_door import LAMBDA_DOORS, FrontDoor, front_door_of, is_own_page
from checks.messages import error_of, has_error, result_of, rpc_messages
from checks.model import CheckResult, Evidence, Exchange, Failure, Outcome
from checks.spec import EVENT_STREAM_TYPE
from checks.text import clean


class Symptom(Enum):
    """The one thing that an exchange shows, most specific first."""

    ANSWERED = auto()
    """A JSON-RPC result came."""
    NOT_ASKED = auto()
    """The exchange was no request, or nothing about it is wrong."""
    DNS = auto()
    CONNECT = auto()
    TLS = auto()
    TIMEOUT = auto()
    LOST = auto()
    BLOCKED = auto()
    OBSERVER = auto()
    ENVELOPE = auto()
    """The function's proxy response came out as the body."""
    PRELUDE = auto()
    """The metadata of a streaming response came out in the body."""
    GO_STREAM = auto()
    """Go's streaming response came out as a serialised struct."""
    REDIRECT = auto()
    HOST_REJECTED = auto()
    UNAUTHENTICATED = auto()
    FORBIDDEN = auto()
    """403 of the application, or of something that we do not recognise."""
    URL_FORBIDDEN = auto()
    URL_GONE = auto()
    SIGNATURE_REJECTED = auto()
    GATEWAY_REFUSED = auto()
    """403 of a gateway's resource policy, API key check or web application firewall."""
    ROUTE_MISSING = auto()
    THROTTLED = auto()
    ERROR_REPORT = auto()
    """The runtime's report of a failed function came out as the body of an answer that looks like success."""
    RPC_ERROR = auto()
    """A JSON-RPC error came."""
    CRASH = auto()
    """The front door's own error page for a function that failed."""
    GATEWAY_TIMEOUT = auto()
    STREAM_EMPTY = auto()
    STREAM_TRUNCATED = auto()
    MALFORMED = auto()
    """Meant as JSON-RPC, but broken."""
    FOREIGN_FUNCTION = auto()
    """A Lambda function answered 2xx with something that is not JSON-RPC."""
    NOT_MCP = auto()


PRELUDE_END: Final = b"\0" * 8
"""Separates the metadata of a Lambda streaming response from its body."""

STREAM_ERROR_MARK: Final = b"Lambda-Runtime-Function-Error-Type"
"""Written into the body by Rust runtimes, and so by the Lambda Web Adapter, when the application dies mid-stream."""

_PLATFORM_ERRORS: Final = (
    "CodeArtifactUser",
    "EC2",
    "EFS",
    "ENI",
    "InvalidRuntime",
    "InvalidSecurityGroupID",
    "InvalidSubnetID",
    "InvalidZipFile",
    "KMS",
    "ResourceConflict",
    "ResourceNotReady",
    "RuntimeAliasDeleted",
    "RuntimeVersionDeleted",
    "SnapStart",
    "SubnetIPAddressLimitReached",
)
"""How the error types begin by which Lambda says that it could not start the function."""

_REPORTED: Final = frozenset({"errorMessage", "errorType", "stackTrace", "stack", "trace", "cause", "requestId"})
"""All that runtimes put into a report, each of them some."""
_UNTYPED_REPORTS: Final = ("Task timed out after", "RequestId: ")
"""What stands in a report that the service writes for a runtime that could not, and that may lack an `errorType`."""

_ENVELOPE_START: Final = re.compile(rb'\s*\{\s*"statusCode"\s*:\s*"?\d{3}')
_ENVELOPE_KEYS: Final = frozenset({"headers", "body", "isBase64Encoded", "cookies", "multiValueHeaders"})
_FAILURES: Final = {
    Failure.DNS: Symptom.DNS,
    Failure.CONNECT: Symptom.CONNECT,
    Failure.TLS: Symptom.TLS,
    Failure.DEADLINE: Symptom.TIMEOUT,
    Failure.CONNECTION_LOST: Symptom.LOST,
    Failure.BLOCKED: Symptom.BLOCKED,
    Failure.OBSERVER: Symptom.OBSERVER,
    Failure.LIMIT: Symptom.MALFORMED,
}


_HOST_REFUSED: Final = re.compile(
    rb"invalid host\b|\bhost header is not allowed|\bblocked hosts?\b|\bhost \(.{1,100}\) is not allowed", re.IGNORECASE
)
"""How servers put it that do not say so by 421: the MCP SDKs for TypeScript (403, in JSON-RPC), Rust and Go (403),
Starlette (400), Rails and Vite (403)."""

_WAF_ACTION: Final = "x-amzn-waf-action"
"""Names the challenge or CAPTCHA that AWS WAF answers with, on HTTP 202 or 405 (AWS WAF Developer Guide, "How the AWS
WAF CAPTCHA and Challenge rule actions work")."""
_BUCKET: Final = "amazons3"
_TOLD: Final = 512
"""Bytes of a refusal in which its reason stands."""

_SIGNATURE_TYPES: Final = frozenset({"InvalidSignatureException", "ExpiredTokenException"})
_REFUSAL_TYPES: Final = frozenset({"ForbiddenException", "AccessDeniedException"})

_SERVING: Final = frozenset({"tools_list", "sentinel_call", "streaming"})
"""Checks that do what clients do. The others provoke refusals or look beside what clients need: what comes back to
them is for their own detectors."""


def symptom_of(exchange: Exchange) -> Symptom:
    """What the exchange shows. A JSON-RPC answer weighs more than the HTTP status, except 401, 403 and 429."""
    if result_of(exchange) is not None:
        return Symptom.ANSWERED
    if exchange.transport_error is not None and error_of(exchange) is None:
        return _of_failure(exchange, exchange.transport_error.failure)
    return _of_leak(exchange) or _of_refusal(exchange) or _of_answer(exchange)


def troubled(evidence: Evidence) -> Iterator[tuple[Exchange, Symptom]]:
    """The exchanges that can explain why the endpoint is not up, in order, each with its symptom.

    What was tried before a way in worked is no trouble; before that, requests say more than the stream beside them.
    """
    if evidence.opening.established:
        suspects = [
            exchange
            for result in evidence.results
            if result.check in _SERVING and result.outcome in (Outcome.FAIL, Outcome.WARN)
            for exchange in first_asked(result)
        ]
    else:
        tried = evidence.opening.exchanges
        suspects = [each for each in tried if each.rpc_id is not None] or list(tried)
    for exchange in suspects:
        symptom = symptom_of(exchange)
        if symptom not in (Symptom.ANSWERED, Symptom.NOT_ASKED):
            yield exchange, symptom


def first_asked(result: CheckResult) -> tuple[Exchange, ...]:
    """The exchanges of a check without those of a second look at a failure (`checks.second_look`)."""
    again = result.facts.get("asked_again", ())
    return tuple(each for each in result.exchanges if each.id not in again)


def is_tool_call(exchange: Exchange) -> bool:
    """Whether only one tool is concerned, so that the endpoint as a whole still serves."""
    return exchange.rpc_method == "tools/call"


def body_json(exchange: Exchange) -> Any:
    """The body read as JSON, or None where it is none (or was cut at the evidence limit)."""
    try:
        return json.loads(exchange.body)
    except (ValueError, RecursionError):
        return None


def error_type(exchange: Exchange) -> str:
    """The AWS error type that a front door names in a header, without what follows a colon."""
    return clean((exchange.header("x-amzn-errortype") or "").split(":", 1)[0].strip(), 80)


def platform_error(exchange: Exchange) -> str | None:
    """Lambda's own name for why it could not run the function, where the front door tells it, or None.

    Source: the errors of the Invoke action (Lambda API reference), and of Web Functions (`lambda-web-error-type`).
    """
    named = exchange.header("lambda-web-error-type")
    if named is not None:
        return clean(named, 80)
    kind = error_type(exchange)
    return kind if kind.startswith(_PLATFORM_ERRORS) else None


def error_message(exchange: Exchange) -> str | None:
    """The message of an AWS error body: `Message` from a Function URL, `message` from API Gateway."""
    body = body_json(exchange)
    if not isinstance(body, dict):
        return None
    message = next((value for name, value in body.items() if name.lower() == "message"), None)
    return message if isinstance(message, str) else None


def error_report(exchange: Exchange) -> Mapping[str, str] | None:
    """What a Lambda runtime reports of a failed function, where that is the body: `errorType` and `errorMessage`.

    Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes", "Invocation error", and for the
    time limit alone `errorMessage`. An API Gateway integration that is no proxy hands it on with 200.
    """
    body = body_json(exchange)
    if not isinstance(body, dict) or not body.keys() <= _REPORTED:
        return None
    message = body.get("errorMessage")
    untyped = isinstance(message, str) and any(mark in message for mark in _UNTYPED_REPORTS)
    if "errorMessage" not in body or not ("errorType" in body or untyped):
        return None
    return {name: each for name in ("errorType", "errorMessage") if isinstance(each := body.get(name), str)}


def inner_status(exchange: Exchange) -> int | None:
    """The status inside a leaked envelope or prelude: the one that the application meant."""
    found = re.search(rb'"[sS]tatusCode"\s*:\s*"?(\d{3})', exchange.body[:16384])
    return int(found[1]) if found else None


def _of_failure(exchange: Exchange, failure: Failure) -> Symptom:
    streaming = exchange.media_type == EVENT_STREAM_TYPE and exchange.status is not None
    if failure is Failure.DEADLINE:
        silent = streaming and not exchange.messages and not exchange.comments
        # A slow tool may keep a stream silent; one that was asked for progress, to the deadline, should not.
        never_began = silent and (not is_tool_call(exchange) or '"progressToken"' in exchange.request_body)
        return Symptom.STREAM_EMPTY if never_began else Symptom.TIMEOUT
    if failure in (Failure.CONNECTION_LOST, Failure.PROTOCOL) and streaming and exchange.body_size:
        return Symptom.STREAM_TRUNCATED
    if failure is Failure.PROTOCOL:
        return Symptom.NOT_MCP if exchange.status is None else Symptom.MALFORMED
    return _FAILURES[failure]


def _of_leak(exchange: Exchange) -> Symptom | None:
    body = exchange.body
    if error_of(exchange) is not None or b"tatusCode" not in body[:16384]:
        return None
    if PRELUDE_END in body and _ENVELOPE_START.match(body) is not None:
        return Symptom.PRELUDE
    parsed = body_json(exchange)
    if isinstance(parsed, dict):
        if "statusCode" in parsed and _ENVELOPE_KEYS & parsed.keys():
            return Symptom.ENVELOPE
        return Symptom.GO_STREAM if {"StatusCode", "Headers", "Body"} <= parsed.keys() else None
    cut = len(body) < exchange.body_size
    return Symptom.ENVELOPE if cut and _ENVELOPE_START.match(body) is not None else None


def challenge_of(exchange: Exchange) -> str | None:
    """Who answers with a challenge that a browser alone can meet, and no MCP client; None where nobody does."""
    if exchange.header(_WAF_ACTION) is not None:
        return "AWS WAF"
    return "Cloudflare" if exchange.header("cf-mitigated") is not None else None


def is_from_bucket(exchange: Exchange) -> bool:
    """Whether S3 answers where a server was meant: with an error of its own, or with a page of a web site."""
    if (exchange.header("server") or "").lower() != _BUCKET:
        return False
    return exchange.status in (403, 404, 405) or exchange.media_type == "text/html"


def _of_refusal(exchange: Exchange) -> Symptom | None:
    status = exchange.status or 0
    if 300 <= status < 400 and exchange.header("location") is not None:
        return Symptom.REDIRECT
    if challenge_of(exchange) is not None:
        return Symptom.GATEWAY_REFUSED
    if is_from_bucket(exchange):
        return Symptom.ROUTE_MISSING
    if status in (400, 403) and not is_tool_call(exchange) and _HOST_REFUSED.search(exchange.body[:_TOLD]):
        return Symptom.HOST_REJECTED
    if status == 403:
        return _of_forbidden(exchange)
    return {401: Symptom.UNAUTHENTICATED, 421: Symptom.HOST_REJECTED, 429: Symptom.THROTTLED}.get(status)


def _of_forbidden(exchange: Exchange) -> Symptom:
    """Who refused, and why: by the error type first, then by who writes bodies of that form.

    The words of a message count only where nothing else splits two causes: AWS does change them.
    """
    kind, door = error_type(exchange), front_door_of(exchange)
    message = (error_message(exchange) or "").strip().lower()
    if kind in _SIGNATURE_TYPES or message.startswith("the request signature"):
        return Symptom.SIGNATURE_REJECTED
    if kind == "MissingAuthenticationTokenException" or message == "missing authentication token":
        return Symptom.ROUTE_MISSING
    if door is FrontDoor.REST_API and kind == "IncompleteSignatureException":
        # What a missing route makes of an Authorization header that is no AWS signature.
        return Symptom.ROUTE_MISSING
    if is_own_page(exchange):
        return Symptom.ROUTE_MISSING if b"http request method" in exchange.body.lower() else Symptom.GATEWAY_REFUSED
    if door in (FrontDoor.REST_API, FrontDoor.HTTP_API):
        # A REST API gives a trace to what reached its integration: then the application may say what it likes.
        reached = door is FrontDoor.REST_API and exchange.header("x-amzn-trace-id") is not None
        worded = not reached and (message == "forbidden" or "not authorized to" in message)
        return Symptom.GATEWAY_REFUSED if worded or kind in _REFUSAL_TYPES else Symptom.FORBIDDEN
    return _of_url_forbidden(exchange, kind, message)


def _of_url_forbidden(exchange: Exchange, kind: str, message: str) -> Symptom:
    """A 403 of a Function URL, or of what we do not recognise: only the URL's own refusals say `Message` with an M.

    An application may say so, too; its answers have a trace, which the URL's own refusals lack, and no error type.
    """
    body = body_json(exchange)
    key = next((name for name in body if name.lower() == "message"), None) if isinstance(body, dict) else None
    by_url = kind == "AccessDeniedException" or key == "Message"
    if key is not None and by_url:
        if body[key] is None:
            return Symptom.URL_GONE
        traced = exchange.header("x-amzn-trace-id") is not None and not kind
        if not traced or "function url" in message or message.startswith("forbidden."):
            return Symptom.GATEWAY_REFUSED if "execute-api:" in message else Symptom.URL_FORBIDDEN
    unknown = front_door_of(exchange) is FrontDoor.UNKNOWN
    by_gateway = kind in _REFUSAL_TYPES or (unknown and message == "forbidden" and len(body) == 1)
    return Symptom.GATEWAY_REFUSED if by_gateway else Symptom.FORBIDDEN


def _of_answer(exchange: Exchange) -> Symptom:
    status = exchange.status or 0
    if error_of(exchange) is not None:
        return Symptom.RPC_ERROR
    if status >= 400 and platform_error(exchange) is not None:
        return Symptom.CRASH
    if exchange.rpc_id is None and 200 <= status < 300 and exchange.media_type in ("", EVENT_STREAM_TYPE):
        return Symptom.NOT_ASKED
    if status >= 500:
        return _of_server_error(exchange)
    if status == 404 and not any(_is_rpc_like(message) for message in rpc_messages(exchange)):
        return Symptom.ROUTE_MISSING
    if exchange.media_type == EVENT_STREAM_TYPE:
        return _of_stream(exchange)
    if exchange.rpc_id is not None and _means_rpc(exchange):
        return Symptom.MALFORMED
    if 200 <= status < 300 and error_report(exchange) is not None:
        return Symptom.ERROR_REPORT
    if 200 <= status < 300 and (front_door_of(exchange) in LAMBDA_DOORS or b"Hello from Lambda" in exchange.body[:512]):
        return Symptom.FOREIGN_FUNCTION
    return Symptom.NOT_MCP


def _of_server_error(exchange: Exchange) -> Symptom:
    message, door = (error_message(exchange) or "").strip().lower(), front_door_of(exchange)
    gateway_gave_up = exchange.status == 503 and message == "service unavailable"
    if exchange.status == 504 or gateway_gave_up or message == "endpoint request timed out":
        return Symptom.GATEWAY_TIMEOUT
    by_function_url = exchange.status == 502 and exchange.body.strip().lower() == b"internal server error"
    by_gateway = message == "internal server error" or is_own_page(exchange)
    if by_function_url or by_gateway or door in LAMBDA_DOORS or door is FrontDoor.ALB:
        return Symptom.CRASH
    return Symptom.NOT_MCP


def _of_stream(exchange: Exchange) -> Symptom:
    if is_packed(exchange) or is_in_base64(exchange):
        return Symptom.MALFORMED
    if STREAM_ERROR_MARK in exchange.body or exchange.unterminated:
        return Symptom.STREAM_TRUNCATED
    if not exchange.messages:
        if DATA_LINE.search(exchange.body) is not None:
            return Symptom.MALFORMED
        return Symptom.STREAM_TRUNCATED if b"id:" in exchange.body else Symptom.STREAM_EMPTY
    notified = [message for message in rpc_messages(exchange) if isinstance(message.get("method"), str)]
    return Symptom.STREAM_TRUNCATED if len(notified) == len(exchange.messages) else Symptom.MALFORMED


def _means_rpc(exchange: Exchange) -> bool:
    """Whether the body is a JSON-RPC message in spirit: truncated, mislabelled, base64, wrong id, result and error."""
    if any(_is_rpc_like(message) for message in rpc_messages(exchange)):
        return True
    if is_packed(exchange):
        return exchange.media_type != "text/html"  # of what is packed its type alone tells
    return any(is_so(exchange) for is_so in (is_like_json, is_like_events, is_encoded_twice, is_in_base64))


def _is_rpc_like(message: Mapping[str, Any]) -> bool:
    return "jsonrpc" in message or ("id" in message and ("result" in message or has_error(message)))
