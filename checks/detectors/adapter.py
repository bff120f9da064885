"""Causes between Lambda and the MCP server: no adapter, modes that do not fit, a host list that forgets the host.

Source: AWS Lambda Developer Guide, "Invoking Lambda function URLs" (payload formats) and "Response streaming for Lambda
functions"; the README of the Lambda Web Adapter, "Configurations"; the sources of the MCP SDKs for the host check.
"""

from typing import Final
from urllib.parse import urlsplit

from checks.cuts import never_ends
from checks.detectors.scene import Scene, scene
from checks.front_door import FrontDoor
from checks.messages import error_of, result_of
from checks.model import Effect, Evidence, Proof
from checks.proofs import header_proof, milliseconds, request_line
from checks.symptoms import PRELUDE_END, Symptom, inner_status
from checks.text import clean
from checks.unit import Cause, detector

_ADD_ADAPTER: Final = """\
Put the Lambda Web Adapter between Lambda and the server (AWS SAM):
  Handler: run.sh                 # starts the server
  Layers:
    - !Sub arn:aws:lambda:${AWS::Region}:753240598075:layer:LambdaAdapterLayerX86:27
  Environment:
    Variables:
      AWS_LAMBDA_EXEC_WRAPPER: /opt/bootstrap
      AWS_LWA_PORT: "8080"        # where the server listens
or deploy the handler that speaks MCP, if another one was deployed by mistake."""

STREAM_BOTH: Final = """\
Let both sides stream:
  aws lambda update-function-url-config --function-name NAME --invoke-mode RESPONSE_STREAM
  # SAM: FunctionUrlConfig: { InvokeMode: RESPONSE_STREAM }
  # CDK: fn.addFunctionUrl({ invokeMode: lambda.InvokeMode.RESPONSE_STREAM })
and AWS_LWA_INVOKE_MODE=response_stream in the function's environment (an unknown value there means buffered)."""

_BUFFER_BOTH: Final = """\
Or let both buffer, if nothing needs to stream:
  aws lambda update-function-url-config --function-name NAME --invoke-mode BUFFERED
and no AWS_LWA_INVOKE_MODE in the function's environment."""


_OLD_RUST: Final = (
    "A Rust runtime that streams over a buffered application sends an empty body (older lambda_http): then the "
    "function's log shows a normal request, and an update of the crate or the adapter mends it."
)
_REST_DIFFERS: Final = (
    "An HTTP API takes a value without statusCode for the body, a REST API and a load balancer take the same function "
    "for a crashed one: where the function was moved from one to the other, only the door has changed."
)


@detector("adapter-missing", effect=Effect.DOWN)
def adapter_missing(evidence: Evidence) -> Cause | None:
    """A Lambda function answers with a value of its own that is not MCP: nothing translates for the server."""
    found = scene(evidence, Symptom.FOREIGN_FUNCTION, tool_calls=True)
    if found is None:
        return None
    exchange = found.exchange
    return found.cause(
        0.9 if b"Hello from Lambda" in exchange.body[:512] or found.door is FrontDoor.FUNCTION_URL else 0.8,
        f"The function behind the {found.door.value} answers {found.asked} with HTTP {exchange.status} and "
        f"{_kind(found)}, not with MCP.",
        _ADD_ADAPTER,
        proofs=header_proof(exchange, "x-amzn-requestid"),
        alternatives=(
            *((_OLD_RUST,) if not exchange.body.strip() else ()),
            "The server is there, but at another path: then a request to /mcp or /mcp/ of the same host is answered "
            "with JSON-RPC.",
            *((_REST_DIFFERS,) if found.door is FrontDoor.HTTP_API else ()),
        ),
        effect=Effect.DOWN,
    )


@detector("invoke-mode-mismatch", effect=Effect.DOWN)
def invoke_mode_mismatch(evidence: Evidence) -> Cause | None:
    """The proxy envelope or the streaming prelude leaks into the body: InvokeMode and the function's mode differ.

    Or they agree on streaming, and the function cannot stream an answer without a body: such an answer never ends.
    """
    found = scene(evidence, Symptom.ENVELOPE, Symptom.PRELUDE, Symptom.GO_STREAM, tool_calls=True)
    if found is None:
        return _endless_empty_body(evidence)
    exchange = found.exchange
    meant = inner_status(exchange)
    hidden = (
        "" if meant is None else f" The status that the server meant, {meant}, is inside; outside is {exchange.status}."
    )
    if found.symptom is Symptom.ENVELOPE:
        return found.cause(
            0.95,
            f"The proxy envelope arrives as the body of {found.asked}: the front door streams, the function "
            f"buffers.{hidden}",
            f"{STREAM_BOTH}\n{_BUFFER_BOTH}",
            effect=Effect.DOWN,
        )
    if found.symptom is Symptom.GO_STREAM:
        return found.cause(
            0.85,
            f"Go's streaming response arrives as a serialised struct in the body of {found.asked}: the front door or "
            f"the build does not stream.{hidden}",
            f"Build the Go function for the provided.al2023 runtime with `-tags lambda.norpc`. {STREAM_BOTH}",
            effect=Effect.DOWN,
        )
    at = exchange.body.find(PRELUDE_END)
    return found.cause(
        0.8,
        f"The streaming prelude arrives in the body of {found.asked}: the function streams, the front door "
        f"buffers.{hidden}",
        f"{STREAM_BOTH}\nAn API Gateway REST integration needs responseTransferMode: STREAM.\n{_BUFFER_BOTH}",
        proofs=(Proof(text=f"eight zero bytes end the prelude at byte {at}", exchange=exchange.id),),
        alternatives=(
            "A proxy that calls the function with the Invoke API and does not read the prelude: then the function's "
            "own URL answers without it.",
        ),
        effect=Effect.DOWN,
    )


