"""In which way an answer that is meant as JSON-RPC is broken, and what mends that.

Sources: Lambda Developer Guide, "Invoking Lambda function URLs" (payload formats) and "Writing response
streaming-enabled Lambda functions"; API Gateway Developer Guide, "Binary media types for REST APIs".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from checks.bodies import is_encoded_twice, is_in_base64, is_like_events, is_like_json, is_packed
from checks.irregularities import Irregular
from checks.messages import has_error, result_of, rpc_messages
from checks.model import Exchange, Failure
from checks.spec import EVENT_STREAM_TYPE, JSON_TYPE
from checks.text import clean

_SIZES: Final = {
    "body-too-large": "body",
    "answer-too-large": "received",
    "json-too-large": "json",
    "json-too-deep": "json_depth",
    "json-too-many-values": "json_values",
    "event-too-large": "event",
}
"""The limits of size, by the reason that a report has where an answer exceeds them."""

_UNREADABLE: Final = frozenset({Irregular.NOT_JSON, Irregular.JSON_NON_STANDARD, Irregular.BAD_ENCODING})
"""Why a body was not kept as a message."""

_COMPARE: Final = (
    "Compare the bytes with what the server writes. A body cut short points to a wrong Content-Length or a size limit; "
    "a wrong id to a proxy or cache that answers for another request."
)
_NOT_ASKED_FOR: Final = (
    "Compression that nobody asked for comes from a proxy or cache that overlooks Accept-Encoding, or from a handler "
    "that compresses always: have it compress only what the request's Accept-Encoding allows."
)
_AS_DECLARED: Final = (
    "Have whoever compresses the body, and nobody else, write Content-Encoding: a gateway that decodes, or a handler "
    "that sets the header by itself, makes the two disagree."
)
_SAY_PACKED: Final = (
    "Have the handler that compresses say so, by the header Content-Encoding: gzip and, in a proxy response, "
    "isBase64Encoded: true; or have it leave compression to the front door."
)
_ENCODE_ONCE: Final = (
    "Give out the JSON text itself: what is a string already must not go through json.dumps (JSON.stringify) again, "
    "nor through a framework that encodes what a handler returns."
)
_SAY_BASE64: Final = (
    "Say isBase64Encoded: true in the proxy response, or put the body in as text. A REST API decodes only where its "
    "binary media types match the Accept header:\n"
    "  aws apigateway get-rest-api --rest-api-id ID --query binaryMediaTypes\n"
    "The Lambda Web Adapter and lambda_http take text/*, application/json and the like for text, all else for bytes."
)
_SAY_STREAM: Final = """\
Have the answer say Content-Type: text/event-stream. A streamifyResponse handler sets it before it writes, or the type
is application/octet-stream:
  const headers = { 'Content-Type': 'text/event-stream' };
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 200, headers });
and a handler that returns a proxy response in its headers."""
_SAY_JSON: Final = (
    "Have the answer say Content-Type: application/json: clients choose by it how to read a body. In a proxy response "
    "it belongs into headers; a load balancer and a streaming response have another default."
)


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong, to follow “is broken JSON-RPC: ”, and what mends it."""

    text: str
    fix: str = _COMPARE


def excess_of(exchange: Exchange) -> Defect | None:
    """That an answer is larger than what is read of one, and may be right: to follow “the answer to X ”."""
    failed = exchange.transport_error
    limit = None if failed is None else _SIZES.get(failed.reason)
    if failed is None or failed.failure is not Failure.LIMIT or limit is None:
        return None
    return Defect(
        f"is larger than what is read of one ({failed.reason}): {clean(failed.detail, 120)}",
        "Clients have limits like this one, and a model has little room for so much: give out less at once, by pages "
        f"or by shorter texts. If it is meant to be so large, raise `{limit}` under `limits` of the configuration.",
    )


def defect_of(exchange: Exchange) -> Defect:
    """The most telling defect of an answer that somebody meant as JSON-RPC."""
    if result_of(exchange) is not None:
        return Defect("its result does not name the revision to speak")
    failed = exchange.transport_error
    if failed is not None and failed.reason == "unexpected-encoding":
        return Defect(f"it is compressed as is not unpacked here: {clean(failed.detail, 120)}", _NOT_ASKED_FOR)
    if failed is not None and failed.reason == "broken-encoding":
        return Defect(clean(failed.detail, 120), _AS_DECLARED)
    if failed is not None:
        limit = failed.failure is Failure.LIMIT
        return Defect(f"it exceeds a limit ({failed.reason})" if limit else "its HTTP framing is broken")
    return next(_of_messages(exchange), None) or _of_bytes(exchange)


def _of_messages(exchange: Exchange) -> Iterator[Defect]:
    for message in rpc_messages(exchange):
        if message.get("result") is not None and has_error(message):
            yield Defect("it holds both a result and an error")
        if "result" in message and message.get("id") != exchange.rpc_id:
            given = str(message.get("id"))[:40]
            yield Defect(f"its id is not the request's ({given!r} instead of {exchange.rpc_id!r})")
        if message.get("jsonrpc") != "2.0":
            yield Defect('it does not say "jsonrpc": "2.0"')


def _of_bytes(exchange: Exchange) -> Defect:
    """What the bytes show where they are no message, or one that says nothing."""
    if is_packed(exchange):
        once_more = exchange.header("content-encoding") is not None
        how = "twice, and Content-Encoding names it once" if once_more else "by gzip, and no Content-Encoding says so"
        return Defect(f"it is compressed {how}", _AS_DECLARED if once_more else _SAY_PACKED)
    if is_encoded_twice(exchange):
        return Defect("it is encoded twice, a JSON text within a JSON string", _ENCODE_ONCE)
    if is_in_base64(exchange):
        return Defect("it is in base64, and nothing has decoded it", _SAY_BASE64)
    if exchange.messages:
        return Defect("its result is no object")
    kind = clean(exchange.media_type or "", 80)
    declared = f"declared as {kind}" if kind else "without a declared type"
    if exchange.media_type != EVENT_STREAM_TYPE and is_like_events(exchange):
        return Defect(f"it is an event stream, {declared}", _SAY_STREAM)
    if exchange.media_type != JSON_TYPE and is_like_json(exchange):
        return Defect(f"it is JSON, {declared}", _SAY_JSON)
    unreadable = [each.detail for each in exchange.irregularities if each.code in _UNREADABLE]
    why = f": {clean(unreadable[0], 120)}" if unreadable else ""
    return Defect(f"its {exchange.body_size:,} bytes of {kind or 'no declared type'} are no complete JSON{why}")
