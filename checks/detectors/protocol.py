"""What is left when no better cause is known: the protocol is broken, refused, or not spoken at all."""

from typing import Final

from checks.detectors.defects import defect_of, excess_of
from checks.detectors.scene import Scene, scene
from checks.detectors.version import ERA_CODES
from checks.front_door import FrontDoor
from checks.messages import error_of, result_of, revision_of
from checks.model import Effect, Evidence, Exchange, Outcome, Proof
from checks.proofs import answer_line
from checks.spec import EVENT_STREAM_TYPE, JSON_TYPE, ErrorCode
from checks.symptoms import Symptom, error_message, is_tool_call, troubled
from checks.text import clean
from checks.unit import Cause, detector


@detector("malformed-response", effect=Effect.DOWN)
def malformed_response(evidence: Evidence) -> Cause | None:
    """The answer is meant as JSON-RPC but is broken: truncated, wrong id, result and error, wrong type, base64."""
    found = scene(evidence, Symptom.MALFORMED) or _unusable_opening(evidence)
    if found is None:
        return None
    excess = excess_of(found.exchange)
    if excess is not None:
        # Whoever opens a conversation has its other answers; what else there is to see of it, nobody here has read.
        effect = Effect.DEGRADED if evidence.opening.established else Effect.DOWN
        return found.cause(0.6, f"The answer to {found.asked} {excess.text}.", excess.fix, effect=effect)
    defect = defect_of(found.exchange)
    return found.cause(0.85, f"The answer to {found.asked} is broken JSON-RPC: {defect.text}.", defect.fix)


@detector("headers-stripped", effect=Effect.DOWN)
def headers_stripped(evidence: Evidence) -> Cause | None:
    """The server misses headers or metadata that we did send: something on the way removed them."""
    refused = [] if evidence.opening.established else list(troubled(evidence))
    missing = [exchange for exchange, _ in refused if _misses_what_was_sent(exchange)]
    if not missing or not all(symptom is Symptom.RPC_ERROR and _is_of_era(each) for each, symptom in refused):
        return None
    found = Scene(evidence, missing[-1])
    return found.cause(
        0.8,
        f"The server says that {found.asked} lacks what the prober sent: {answer_line(found.exchange)}.",
        "Let MCP-Protocol-Version, Mcp-Method and Mcp-Name through: in CloudFront by the origin request policy "
        "AllViewerExceptHostHeader, in API Gateway by the integration's header mapping; and leave the body as it is.",
    )


def _misses_what_was_sent(exchange: Exchange) -> bool:
    error = error_of(exchange)
    if error is None or exchange.rpc_method != "server/discover":
        return False
    misses_meta = error.code == ErrorCode.INVALID_PARAMS and "_meta" in f"{error.message} {error.data}"
    return misses_meta or error.code == ErrorCode.HEADER_MISMATCH


def _is_of_era(exchange: Exchange) -> bool:
    """Whether an error may be all that a server has to say to the opening of another era."""
    error = error_of(exchange)
    return error is not None and error.code in {*ERA_CODES, ErrorCode.HEADER_MISMATCH}


@detector("accept-rejected", effect=Effect.DOWN)
def accept_rejected(evidence: Evidence) -> Cause | None:
    """The server refuses with 406, although both media types of the protocol were offered."""
    found = None if evidence.opening.established else scene(evidence, Symptom.RPC_ERROR, Symptom.NOT_MCP)
    if found is None or found.exchange.status != 406:
        return None
    return found.cause(
        0.8,
        f"HTTP 406 to {found.asked}, although the request accepts {JSON_TYPE} and {EVENT_STREAM_TYPE}.",
        "Look for a proxy or a cache policy that replaces the Accept header; CloudFront forwards it only if the origin "
        "request policy says so.",
    )


