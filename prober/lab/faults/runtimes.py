"""Functions that fail in their sandbox: at the start, in the handler, for want of time or room."""

import sys
from collections.abc import Callable, Sequence
from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import GONE_SOON_S, OLD_SOON_S, PLAIN, STREAMING, apart, buffered, streaming
from prober.lab.front_doors.function_url import FunctionUrl, InvokeMode
from prober.lab.http import Handler
from prober.lab.runtime.api import process_function
from prober.lab.runtime.function import Function
from prober.lab.runtime.in_process import AdapterMode, AppInstance
from prober.lab.runtime.versions import Alias
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer


def running(command: Sequence[str]) -> Callable[[], Handler]:
    """A real process as a function behind a buffered Function URL."""
    return lambda: FunctionUrl(function=process_function(command))


def _canary() -> Handler:
    old, new = (Function(build=lambda: AppInstance(StatelessServer(), AdapterMode.RESPONSE_STREAM)) for _ in range(2))
    return FunctionUrl(function=Alias({old: 0.5, new: 0.5}), mode=InvokeMode.RESPONSE_STREAM)


RUNTIME_HEALTHY: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="canary",
        title="Two versions share the requests, and both are well",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=_canary,
    ),
    Scenario(
        id="provisioned",
        title="Instances are initialised ahead of their first request",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        build=streaming(HandshakeServer, provisioned=8, cold_start_s=1.2),
    ),
)

RUNTIME_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="cold-start-init-again",
        title="Healthy, but the init phase is cut off at its limit and begins again within the first request",
        verdict="up",
        diagnosis="cold-start",
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        build=streaming(StatelessServer, cold_start_s=0.8, init_limit_s=0.4, age_s=OLD_SOON_S),
    ),
    Scenario(
        id="function-crash-import",
        title="The handler's module cannot be imported",
        verdict="down",
        diagnosis="function-crash",
        front=Front.FUNCTION_URL_BUFFERED,
        build=running([sys.executable, "-I", "-S", "-c", "import orders"]),
    ),
    Scenario(
        id="function-crash-wrapper",
        title="AWS_LAMBDA_EXEC_WRAPPER names a file that no layer brings",
        verdict="down",
        diagnosis="function-crash",
        front=Front.FUNCTION_URL_BUFFERED,
        build=running(["/opt/no-such-layer/bootstrap", "python", "-m", "awslambdaric"]),
    ),
    Scenario(
        id="function-crash-exit",
        title="The process ends in the middle of every request",
        verdict="down",
        diagnosis="function-crash",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(lambda: bad.exits),
    ),
    Scenario(
        id="function-crash-lifespan-off",
        title="Nothing has started the session manager: the application answers 500 by itself",
        verdict="down",
        diagnosis="function-crash",
        front=Front.FUNCTION_URL_BUFFERED,
        build=buffered(lambda: bad.unprepared),
    ),
    Scenario(
        id="function-crash-large-answer",
        title="The tool list is larger than a function may return",
        verdict="down",
        diagnosis="function-crash",
        front=Front.FUNCTION_URL_BUFFERED,
        build=buffered(lambda: HandshakeServer(streams=False), max_payload_bytes=1000),
    ),
    Scenario(
        id="sentinel-error-memory",
        title="Every third request of an instance takes the last of its memory",
        verdict="degraded",
        diagnosis="sentinel-error",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=apart(lambda: bad.leaking(StatelessServer(streams=False), 3)),
    ),
    Scenario(
        id="function-timeout-in-mid-stream-handshake",
        title="The function's time limit cuts off a tool that streams for longer, handshake era",
        verdict="degraded",
        diagnosis="function-timeout",
        front=Front.FUNCTION_URL_STREAMING,
        options={
            "sentinels": [{"tool": "slow_count", "arguments": {"n": 5, "seconds": 3.0}, "expect": {}}],
            "streaming": True,
        },
        build=streaming(HandshakeServer, timeout_s=1.0),
    ),
    Scenario(
        id="warm-request-crash-handshake",
        title="An instance serves its first request and fails at every later one, handshake era",
        verdict="down",
        diagnosis="warm-request-crash",
        front=Front.FUNCTION_URL_BUFFERED,
        options={"era": "handshake"},
        build=apart(lambda: bad.once(HandshakeServer(has_sessions=False, streams=False)), idle_s=GONE_SOON_S),
    ),
)
