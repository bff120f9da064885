"""What the scenarios are made of: sentinels of the lab's tools, and servers behind a Function URL."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from prober.lab import credentials
from prober.lab import misbehaviour as bad
from prober.lab.front_doors.function_url import FunctionUrl, InvokeMode
from prober.lab.front_doors.oauth import TOKEN_PATH
from prober.lab.front_doors.sigv4 import Verifier
from prober.lab.http import Handler
from prober.lab.runtime.adapter import AdaptedInstance, AdapterSettings, Program
from prober.lab.runtime.function import Context, Function
from prober.lab.runtime.in_process import AdapterMode, AppInstance, HandlerInstance
from prober.lab.scenario import EndpointHints, SentinelHint
from prober.lab.servers import toolbox
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

ALL_TOOLS: Final = ["add", "slow_count", "whoami"]
ADD: Final[SentinelHint] = {"tool": "add", "arguments": {"a": 2, "b": 3}, "expect": {"text": "5"}}
COUNT: Final[SentinelHint] = {
    "tool": "slow_count",
    "arguments": {"n": 3, "seconds": 0.6},
    "expect": {"json": {"count": 3}},
}
GREETING: Final[SentinelHint] = {
    "tool": "greet",
    "arguments": {"name": " Zoë 世界", "times": 2, "loudly": True},
    "expect": {"json": {"times": 2}},
}
TASK_ADD: Final = replace(toolbox.ADD, task_support="optional")
"""A tool that is a task where its client asks for one, or can take one."""
EVERY_TOOL: Final = (TASK_ADD, *toolbox.STANDARD_TOOLS[1:], toolbox.GREET)
PLAIN: Final[EndpointHints] = {"sentinels": [ADD], "expected_tools": ALL_TOOLS}
STREAMING: Final[EndpointHints] = {"sentinels": [COUNT], "expected_tools": ALL_TOOLS, "streaming": True}
TOKEN: Final[EndpointHints] = {**PLAIN, "bearer": f"env:{credentials.TOKEN_VARIABLE}"}
CLIENT: Final[EndpointHints] = {
    **PLAIN,
    "oauth": {
        "token_url": TOKEN_PATH,
        "client_id": credentials.CLIENT_ID,
        "client_secret": f"env:{credentials.CLIENT_SECRET_VARIABLE}",
    },
}
SIGNED: Final[EndpointHints] = {**PLAIN, "sigv4": {"service": "lambda", "region": credentials.REGION}}

PAGE: Final = "https://orders.example.com"
"""Origin of a web page whose scripts use an endpoint."""
PAGES: Final = frozenset({PAGE})
BROWSERS: Final[EndpointHints] = {**PLAIN, "browser_origins": [PAGE]}


GONE_SOON_S: Final = 1.5
"""Idle time of instances that the next probe is not to meet again."""
OLD_SOON_S: Final = 120.0
"""Age of instances that many a probe meets warm before one wakes the next."""


def json_only() -> Handler:
    """A stateless server that answers with JSON: all that most front doors let through as it is."""
    return StatelessServer(streams=False)


def json_handshake() -> Handler:
    """A server of the handshake era, with sessions, that answers with JSON."""
    return HandshakeServer(streams=False)


def streaming(app: Callable[[], Handler], **settings: Any) -> Callable[[], Handler]:
    """The application behind an adapter and a Function URL that both stream; settings are those of the function."""
    return behind_url(app, InvokeMode.RESPONSE_STREAM, AdapterMode.RESPONSE_STREAM, settings)


def buffered(app: Callable[[], Handler], **settings: Any) -> Callable[[], Handler]:
    """The application behind an adapter and a Function URL that both buffer."""
    return behind_url(app, InvokeMode.BUFFERED, AdapterMode.BUFFERED, settings)


def behind_url(
    app: Callable[[], Handler], mode: InvokeMode, adapter: AdapterMode, settings: Mapping[str, Any]
) -> Callable[[], Handler]:
    """The application behind an adapter and a Function URL in any combination of their modes."""

    def build() -> Handler:
        # One application for all instances: its sessions live outside of them, as in a session table.
        served = app()
        return FunctionUrl(function=Function(build=lambda: AppInstance(served, adapter), **settings), mode=mode)

    return build


def behind(
    door: Callable[..., Handler],
    app: Callable[[], Handler],
    *,
    adapter: AdapterMode = AdapterMode.BUFFERED,
    running: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Callable[[], Handler]:
    """The application behind an adapter and any front door.

    `running` holds the function's own settings, `settings` are those of the door.
    """

    def build() -> Handler:
        served = app()
        return door(function=Function(build=lambda: AppInstance(served, adapter), **running or {}), **settings)

    return build


def apart(app: Callable[[], Handler], **settings: Any) -> Callable[[], Handler]:
    """The application behind a buffered Function URL, each instance with memory of its own."""
    return lambda: FunctionUrl(function=Function(build=lambda: AppInstance(app(), AdapterMode.BUFFERED), **settings))


def signed(
    app: Callable[[], Handler],
    *,
    access_key_id: str = credentials.ACCESS_KEY_ID,
    secret_access_key: str = credentials.SECRET_ACCESS_KEY,
    authorization_source: str | None = None,
    **settings: Any,
) -> Callable[[], Handler]:
    """The application behind a buffered Function URL whose AuthType is AWS_IAM; settings are those of the URL.

    `authorization_source` is the Lambda Web Adapter's setting of that name: the header in which a token for the
    application comes, where signatures need the other one.
    """
    iam = Verifier(access_key_id=access_key_id, secret_access_key=secret_access_key, region=credentials.REGION)

    def build() -> Handler:
        served = app()
        adapter = AdapterSettings(authorization_source=authorization_source)
        function = Function(build=lambda: AdaptedInstance(Program(handler=served), adapter))
        return FunctionUrl(function=function, iam=iam, **settings)

    return build


def returning(
    handler: Callable[[Mapping[str, Any], Context], Any], door: Callable[..., Handler] = FunctionUrl
) -> Callable[[], Handler]:
    """A function without any adapter, behind a Function URL or another front door that buffers."""
    return lambda: door(function=Function(build=lambda: HandlerInstance(handler)))


def stateless_with(**replies: bad.Reply) -> Callable[[], Handler]:
    """A stateless server that answers one method otherwise; `__` stands for the slash."""
    return lambda: bad.intercept(StatelessServer(), {name.replace("__", "/"): reply for name, reply in replies.items()})


def stateless_offering(*offered: toolbox.Tool) -> Callable[[], Handler]:
    """A stateless server with these tools."""
    return lambda: StatelessServer(tools=offered)