@detector("handshake-rejected", effect=Effect.DOWN, fallback=True)
def handshake_rejected(evidence: Evidence) -> Cause | None:
    """The server answers the opening of the conversation with an error."""
    if evidence.opening.established:
        return None
    refused = [exchange for exchange, symptom in troubled(evidence) if symptom is Symptom.RPC_ERROR]
    if not refused:
        return None
    telling = [exchange for exchange in refused if (error := error_of(exchange)) and error.code not in ERA_CODES]
    found = Scene(evidence, (telling or refused)[-1])
    pinned = [text for text in (evidence.endpoint.era, evidence.endpoint.protocol_version) if text]
    also = f" The endpoint is pinned to {' '.join(pinned)}; without the pin, other ways in are tried." if pinned else ""
    return found.cause(
        0.9 if telling else 0.75,
        f"The server refuses to open a conversation: {found.asked} → {answer_line(found.exchange)}.",
        "Look in the server's log for this request; a server that cannot load its configuration or reach its tables "
        f"often fails here first.{also}",
        proofs=tuple(
            Proof(text=f"{each.rpc_method} → {answer_line(each)}", exchange=each.id)
            for each in refused
            if each is not found.exchange
        ),
    )


_REFUSED: Final = frozenset({400, 413, 415})
_HAND_ON: Final = """\
Let the gateway hand on every body as it is: by a Lambda proxy integration, without a request validator or model, and
without mapping templates whose passthrough behaviour turns other types away:
  aws apigateway get-method --rest-api-id ID --resource-id RESOURCE --http-method POST
  aws apigateway put-integration --rest-api-id ID --resource-id RESOURCE --http-method POST --type AWS_PROXY \\
    --integration-http-method POST --uri URI"""


@detector("not-mcp", effect=Effect.DOWN, fallback=True)
def not_mcp(evidence: Evidence) -> Cause | None:
    """What answers at this address does not speak MCP, and no better cause is known."""
    found = _plainest(evidence)
    if found is None:
        return None
    if _is_refused_by_gateway(found):
        return found.cause(
            0.75,
            f"{found.who} itself refuses {found.asked} with HTTP {found.exchange.status}: "
            f"{clean(error_message(found.exchange) or '', 120)}.",
            _HAND_ON,
            alternatives=("The application words its refusals like the gateway: then its log shows the request.",),
            effect=Effect.DOWN,
        )
    return found.cause(
        0.6,
        f"What answers at this address does not speak MCP: {found.asked} → {answer_line(found.exchange)}.",
        "Compare the address with the server's documentation: the path is often /mcp, for the older HTTP+SSE transport "
        "/sse (then set `transport: sse`).",
        alternatives=(
            "The path is wrong: then /mcp, /mcp/ or /sse of the same host answers.",
            "A proxy or a web server answers in the server's place: its name stands in the Server header.",
            "If this is a Lambda function without an AWS front door's headers, its adapter may be missing.",
        ),
        effect=Effect.DOWN,
    )


def _is_refused_by_gateway(found: Scene) -> bool:
    """Whether a gateway refused a body or its type, in the one way in which it words that, and called nothing."""
    exchange = found.exchange
    worded = exchange.status in _REFUSED and error_message(exchange) is not None
    reached = found.door is FrontDoor.REST_API and exchange.header("x-amzn-trace-id") is not None
    return worded and found.door in (FrontDoor.REST_API, FrontDoor.HTTP_API) and not reached


def _plainest(evidence: Evidence) -> Scene | None:
    """The exchange to show: what is not JSON-RPC first, then whatever a failed check ended with."""
    found = scene(evidence, Symptom.NOT_MCP) or scene(evidence, *Symptom)
    if found is not None:
        return found
    failed = [result for result in evidence.results if result.outcome is Outcome.FAIL and result.exchanges]
    exchanges = [each for result in failed for each in result.exchanges if not is_tool_call(each)]
    return Scene(evidence, exchanges[-1]) if exchanges else None


def _unusable_opening(evidence: Evidence) -> Scene | None:
    """An opening whose last request was answered with a result, but not with one that says which revision to speak."""
    asked = [each for each in evidence.opening.exchanges if each.rpc_id is not None]
    if evidence.opening.established or not asked:
        return None
    last = asked[-1]
    result = result_of(last)
    if result is None:
        return None
    unnamed = last.rpc_method == "initialize" and revision_of(last) is None
    unlisted = last.rpc_method == "server/discover" and not isinstance(result.get("supportedVersions"), list)
    return Scene(evidence, last) if unnamed or unlisted else None
