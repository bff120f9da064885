"""Faults of the function, of its adapter and of its settings in Lambda."""

from collections.abc import Callable
from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import GONE_SOON_S, OLD_SOON_S, PLAIN, apart, behind_url, buffered, returning, streaming
from prober.lab.front_doors.function_url import Access, FunctionUrl, InvokeMode
from prober.lab.http import Handler
from prober.lab.runtime.function import Function
from prober.lab.runtime.in_process import AdapterMode, HandlerInstance
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

HTML_HELLO: Final = (
    "<!DOCTYPE html><html><head><title>Hello</title></head><body><h1>Hello from Lambda!</h1></body></html>"
)


def _refusing(access: Access) -> Callable[[], Handler]:
    return lambda: FunctionUrl(function=Function(build=lambda: HandlerInstance(bad.returns(None))), access=access)


LAMBDA_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="cold-start",
        title="Healthy, but the first request wakes a new instance",
        verdict="up",
        diagnosis="cold-start",
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        build=streaming(StatelessServer, cold_start_s=1.2, age_s=OLD_SOON_S),
    ),
    Scenario(
        id="cold-start-exceeds-timeout",
        title="Cold starts take longer than clients wait",
        verdict="degraded",
        diagnosis="cold-start-exceeds-timeout",
        beside=("cold-start",),
        front=Front.FUNCTION_URL_STREAMING,
        options={**PLAIN, "client_timeout": 1.0},
        history={"cold_answer_ms": [1240.0]},
        build=streaming(StatelessServer, cold_start_s=1.2, idle_s=1.0),
    ),
    Scenario(
        id="cold-start-exceeded-timeout",
        title="Cold starts took longer than clients wait; this instance is warm",
        verdict="degraded",
        diagnosis="cold-start-exceeds-timeout",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**PLAIN, "client_timeout": 1.0},
        history={"warm_wait_ms": [400.0] * 6, "cold_answer_ms": [700.0, 1310.0, 1240.0]},
        build=buffered(StatelessServer),
    ),
    Scenario(
        id="cold-starts-exceed-timeout",
        title="Whoever comes at the same time as others waits for a new instance, longer than clients do",
        verdict="degraded",
        diagnosis="cold-start-exceeds-timeout",
        beside=("cold-start",),
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**PLAIN, "client_timeout": 1.0, "on_request": ["cold-starts"]},
        build=buffered(lambda: bad.slowly(StatelessServer(), 0.1), cold_start_s=1.2),
    ),
    Scenario(
        id="slow",
        title="Warm, and slower than its owner accepts",
        verdict="degraded",
        diagnosis="slow",
        front=Front.FUNCTION_URL_STREAMING,
        options={**PLAIN, "slow_after": 0.3},
        history={"warm_wait_ms": [410.0, 420.0, 415.0, 405.0, 430.0]},
        build=streaming(lambda: bad.slowly(StatelessServer(), 0.4)),
    ),
    Scenario(
        id="slow-against-its-past",
        title="Warm, and much slower than it used to be",
        verdict="degraded",
        diagnosis="slow",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        history={"warm_wait_ms": [410.0, 420.0, 415.0, 405.0, 430.0], "usual_wait_ms": [24.0, 22.0, 26.0, 23.0, 25.0]},
        build=buffered(lambda: bad.slowly(StatelessServer(streams=False), 0.4)),
    ),
    Scenario(
        id="adapter-missing",
        title="The console's sample function answers instead of the server",
        verdict="down",
        diagnosis="adapter-missing",
        front=Front.FUNCTION_URL_BUFFERED,
        build=returning(bad.returns({"statusCode": 200, "body": '"Hello from Lambda!"'})),
    ),
    Scenario(
        id="adapter-missing-html",
        title="A sample web page answers instead of the server",
        verdict="down",
        diagnosis="adapter-missing",
        front=Front.FUNCTION_URL_BUFFERED,
        build=returning(bad.returns({"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": HTML_HELLO})),
    ),
    Scenario(
        id="adapter-missing-null",
        title="The handler returns nothing",
        verdict="down",
        diagnosis="adapter-missing",
        front=Front.FUNCTION_URL_BUFFERED,
        build=returning(bad.returns(None)),
    ),
    Scenario(
        id="adapter-missing-json",
        title="The handler returns a value of its own",
        verdict="down",
        diagnosis="adapter-missing",
        front=Front.FUNCTION_URL_BUFFERED,
        build=returning(bad.returns({"ok": True, "message": "orders service is ready"})),
    ),
    Scenario(
        id="invoke-mode-mismatch",
        title="Streaming URL over a buffering adapter: the proxy envelope leaks",
        verdict="down",
        diagnosis="invoke-mode-mismatch",
        front=Front.FUNCTION_URL_STREAMING,
        build=behind_url(StatelessServer, InvokeMode.RESPONSE_STREAM, AdapterMode.BUFFERED, {}),
    ),
    Scenario(
        id="invoke-mode-mismatch-prelude",
        title="Buffered URL over a streaming adapter: the prelude leaks",
        verdict="down",
        diagnosis="invoke-mode-mismatch",
        front=Front.FUNCTION_URL_BUFFERED,
        build=behind_url(StatelessServer, InvokeMode.BUFFERED, AdapterMode.RESPONSE_STREAM, {}),
    ),
    Scenario(
        id="function-crash",
        title="The handler raises on every event",
        verdict="down",
        diagnosis="function-crash",
        front=Front.FUNCTION_URL_BUFFERED,
        build=returning(bad.crashes),
    ),
    Scenario(
        id="function-timeout",
        title="Every request runs into the function's time limit",
        verdict="down",
        diagnosis="function-timeout",
        front=Front.FUNCTION_URL_BUFFERED,
        build=buffered(lambda: bad.never, timeout_s=1.0),
    ),
    Scenario(
        id="warm-request-crash",
        title="An instance serves its first request and fails at every later one",
        verdict="down",
        diagnosis="warm-request-crash",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=apart(lambda: bad.once(StatelessServer()), idle_s=GONE_SOON_S),
    ),
    Scenario(
        id="warm-request-crash-used-up",
        title="An instance is used up by the first question, which its server refuses",
        verdict="down",
        diagnosis="warm-request-crash",
        front=Front.FUNCTION_URL_BUFFERED,
        build=apart(lambda: bad.once(HandshakeServer(streams=False)), idle_s=GONE_SOON_S),
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
        title="Dies for six openings out of thirty",
        verdict="up",
        steady=False,
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        build=streaming(lambda: bad.flapping(StatelessServer(), down=range(3, 9), period=30)),
    ),
)
