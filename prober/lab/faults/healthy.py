"""Servers of every kind in which nothing is wrong."""

from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import ADD, ALL_TOOLS, COUNT, PLAIN, STREAMING, buffered, streaming
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.dual import DualServer
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.legacy_sse import LegacySseServer
from prober.lab.servers.stateless import StatelessServer

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
