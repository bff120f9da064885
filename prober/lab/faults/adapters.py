"""The Lambda Web Adapter with settings that fit, and with settings that do not."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import PLAIN, STREAMING
from prober.lab.front_doors.function_url import FunctionUrl, InvokeMode
from prober.lab.front_doors.oauth import Protected
from prober.lab.http import Handler
from prober.lab.runtime.adapter import AdaptedInstance, Program, settings_of
from prober.lab.runtime.function import Function
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

STREAMS: Final = {"AWS_LWA_INVOKE_MODE": "response_stream"}
INIT_LIMIT_S: Final = 0.1
"""Ten seconds, scaled."""


def adapted(
    app: Callable[[], Handler],
    env: Mapping[str, str] | None = None,
    mode: InvokeMode = InvokeMode.BUFFERED,
    *,
    hangs_on_empty: bool = False,
    **settings: Any,
) -> Callable[[], Handler]:
    """The application behind the adapter, which reads `env`, and a Function URL; settings are those of the function."""

    def build() -> Handler:
        program, adapter = Program(handler=app()), settings_of(env or {})

        def instance() -> AdaptedInstance:
            return AdaptedInstance(program, adapter, hangs_on_empty=hangs_on_empty)

        return FunctionUrl(function=Function(build=instance, **settings), mode=mode)

    return build


def never_ready(env: Mapping[str, str], app: Callable[[], Handler] = StatelessServer) -> Callable[[], Handler]:
    """The application behind an adapter that waits for it in vain."""
    return adapted(app, env, init_limit_s=INIT_LIMIT_S, timeout_s=1.0)


ADAPTER_HEALTHY: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="web-adapter",
        title="Lambda Web Adapter that streams, stateless era",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=adapted(StatelessServer, STREAMS, InvokeMode.RESPONSE_STREAM),
    ),
    Scenario(
        id="web-adapter-handshake",
        title="Lambda Web Adapter that streams, handshake era with sessions",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=adapted(HandshakeServer, STREAMS, InvokeMode.RESPONSE_STREAM),
    ),
    Scenario(
        id="web-adapter-compressing",
        title="Lambda Web Adapter that buffers and compresses",
        verdict="up",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**PLAIN, "streaming": False},
        build=adapted(lambda: StatelessServer(streams=False), {"AWS_LWA_ENABLE_COMPRESSION": "true"}),
    ),
    Scenario(
        id="web-adapter-base-path",
        title="Lambda Web Adapter that takes the stage off the path",
        verdict="up",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**PLAIN, "streaming": False},
        build=adapted(
            lambda: bad.mounted(HandshakeServer(streams=False), "/mcp"), {"AWS_LWA_REMOVE_BASE_PATH": "/prod"}
        ),
        path="/prod/mcp",
    ),
)

ADAPTER_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="function-timeout-wrong-port",
        title="The adapter waits for a server on another port",
        verdict="down",
        diagnosis="function-timeout",
        front=Front.FUNCTION_URL_BUFFERED,
        build=never_ready({"AWS_LWA_PORT": "3000"}),
    ),
    Scenario(
        id="function-timeout-readiness",
        title="The adapter's list of healthy statuses cannot be read, so that no status is one",
        verdict="down",
        diagnosis="function-timeout",
        front=Front.FUNCTION_URL_BUFFERED,
        build=never_ready({"AWS_LWA_READINESS_CHECK_HEALTHY_STATUS": "2xx"}, HandshakeServer),
    ),
    Scenario(
        id="function-crash-server-gone",
        title="The web server behind the adapter has died",
        verdict="down",
        diagnosis="function-crash",
        front=Front.FUNCTION_URL_BUFFERED,
        build=adapted(lambda: bad.gone_but_for("/")),
    ),
    Scenario(
        id="function-crash-error-status",
        title="The adapter turns the challenge of a 401 into a failure of the function",
        verdict="down",
        diagnosis="function-crash",
        front=Front.FUNCTION_URL_BUFFERED,
        build=adapted(lambda: Protected(app=StatelessServer()), {"AWS_LWA_ERROR_STATUS_CODES": "400-599"}),
    ),
    Scenario(
        id="route-missing-base-path",
        title="The adapter takes the server's own path for a stage and cuts it off",
        verdict="down",
        diagnosis="route-missing",
        front=Front.FUNCTION_URL_BUFFERED,
        build=adapted(lambda: bad.mounted(StatelessServer(), "/mcp"), {"AWS_LWA_REMOVE_BASE_PATH": "/mcp"}),
    ),
    Scenario(
        id="invoke-mode-mismatch-typo",
        title="Streaming URL over an adapter whose mode is misspelt",
        verdict="down",
        diagnosis="invoke-mode-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=adapted(HandshakeServer, {"AWS_LWA_INVOKE_MODE": "RESPONSE-STREAM"}, InvokeMode.RESPONSE_STREAM),
    ),
    Scenario(
        id="invoke-mode-mismatch-prelude-handshake",
        title="Buffered URL over a streaming adapter, handshake era",
        verdict="down",
        diagnosis="invoke-mode-mismatch",
        front=Front.FUNCTION_URL_BUFFERED,
        build=adapted(HandshakeServer, STREAMS),
    ),
    Scenario(
        id="streaming-buffered-adapter",
        title="Adapter and URL both buffer a server that streams, handshake era",
        verdict="degraded",
        diagnosis="streaming-buffered",
        front=Front.FUNCTION_URL_BUFFERED,
        options=STREAMING,
        build=adapted(HandshakeServer),
    ),
    Scenario(
        id="host-rejected-handshake",
        title="The server accepts the name by which its adapter calls it, and no other",
        verdict="down",
        diagnosis="host-rejected",
        front=Front.FUNCTION_URL_STREAMING,
        build=adapted(
            lambda: bad.only_for_host(HandshakeServer(), "127.0.0.1:8080"), STREAMS, InvokeMode.RESPONSE_STREAM
        ),
    ),
    Scenario(
        id="stream-truncated-server-dies",
        title="The server dies in mid-stream, and the adapter writes so into the body, handshake era",
        verdict="down",
        diagnosis="stream-truncated",
        front=Front.FUNCTION_URL_STREAMING,
        build=adapted(
            lambda: bad.intercept(HandshakeServer(), {"tools/list": bad.broken_stream}),
            STREAMS,
            InvokeMode.RESPONSE_STREAM,
        ),
    ),
    Scenario(
        id="invoke-mode-mismatch-empty-body",
        title="An old adapter that streams never ends an empty body, such as that of a notification's 202",
        verdict="degraded",
        diagnosis="invoke-mode-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        options={**PLAIN, "timeout_s": 1.2},
        build=adapted(HandshakeServer, STREAMS, InvokeMode.RESPONSE_STREAM, hangs_on_empty=True, timeout_s=30.0),
    ),
)
