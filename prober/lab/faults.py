"""The catalog: healthy servers of every kind, and one server for every fault that can be told from outside."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from prober.lab import misbehaviour as bad
from prober.lab.front_doors.function_url import Access, FunctionUrl, InvokeMode
from prober.lab.front_doors.gateways import CloudFront, RestApi
from prober.lab.http import Handler, Request, Response, text
from prober.lab.runtime.function import Context, Function
from prober.lab.runtime.in_process import AdapterMode, AppInstance, HandlerInstance
from prober.lab.scenario import EndpointHints, Front, Scenario, SentinelHint
from prober.lab.servers import rpc, toolbox
from prober.lab.servers.dual import DualServer
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.legacy_sse import LegacySseServer
from prober.lab.servers.stateless import StatelessServer

HTML_HELLO: Final = (
    "<!DOCTYPE html><html><head><title>Hello</title></head><body><h1>Hello from Lambda!</h1></body></html>"
)
DENIED: Final = (
    "An error occurred (AccessDeniedException) when calling the GetItem operation: "
    "User: arn:aws:sts::123456789012:assumed-role/orders-role/orders is not authorized to perform: dynamodb:GetItem "
    "on resource: arn:aws:dynamodb:eu-west-1:123456789012:table/orders "
    "because no identity-based policy allows the dynamodb:GetItem action"
)

UNPUBLISHED: Final = "2025-12-24"
"""A date between two revisions, as that of a draft."""

ALL_TOOLS: Final = ["add", "slow_count", "whoami"]
ADD: Final[SentinelHint] = {"tool": "add", "arguments": {"a": 2, "b": 3}, "expect": {"text": "5"}}
COUNT: Final[SentinelHint] = {
    "tool": "slow_count",
    "arguments": {"n": 3, "seconds": 0.6},
    "expect": {"json": {"count": 3}},
}
LOOKUP: Final[SentinelHint] = {"tool": "lookup", "arguments": {}, "expect": {}}
PLAIN: Final[EndpointHints] = {"sentinels": [ADD], "expected_tools": ALL_TOOLS}
STREAMING: Final[EndpointHints] = {"sentinels": [COUNT], "expected_tools": ALL_TOOLS, "streaming": True}


def streaming(app: Callable[[], Handler], **settings: Any) -> Callable[[], Handler]:
    """The application behind an adapter and a Function URL that both stream; settings are those of the function."""
    return _behind_url(app, InvokeMode.RESPONSE_STREAM, AdapterMode.RESPONSE_STREAM, settings)


def buffered(app: Callable[[], Handler], **settings: Any) -> Callable[[], Handler]:
    """The application behind an adapter and a Function URL that both buffer."""
    return _behind_url(app, InvokeMode.BUFFERED, AdapterMode.BUFFERED, settings)


def _behind_url(
    app: Callable[[], Handler], mode: InvokeMode, adapter: AdapterMode, settings: Mapping[str, Any]
) -> Callable[[], Handler]:
    def build() -> Handler:
        # One application for all instances: its sessions live outside of them, as in a session table.
        served = app()
        return FunctionUrl(function=Function(build=lambda: AppInstance(served, adapter), **settings), mode=mode)

    return build


def _returning(handler: Callable[[Mapping[str, Any], Context], Any]) -> Callable[[], Handler]:
    """A function without any adapter behind a buffered Function URL."""
    return lambda: FunctionUrl(function=Function(build=lambda: HandlerInstance(handler)))


def _refusing(access: Access) -> Callable[[], Handler]:
    return lambda: FunctionUrl(function=Function(build=lambda: HandlerInstance(bad.returns(None))), access=access)


def _stateless_with(**replies: bad.Reply) -> Callable[[], Handler]:
    """A stateless server that answers one method otherwise; `__` stands for the slash."""
    return lambda: bad.intercept(StatelessServer(), {name.replace("__", "/"): reply for name, reply in replies.items()})


def _stateless_offering(*offered: toolbox.Tool) -> Callable[[], Handler]:
    return lambda: StatelessServer(tools=offered)


HEALTHY: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="stateless-streaming",
        title="Stateless server, events stream one by one",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [ADD, COUNT], "expected_tools": ALL_TOOLS, "streaming": True},
        build=streaming(StatelessServer),
    ),
    Scenario(
        id="stateless-json",
        title="Stateless server that answers with JSON only",
        verdict="up",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**PLAIN, "streaming": False},
        build=buffered(lambda: StatelessServer(streams=False, page_size=2)),
    ),
    Scenario(
        id="handshake-sse",
        title="Handshake server with sessions, answers on event streams",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=streaming(HandshakeServer),
    ),
    Scenario(
        id="handshake-json",
        title="Handshake server without sessions, revision 2025-06-18",
        verdict="up",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**PLAIN, "streaming": False},
        build=buffered(lambda: HandshakeServer(newest="2025-06-18", has_sessions=False, streams=False, page_size=2)),
    ),
    Scenario(
        id="handshake-2025-03-26",
        title="Handshake server with sessions, revision 2025-03-26",
        verdict="up",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**PLAIN, "streaming": False},
        build=buffered(lambda: HandshakeServer(newest="2025-03-26", streams=False)),
    ),
    Scenario(
        id="dual",
        title="Both eras at one address",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=streaming(DualServer),
    ),
    Scenario(
        id="legacy-sse",
        title="HTTP+SSE server of 2024-11-05, not on Lambda",
        verdict="up",
        front=Front.HTTP,
        options=STREAMING,
        build=LegacySseServer,
        path="/sse",
    ),
    Scenario(
        id="slow-but-steady",
        title="Every answer takes its time, none fails",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        build=streaming(lambda: bad.slowly(StatelessServer(), 0.4)),
    ),
)

LAMBDA_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="cold-start",
        title="Healthy, but the first request wakes a new instance",
        verdict="up",
        diagnosis="cold-start",
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        build=streaming(StatelessServer, cold_start_s=1.2, idle_s=1.0),
    ),
    Scenario(
        id="adapter-missing",
        title="The console's sample function answers instead of the server",
        verdict="down",
        diagnosis="adapter-missing",
        front=Front.FUNCTION_URL_BUFFERED,
        build=_returning(bad.returns({"statusCode": 200, "body": '"Hello from Lambda!"'})),
    ),
    Scenario(
        id="adapter-missing-html",
        title="A sample web page answers instead of the server",
        verdict="down",
        diagnosis="adapter-missing",
        front=Front.FUNCTION_URL_BUFFERED,
        build=_returning(
            bad.returns({"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": HTML_HELLO})
        ),
    ),
    Scenario(
        id="adapter-missing-null",
        title="The handler returns nothing",
        verdict="down",
        diagnosis="adapter-missing",
        front=Front.FUNCTION_URL_BUFFERED,
        build=_returning(bad.returns(None)),
    ),
    Scenario(
        id="adapter-missing-json",
        title="The handler returns a value of its own",
        verdict="down",
        diagnosis="adapter-missing",
        front=Front.FUNCTION_URL_BUFFERED,
        build=_returning(bad.returns({"ok": True, "message": "orders service is ready"})),
    ),
    Scenario(
        id="invoke-mode-mismatch",
        title="Streaming URL over a buffering adapter: the proxy envelope leaks",
        verdict="down",
        diagnosis="invoke-mode-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        build=_behind_url(StatelessServer, InvokeMode.RESPONSE_STREAM, AdapterMode.BUFFERED, {}),
    ),
    Scenario(
        id="invoke-mode-mismatch-prelude",
        title="Buffered URL over a streaming adapter: the prelude leaks",
        verdict="down",
        diagnosis="invoke-mode-mismatch",
        front=Front.FUNCTION_URL_BUFFERED,
        build=_behind_url(StatelessServer, InvokeMode.BUFFERED, AdapterMode.RESPONSE_STREAM, {}),
    ),
    Scenario(
        id="function-crash",
        title="The handler raises on every event",
        verdict="down",
        diagnosis="function-crash",
        front=Front.FUNCTION_URL_BUFFERED,
        build=_returning(bad.crashes),
    ),
    Scenario(
        id="throttled",
        title="Reserved concurrency is 0",
        verdict="down",
        diagnosis="throttled",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(StatelessServer, concurrency=0),
    ),
    Scenario(
        id="function-url-forbidden",
        title="The resource policy keeps everybody out",
        verdict="down",
        diagnosis="function-url-forbidden",
        front=Front.FUNCTION_URL_STREAMING,
        build=_refusing(Access.FORBIDDEN),
    ),
    Scenario(
        id="function-url-gone",
        title="There is no such Function URL any more",
        verdict="down",
        diagnosis="function-url-gone",
        front=Front.FUNCTION_URL_STREAMING,
        build=_refusing(Access.GONE),
    ),
    Scenario(
        id="flapping",
        title="Dies for four openings out of thirty",
        verdict="up",
        steady=False,
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        build=streaming(lambda: bad.flapping(StatelessServer(), down=range(3, 7), period=30)),
    ),
)

DOOR_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="signature-rejected",
        title="CloudFront signs for a Function URL, but cannot sign a POST",
        verdict="down",
        diagnosis="signature-rejected",
        front=Front.CLOUDFRONT,
        build=lambda: CloudFront(origin=streaming(StatelessServer)(), signs=True),
    ),
    Scenario(
        id="route-missing",
        title="The REST API has no such resource",
        verdict="down",
        diagnosis="route-missing",
        front=Front.REST_API,
        build=lambda: RestApi(integration=StatelessServer(streams=False), path="/prod/mcp"),
    ),
    Scenario(
        id="route-missing-application",
        title="The stage's name reaches the application, which knows no such path",
        verdict="down",
        diagnosis="route-missing",
        front=Front.FUNCTION_URL_BUFFERED,
        build=buffered(lambda: bad.mounted(StatelessServer(), "/mcp")),
        path="/prod/mcp",
    ),
    Scenario(
        id="gateway-timeout",
        title="The function takes longer than the gateway waits",
        verdict="down",
        diagnosis="gateway-timeout",
        front=Front.REST_API,
        build=lambda: RestApi(integration=bad.never, limit_s=1.0),
    ),
    Scenario(
        id="blocked-by-waf",
        title="A web application firewall turns the prober away",
        verdict="down",
        diagnosis="blocked-by-waf",
        front=Front.REST_API,
        build=lambda: RestApi(integration=StatelessServer(streams=False), blocked=True),
    ),
    Scenario(
        id="auth-challenge-remapped",
        title="Asks for a bearer token, but the gateway renames the challenge",
        verdict="down",
        diagnosis="auth-required",
        beside=("auth-challenge-remapped",),
        front=Front.REST_API,
        build=lambda: RestApi(integration=bad.guarded(StatelessServer(streams=False), "lab-token")),
    ),
    Scenario(
        id="host-rejected",
        title="The server's list of hosts does not hold the name that it is called by",
        verdict="down",
        diagnosis="host-rejected",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(lambda: bad.only_for_host(StatelessServer(), "orders.example.com")),
    ),
    Scenario(
        id="accept-rejected",
        title="An edge replaces the Accept header",
        verdict="down",
        diagnosis="accept-rejected",
        front=Front.CLOUDFRONT,
        build=lambda: CloudFront(origin=bad.altered(StatelessServer(), {"accept": "application/json"})),
    ),
    Scenario(
        id="headers-stripped",
        title="An edge removes the protocol's own headers",
        verdict="down",
        diagnosis="headers-stripped",
        front=Front.CLOUDFRONT,
        build=lambda: CloudFront(
            origin=bad.altered(StatelessServer(), {"mcp-method": None, "mcp-protocol-version": None})
        ),
    ),
)

STREAM_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="streaming-disabled",
        title="A tool's event stream ends without an event",
        verdict="down",
        diagnosis="streaming-disabled",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=streaming(_stateless_with(tools__call=bad.empty_stream)),
    ),
    Scenario(
        id="streaming-disabled-silent",
        title="A tool's event stream never begins",
        verdict="down",
        diagnosis="streaming-disabled",
        front=Front.FUNCTION_URL_STREAMING,
        options={**STREAMING, "timeout_s": 3.0},
        build=streaming(_stateless_with(tools__call=bad.silent_stream)),
    ),
    Scenario(
        id="streaming-disabled-opening",
        title="Every event stream is empty, from the handshake on",
        verdict="down",
        diagnosis="streaming-disabled",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=streaming(lambda: bad.intercept(HandshakeServer(), {"initialize": bad.empty_stream})),
    ),
    Scenario(
        id="streaming-buffered",
        title="Events are collected and arrive all at once",
        verdict="degraded",
        diagnosis="streaming-buffered",
        front=Front.FUNCTION_URL_BUFFERED,
        options=STREAMING,
        build=buffered(StatelessServer),
    ),
    Scenario(
        id="stream-truncated",
        title="A tool's event stream ends before the answer",
        verdict="degraded",
        diagnosis="stream-truncated",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=streaming(_stateless_with(tools__call=bad.abandoned_stream)),
    ),
    Scenario(
        id="stream-truncated-trailer",
        title="The application dies in mid-stream, and its runtime says so in the body",
        verdict="down",
        diagnosis="stream-truncated",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=streaming(_stateless_with(tools__list=bad.dying_stream)),
    ),
)

TOOL_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="tools-empty",
        title="The tool list is empty",
        verdict="down",
        diagnosis="tools-empty",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(_stateless_offering()),
    ),
    Scenario(
        id="tools-list-failed",
        title="The tool list cannot be had",
        verdict="down",
        diagnosis="tools-list-failed",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(_stateless_with(tools__list=bad.rpc_error(rpc.INTERNAL_ERROR, "Tool registry not loaded"))),
    ),
    Scenario(
        id="tools-missing",
        title="A tool that the owner counts on is not listed",
        verdict="degraded",
        diagnosis="tools-missing",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [ADD], "expected_tools": [*ALL_TOOLS, "refund"]},
        build=streaming(StatelessServer),
    ),
    Scenario(
        id="sentinel-failed",
        title="The sentinel's tool reports a failure",
        verdict="degraded",
        diagnosis="sentinel-failed",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [LOOKUP]},
        build=streaming(
            _stateless_offering(toolbox.ADD, bad.failing_tool("lookup", "the order database did not answer"))
        ),
    ),
    Scenario(
        id="sentinel-access-denied",
        title="The function's role lacks a permission that the tool needs",
        verdict="degraded",
        diagnosis="sentinel-access-denied",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [LOOKUP]},
        build=streaming(_stateless_offering(toolbox.ADD, bad.failing_tool("lookup", DENIED))),
    ),
    Scenario(
        id="sentinel-error",
        title="The sentinel call is answered with a JSON-RPC error",
        verdict="degraded",
        diagnosis="sentinel-error",
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        build=streaming(_stateless_with(tools__call=bad.rpc_error(rpc.INTERNAL_ERROR, "Tool execution failed"))),
    ),
    Scenario(
        id="sentinel-mismatch",
        title="The sentinel answers something else than it should",
        verdict="degraded",
        diagnosis="sentinel-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [ADD]},
        build=streaming(_stateless_offering(bad.fixed_tool("add", toolbox.Result("6", {"sum": 6})))),
    ),
)

PROTOCOL_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="not-mcp",
        title="A static web site, not an MCP server",
        verdict="down",
        diagnosis="not-mcp",
        front=Front.HTTP,
        build=lambda: _static_site,
    ),
    Scenario(
        id="handshake-rejected",
        title="initialize is answered with an error",
        verdict="down",
        diagnosis="handshake-rejected",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(
            lambda: bad.intercept(
                HandshakeServer(streams=False),
                {"initialize": bad.rpc_error(rpc.INTERNAL_ERROR, "Configuration could not be loaded")},
            )
        ),
    ),
    Scenario(
        id="handshake-rejected-stateless",
        title="server/discover is answered with an error by a server of the stateless era",
        verdict="down",
        diagnosis="handshake-rejected",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(
            _stateless_with(server__discover=bad.rpc_error(rpc.INTERNAL_ERROR, "Configuration could not be loaded"))
        ),
    ),
    Scenario(
        id="protocol-version-mismatch",
        title="Negotiates an older revision than the one that is pinned",
        verdict="degraded",
        diagnosis="protocol-version-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        options={**PLAIN, "protocol_version": "2025-11-25"},
        build=streaming(lambda: HandshakeServer(newest="2025-06-18")),
    ),
    Scenario(
        id="protocol-version-unpublished",
        title="Negotiates a revision that nobody has published",
        verdict="degraded",
        diagnosis="protocol-version-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        build=streaming(lambda: HandshakeServer(newest=UNPUBLISHED, oldest=UNPUBLISHED)),
    ),
    Scenario(
        id="malformed-response",
        title="Every JSON body is cut in half",
        verdict="down",
        diagnosis="malformed-response",
        front=Front.FUNCTION_URL_BUFFERED,
        build=buffered(lambda: bad.truncated(StatelessServer(streams=False))),
    ),
    Scenario(
        id="auth-required",
        title="Asks for a bearer token, and none is configured",
        verdict="down",
        diagnosis="auth-required",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(lambda: bad.guarded(StatelessServer(), "lab-token")),
    ),
    Scenario(
        id="auth-rejected",
        title="Refuses the token that is configured",
        verdict="down",
        diagnosis="auth-rejected",
        front=Front.FUNCTION_URL_STREAMING,
        options={"headers": {"Authorization": "Bearer expired-lab-token"}},
        build=streaming(lambda: bad.guarded(StatelessServer(), "lab-token")),
    ),
    Scenario(
        id="redirected",
        title="Redirects to the same path with a slash",
        verdict="degraded",
        diagnosis="redirected",
        front=Front.HTTP,
        build=lambda: bad.redirects(StatelessServer(), from_path="/mcp", to_path="/mcp/"),
    ),
)

NETWORK_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="dns-failure",
        title="The name does not resolve",
        verdict="down",
        diagnosis="dns-failure",
        front=Front.ELSEWHERE,
        address="http://mcp-prober-lab.invalid/mcp",
    ),
    Scenario(
        id="connect-failure",
        title="Nothing listens on the port",
        verdict="down",
        diagnosis="connect-failure",
        front=Front.CLOSED,
    ),
    Scenario(
        id="tls-invalid",
        title="The certificate is signed by nobody whom anybody trusts",
        verdict="down",
        diagnosis="tls-invalid",
        front=Front.HTTPS,
        build=StatelessServer,
    ),
    Scenario(
        id="response-timeout",
        title="Takes the request and never answers",
        verdict="down",
        diagnosis="response-timeout",
        front=Front.HTTP,
        options={"timeout_s": 2.0},
        build=lambda: bad.never,
    ),
    Scenario(
        id="connection-lost",
        title="The connection breaks in the middle of every answer",
        verdict="down",
        diagnosis="connection-lost",
        front=Front.HTTP,
        build=lambda: bad.broken_off(StatelessServer(streams=False)),
    ),
    Scenario(
        id="target-blocked",
        title="A metadata address, which no prober may ask",
        verdict="unknown",
        diagnosis="target-blocked",
        front=Front.ELSEWHERE,
        address="http://169.254.169.254/",
    ),
    Scenario(
        id="observer-impaired",
        title="Healthy, but the prober lacks the secret that it should send",
        verdict="unknown",
        diagnosis="observer-impaired",
        front=Front.FUNCTION_URL_STREAMING,
        options={"headers": {"Authorization": "env:MCP_PROBER_LAB_NO_SUCH_SECRET"}},
        build=streaming(StatelessServer),
    ),
)

SCENARIOS: Final[tuple[Scenario, ...]] = (
    *HEALTHY,
    *LAMBDA_FAULTS,
    *DOOR_FAULTS,
    *STREAM_FAULTS,
    *TOOL_FAULTS,
    *PROTOCOL_FAULTS,
    *NETWORK_FAULTS,
)


async def _static_site(request: Request) -> Response:
    """As a web server for files answers: a page for GET, a refusal for everything else."""
    server = ("Server", "nginx")
    if request.method in ("GET", "HEAD"):
        page = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"
        return Response(headers=(("Content-Type", "text/html"), server), body=page)
    return text(405, "405 Not Allowed\n", server, ("Allow", "GET, HEAD"))
