"""Lambda Web Functions, healthy and not."""

from collections.abc import Callable
from typing import Any, Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import PLAIN, STREAMING, json_only
from prober.lab.front_doors.web_function import WebFunction, web_instances
from prober.lab.http import Handler
from prober.lab.runtime.function import Function
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer


def _web(app: Callable[[], Handler], *, host: str | None = None, **settings: Any) -> Callable[[], Handler]:
    """The application as a Web Function; settings are those of the function."""
    return lambda: WebFunction(function=Function(build=web_instances(app()), **settings), host=host)


WEB_FUNCTION_HEALTHY: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="web-function",
        title="Stateless server as a Web Function, events stream one by one",
        verdict="up",
        front=Front.WEB_FUNCTION,
        options=STREAMING,
        build=_web(StatelessServer),
    ),
    Scenario(
        id="web-function-json",
        title="Stateless server as a Web Function, JSON only",
        verdict="up",
        front=Front.WEB_FUNCTION,
        options=PLAIN,
        build=_web(json_only),
    ),
    Scenario(
        id="web-function-handshake",
        title="Handshake server as a Web Function",
        verdict="up",
        front=Front.WEB_FUNCTION,
        options=PLAIN,
        build=_web(HandshakeServer),
    ),
)

WEB_FUNCTION_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="web-function-wrong-host",
        title="No Web Function has the name that it is called by",
        verdict="down",
        diagnosis="route-missing",
        front=Front.WEB_FUNCTION,
        build=_web(StatelessServer, host="orders.lambda-web.eu-west-1.on.aws"),
    ),
    Scenario(
        id="web-function-timeout",
        title="The Web Function runs into its request timeout",
        verdict="down",
        diagnosis="function-timeout",
        front=Front.WEB_FUNCTION,
        build=_web(lambda: bad.never, timeout_s=0.7),
    ),
    Scenario(
        id="web-function-crash",
        title="The Web Function's server dies on every request",
        verdict="down",
        diagnosis="function-crash",
        front=Front.WEB_FUNCTION,
        build=_web(lambda: bad.flapping(StatelessServer(), down=range(1), period=1)),
    ),
    Scenario(
        id="web-function-throttled",
        title="The Web Function has no concurrency left",
        verdict="down",
        diagnosis="throttled",
        front=Front.WEB_FUNCTION,
        build=_web(StatelessServer, concurrency=0),
    ),
    Scenario(
        id="web-function-truncated",
        title="The Web Function's time is up in the middle of a stream",
        verdict="degraded",
        diagnosis="stream-truncated",
        front=Front.WEB_FUNCTION,
        options=STREAMING,
        build=_web(StatelessServer, timeout_s=0.3),
    ),
)
