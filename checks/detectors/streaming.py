"""Causes around event streams: empty, held back until the end, cut off.

Source: AWS Lambda Developer Guide, "Response streaming for Lambda functions"; API Gateway Developer Guide, "Stream the
integration response for your proxy integrations"; the README of the Lambda Web Adapter, "Response streaming". What
runtimes write into a broken stream is read off the sources of the Rust and Node.js runtime clients.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Final

from checks.cuts import cut_at_limit
from checks.detectors.adapter import STREAM_BOTH
from checks.detectors.scene import Scene, scene
from checks.front_door import FrontDoor, front_door_of
from checks.model import Effect, Evidence, Exchange, Failure, Proof
from checks.proofs import counted, header_proof, milliseconds
from checks.symptoms import STREAM_ERROR_MARK, Symptom, is_tool_call
from checks.text import clean, clean_bytes
from checks.timing import Cadence, Pace, cadence_of, held_back
from checks.unit import Cause, detector

_FIXES: Final[Mapping[FrontDoor, str]] = {
    FrontDoor.FUNCTION_URL: STREAM_BOTH,
    FrontDoor.REST_API: "Set responseTransferMode: STREAM on the integration, deploy the stage, and let the function "
    "stream (AWS_LWA_INVOKE_MODE=response_stream).",
    FrontDoor.HTTP_API: "An HTTP API cannot stream. Use a Function URL with InvokeMode RESPONSE_STREAM, or a REST API "
    "with responseTransferMode: STREAM.",
    FrontDoor.ALB: "A load balancer cannot stream from a function. Use a Function URL with InvokeMode RESPONSE_STREAM.",
}
_JOINED_FIX: Final = (
    "Nothing on the way holds the events back. If they are to arrive one by one, let the tool report while it works, "
    "and under the Node.js runtime of Lambda write more with each event than that joins (a comment of 100 KB), or "
    "serve through the Lambda Web Adapter."
)
_NODE: Final = "The Node.js runtime joins chunks below about 100 KB: then larger events arrive one by one."

_ERROR_TYPE: Final = re.compile(STREAM_ERROR_MARK + rb":[ \t]*([^\r\n]+)")
_ERROR_BODY: Final = re.compile(rb"Lambda-Runtime-Function-Error-Body:[ \t]*([^\r\n]+)")

_OTHER_FIX: Final = (
    "Switch buffering off in every proxy on the way (nginx: `proxy_buffering off`, or let the server send "
    "`X-Accel-Buffering: no`), and compression middleware for text/event-stream. On Lambda, InvokeMode and the "
    "adapter's mode must both stream."
)

_SLOWER: Final = "A tool that is merely slower than the deadline, without progress: then a longer `timeout` brings it."


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
            "A buffered application under a streaming runtime (older Rust runtimes) sends the headers alone: then the "
            "log shows a normal request.",
            *((_SLOWER,) if sure < 0.8 else ()),
        ),
        effect=Effect.DOWN,
    )


@detector("streaming-buffered", effect=Effect.DEGRADED, timed=True)
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
        _confidence(pace, cadence),
        _summary(found, pace, cadence),
        _JOINED_FIX if pace is Pace.JOINED else _FIXES.get(front_door_of(exchange), _OTHER_FIX),
        proofs=_measures(exchange, cadence),
        alternatives=_otherwise(exchange, pace),
        effect=Effect.INFORMATION if pace is Pace.JOINED else Effect.DEGRADED,
    )


@detector("stream-truncated", effect=Effect.DOWN)
def stream_truncated(evidence: Evidence) -> Cause | None:
    """An event stream ends before the answer, or in the middle of an event."""
    found = scene(evidence, Symptom.STREAM_TRUNCATED, tool_calls=True)
    if found is None or cut_at_limit(evidence) is not None:
        return None
    exchange = found.exchange
    died = runtime_error_of(exchange)
    after = f"after {counted(len(exchange.messages), 'message')} and {milliseconds(exchange.timings.total_ms)}"
    where = " in the middle of an event" if exchange.unterminated else ""
    why = "" if died is None else f" The runtime wrote its error into the body: {died}."
    return found.cause(
        0.75 if died is None else 0.95,
        f"The event stream that answers {found.asked} ends{where} without the answer, {after}.{why}",
        "Look in the function's log for a crash at this time, or for `Task timed out`; raise the function's timeout if "
        "the stream is meant to last longer.",
        alternatives=(
            *(
                ("The function's timeout: then the stream ends after the same whole seconds on every call.",)
                if died is None
                else ()
            ),
            "A size or idle limit of a gateway on the way: then the stream ends after the same size or silence.",
            *(
                ("The server closes early and means to be asked again: then a GET with Last-Event-ID brings the rest.",)
                if _resumes(exchange)
                else ()
            ),
        ),
    )


def runtime_error_of(exchange: Exchange) -> str | None:
    """What a Rust runtime, and so the Lambda Web Adapter, wrote about its end into the body, in one line, or None.

    What is meant as trailers comes as text: an error type, and the error itself in base64.
    """
    if STREAM_ERROR_MARK not in exchange.body:
        return None
    kind, body = _ERROR_TYPE.search(exchange.body), _ERROR_BODY.search(exchange.body)
    said = _decoded(body[1]) if body is not None else ""
    named = clean_bytes(kind[1], 80) if kind is not None else "an error"
    return f"{named}: {said}" if said else named


def _decoded(coded: bytes) -> str:
    """The error, which is text or JSON with a message."""
    whole = coded[: len(coded) // 4 * 4]
    try:
        text = base64.b64decode(whole, validate=True)
    except binascii.Error:
        return clean_bytes(coded, 160)
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return clean_bytes(text, 160)
    message = parsed.get("errorMessage") if isinstance(parsed, dict) else None
    return clean(message, 160) if isinstance(message, str) else clean_bytes(text, 160)


def _confidence(pace: Pace, cadence: Cadence) -> float:
    if pace is Pace.BURST:
        return 0.65 if cadence.has_early_headers else 0.9
    return {Pace.SIZED: 0.8, Pace.JOINED: 0.5}.get(pace, 0.7)


def _summary(found: Scene, pace: Pace, cadence: Cadence) -> str:
    took = milliseconds(cadence.taken_ms)
    if pace is Pace.ONE_BODY:
        return f"{found.asked} is answered with one JSON body after {took}, although events are expected to stream."
    if pace is Pace.SIZED:
        return f"The event stream that answers {found.asked} has a Content-Length: it was collected before it was sent."
    together = (
        f"{cadence.events} events of {found.asked} arrive within {milliseconds(cadence.spread_ms)} of each other, "
        f"{took} after the request"
    )
    if pace is Pace.JOINED:
        return f"{together}, behind headers that came at once: the server or its runtime joined them."
    return f"{together}: {_holder(found.door)}."


def _holder(door: FrontDoor) -> str:
    never = {
        FrontDoor.HTTP_API: "an API Gateway HTTP API collects every answer",
        FrontDoor.ALB: "a load balancer collects every answer of a function",
    }
    return never.get(door, "they were held back")


def _measures(exchange: Exchange, cadence: Cadence) -> tuple[Proof, ...]:
    """Headers, first and last event against the time that the server took."""
    headers = "" if cadence.headers_ms is None else f"headers after {milliseconds(cadence.headers_ms)}, "
    text = (
        f"{headers}first event after {milliseconds(cadence.first_ms)}, last after {milliseconds(cadence.last_ms)}: "
        f"the events span {cadence.share:.0%} of the time that the server took"
    )
    return (
        Proof(text=text, exchange=exchange.id),
        *(
            Proof(text=f"message {number} after {milliseconds(message.at_ms)}", exchange=exchange.id)
            for number, message in enumerate(exchange.messages[:5], start=1)
        ),
        *header_proof(exchange, "content-length"),
    )


def _otherwise(exchange: Exchange, pace: Pace) -> tuple[str, ...]:
    if pace is Pace.ONE_BODY:
        return (
            "The server is set to answer with JSON only (json_response in the Python SDK), or the tool reports no "
            "progress: then a local run of the server answers the same way.",
        )
    if pace is Pace.SIZED:
        return ("The server itself makes the whole stream before it sends it: then a local run has the length, too.",)
    return (
        "The tool itself reports all its progress at the end: then a local run shows the same times.",
        *((_NODE,) if exchange.header("content-length") is None else ()),
    )


def _resumes(exchange: Exchange) -> bool:
    lost = exchange.transport_error is not None and exchange.transport_error.failure is Failure.CONNECTION_LOST
    return b"id:" in exchange.body and not lost
