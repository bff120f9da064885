"""Faults of event streams."""

from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import ADD, COUNT, STREAMING, buffered, stateless_with, streaming
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

STREAM_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="streaming-disabled",
        title="A tool's event stream ends without an event",
        verdict="down",
        diagnosis="streaming-disabled",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=streaming(stateless_with(tools__call=bad.empty_stream)),
    ),
    Scenario(
        id="streaming-disabled-silent",
        title="A tool's event stream never begins",
        verdict="down",
        diagnosis="streaming-disabled",
        front=Front.FUNCTION_URL_STREAMING,
        options={**STREAMING, "timeout_s": 3.0},
        build=streaming(stateless_with(tools__call=bad.silent_stream)),
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
        id="streaming-buffered-quick",
        title="An event stream has a Content-Length, although the tool is too quick for the clock",
        verdict="degraded",
        diagnosis="streaming-buffered",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**STREAMING, "sentinels": [ADD]},
        build=buffered(StatelessServer),
    ),
    Scenario(
        id="streaming-joined",
        title="Headers come at once, and small events all together at the end",
        verdict="up",
        diagnosis="streaming-buffered",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=streaming(lambda: bad.joined(StatelessServer())),
    ),
    Scenario(
        id="function-timeout-in-mid-stream",
        title="The function's time limit cuts a tool's event stream off",
        verdict="degraded",
        diagnosis="function-timeout",
        front=Front.FUNCTION_URL_STREAMING,
        options={**STREAMING, "sentinels": [{**COUNT, "arguments": {"n": 6, "seconds": 3.0}}]},
        build=streaming(StatelessServer, timeout_s=1.0),
    ),
    Scenario(
        id="stream-truncated",
        title="A tool's event stream ends before the answer",
        verdict="degraded",
        diagnosis="stream-truncated",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=streaming(stateless_with(tools__call=bad.abandoned_stream)),
    ),
    Scenario(
        id="stream-truncated-trailer",
        title="The application dies in mid-stream, and its runtime says so in the body",
        verdict="down",
        diagnosis="stream-truncated",
        front=Front.FUNCTION_URL_STREAMING,
        options=STREAMING,
        build=streaming(stateless_with(tools__list=bad.dying_stream)),
    ),
)
