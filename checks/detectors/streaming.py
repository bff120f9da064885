"""Causes around event streams: empty, held back until the end, cut off."""

from collections.abc import Mapping
from typing import Final

from checks.detectors.scene import Scene, scene
from checks.front_door import FrontDoor, front_door_of
from checks.model import Effect, Evidence, Exchange, Failure, Proof
from checks.proofs import counted, header_proof, milliseconds
from checks.symptoms import STREAM_ERROR_MARK, Symptom, is_tool_call
from checks.timing import Cadence, Pace, cadence_of, held_back
from checks.unit import Cause, detector

_FUNCTION_URL_FIX: Final = """\
Let both sides stream:
  aws lambda update-function-url-config --function-name NAME --invoke-mode RESPONSE_STREAM
  # SAM: FunctionUrlConfig: { InvokeMode: RESPONSE_STREAM }
  # CDK: fn.addFunctionUrl({ invokeMode: lambda.InvokeMode.RESPONSE_STREAM })
and AWS_LWA_INVOKE_MODE=response_stream in the function's environment (an unknown value there means buffered)."""

_FIXES: Final[Mapping[FrontDoor, str]] = {
    FrontDoor.FUNCTION_URL: _FUNCTION_URL_FIX,
    FrontDoor.REST_API: "Set responseTransferMode: STREAM on the integration, deploy the stage, and let the function "
    "stream (AWS_LWA_INVOKE_MODE=response_stream).",
    FrontDoor.HTTP_API: "An HTTP API cannot stream. Use a Function URL with InvokeMode RESPONSE_STREAM, or a REST API "
    "with responseTransferMode: STREAM.",
    FrontDoor.ALB: "A load balancer cannot stream from a function. Use a Function URL with InvokeMode RESPONSE_STREAM.",
}
_OTHER_FIX: Final = (
    "Switch buffering off in every proxy on the way (nginx: `proxy_buffering off`, or let the server send "
    "`X-Accel-Buffering: no`), and compression middleware for text/event-stream. On Lambda, InvokeMode and the "
    "adapter's mode must both stream."
)


@detector("streaming-disabled", effect=Effect.DOWN)
def streaming_disabled(evidence: Evidence) -> Cause | None:
    """An answer is declared as an event stream, but the stream is empty or never begins."""
    found = scene(evidence, Symptom.STREAM_EMPTY, tool_calls=True)
    if found is None:
        return None
    exchange = found.exchange
    silent = exchange.transport_error is not None
    total = milliseconds(exchange.timings.total_ms)
    how = f"never begins: headers, and no event within {total}" if silent else f"ends after {total} without an event"
    sure = 0.6 if silent and is_tool_call(exchange) else 0.85
    return found.cause(
        sure,
        f"The event stream that answers {found.asked} {how}.",
        _FIXES.get(found.door, _OTHER_FIX),
        alternatives=(
            "The application dies before its first event: then the function's log holds an error for this request.",
            "A buffered application under a streaming runtime (older Rust runtimes) sends the headers alone.",
            *(("A tool that is merely slower than the deadline, without progress.",) if sure < 0.8 else ()),
        ),
        effect=Effect.DOWN,
    )


@detector("streaming-buffered", effect=Effect.DEGRADED)
def streaming_buffered(evidence: Evidence) -> Cause | None:
    """Events are collected somewhere and arrive together, although the server took time between them."""
    if evidence.endpoint.streaming is False or not evidence.opening.established:
        return None
    late = held_back((each for each in evidence.exchanges if each.rpc_id is not None), evidence.endpoint.streaming)
    if late is None:
        return None
    exchange, pace = late
    cadence = cadence_of(exchange)
    assert cadence is not None
    found = Scene(evidence, exchange)
    return found.cause(
        _confidence(exchange, pace, cadence),
        _summary(found, pace, cadence),
        _FIXES.get(front_door_of(exchange), _OTHER_FIX),
        proofs=(
            *(
                Proof(text=f"message {number} after {milliseconds(message.at_ms)}", exchange=exchange.id)
                for number, message in enumerate(exchange.messages[:5], start=1)
            ),
            *header_proof(exchange, "content-length"),
        ),
        alternatives=_otherwise(pace),
    )


@detector("stream-truncated", effect=Effect.DOWN)
def stream_truncated(evidence: Evidence) -> Cause | None:
    """An event stream ends before the answer, or in the middle of an event."""
    found = scene(evidence, Symptom.STREAM_TRUNCATED, tool_calls=True)
    if found is None:
        return None
    exchange = found.exchange
    died = STREAM_ERROR_MARK in exchange.body
    after = f"after {counted(len(exchange.messages), 'message')} and {milliseconds(exchange.timings.total_ms)}"
    where = " in the middle of an event" if exchange.unterminated else ""
    why = " The runtime wrote its error into the body: the application died in mid-stream." if died else ""
    return found.cause(
        0.95 if died else 0.75,
        f"The event stream that answers {found.asked} ends{where} without the answer, {after}.{why}",
        "Look in the function's log for `Task timed out` or a crash at this time; raise the function's timeout if the "
        "stream is meant to last longer.",
        alternatives=(
            "The function's timeout: then the stream ends after the same time on every call.",
            "A size or idle limit of a gateway on the way.",
            *(
                ("The server closes early and means the client to resume with Last-Event-ID.",)
                if _resumes(exchange)
                else ()
            ),
        ),
    )


def _confidence(exchange: Exchange, pace: Pace, cadence: Cadence) -> float:
    """Headers that come early show that nobody held the whole answer back; then only the events were joined."""
    if pace is Pace.ONE_BODY:
        return 0.7
    first_byte = exchange.timings.first_byte_ms
    return 0.9 if first_byte is None or first_byte >= 0.8 * cadence.first_ms else 0.65


def _summary(found: Scene, pace: Pace, cadence: Cadence) -> str:
    took = milliseconds(cadence.taken_ms)
    if pace is Pace.ONE_BODY:
        return f"{found.asked} is answered with one JSON body after {took}, although events are expected to stream."
    return (
        f"{cadence.events} events of {found.asked} arrive within {milliseconds(cadence.spread_ms)} of each other, "
        f"{took} after the request: they were held back."
    )


def _otherwise(pace: Pace) -> tuple[str, ...]:
    if pace is Pace.ONE_BODY:
        return (
            "The server is set to answer with JSON only (json_response in the Python SDK), or the tool reports no "
            "progress: then a local run of the server answers the same way.",
        )
    return (
        "The tool itself reports all its progress at the end: then a local run shows the same times.",
        "The Node.js runtime joins chunks below about 100 KB: then larger events arrive one by one.",
    )


def _resumes(exchange: Exchange) -> bool:
    lost = exchange.transport_error is not None and exchange.transport_error.failure is Failure.CONNECTION_LOST
    return b"id:" in exchange.body and not lost