def _endless_empty_body(evidence: Evidence) -> Cause | None:
    """A notification whose answer has no body and never ends, while requests are answered."""
    hanging = [each for each in evidence.opening.exchanges if never_ends(each)]
    answered = [each for each in evidence.exchanges if result_of(each) is not None]
    if not hanging or not answered:
        return None
    found = Scene(evidence, hanging[0])
    held = milliseconds(found.exchange.timings.total_ms)
    return found.cause(
        0.8,
        f"The answer to {found.asked}, HTTP {found.exchange.status} without a body, has not ended after {held}, while "
        "requests are answered: the function streams, and never ends an answer that has no body.",
        "Update the Lambda Web Adapter and the runtime: in older ones an answer without a body never ends under "
        "response streaming, and each costs an invocation up to the function's timeout. In a streamifyResponse handler "
        'of your own, write an empty string before the end: stream.write(""); stream.end().\n' + _BUFFER_BOTH,
        proofs=(Proof(text=f"{request_line(answered[-1])} is answered on the same server", exchange=answered[-1].id),),
        alternatives=(
            "The application keeps the answer open on purpose: then a local run without Lambda hangs as well.",
        ),
        effect=Effect.DEGRADED,
    )


_ON_THE_WAY: Final = (
    "A proxy or firewall on the way, which knows no such host or blocks it: then the server's log shows no request."
)


@detector("host-rejected", effect=Effect.DOWN)
def host_rejected(evidence: Evidence) -> Cause | None:
    """The server refuses the name that it is called by: its list of allowed hosts does not hold it."""
    found = scene(evidence, Symptom.HOST_REJECTED, tool_calls=True)
    if found is None:
        return None
    host = clean(urlsplit(found.exchange.url).netloc.rpartition("@")[2], 100)
    return found.cause(
        _certain_of_host(found),
        f"HTTP {found.exchange.status}: the server does not accept {host} as its host name. The adapter's readiness "
        "check calls it 127.0.0.1, so the function looks healthy.",
        "Name the public host where the server keeps its list of hosts, which guards a server on a laptop against DNS "
        "rebinding and holds nothing but loopback names at first:\n"
        f'  TransportSecuritySettings(allowed_hosts=["{host}"])           # MCP SDK for Python\n'
        f"  createMcpExpressApp({{ host: '0.0.0.0', allowedHosts: ['{host}'] }})   # for TypeScript\n"
        f'  StreamableHttpServerConfig: allowed_hosts = ["{host}"]        # for Rust\n'
        f'  TrustedHostMiddleware(app, allowed_hosts=["{host}"])          # Starlette, FastAPI\n'
        'or build a server of the Python SDK with host="0.0.0.0", which does not switch the list on.',
        alternatives=(_ON_THE_WAY,) if _may_be_on_the_way(found) else (),
        effect=Effect.DOWN,
    )


def _certain_of_host(found: Scene) -> float:
    if _may_be_on_the_way(found):
        return 0.6
    return 0.95 if found.exchange.status != 421 or b"invalid host" in found.exchange.body[:512].lower() else 0.7


def _may_be_on_the_way(found: Scene) -> bool:
    """Whether nothing but words tells that it is the server who refuses."""
    by_words = found.exchange.status != 421 and error_of(found.exchange) is None
    return by_words and found.door is FrontDoor.UNKNOWN


def _kind(found: Scene) -> str:
    body = found.exchange.body.strip()
    if not body:
        return "an empty body"
    if body == b"null":
        return "null, the return value of a handler that returns nothing"
    if b"Hello from Lambda" in body[:1024]:
        return "the console's sample “Hello from Lambda!”"
    if found.exchange.media_type == "text/html" or body[:1] == b"<":
        return "an HTML page"
    return "the return value of a handler of its own" if body[:1] in b'{["' else "a text of its own"
