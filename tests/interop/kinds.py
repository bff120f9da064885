"""The kinds of third-party servers that we speak to: how each is started, and what is true of it.

One table, for the tests and for whatever records what the servers say.
"""

from dataclasses import dataclass
from enum import Enum, auto

ADD = ("--sentinel", "add", "--args", '{"a": 2, "b": 3}')
"""Every kind of server has this tool."""


class Runtime(Enum):
    """What runs a kind's script."""

    PYTHON = auto()
    """A program that prints its port."""
    NODE = auto()
    """A program that prints its port."""
    LAMBDA = auto()
    """A handler, named as module.function: AWS's runtime client for Python runs it behind the lab's Function URL."""


@dataclass(frozen=True, slots=True)
class Axes:
    """The five axes on which servers differ, as the report words them. None of them follows from another."""

    era: str
    version: str
    transport: str
    session: str
    replies: str
    """How every one of its results comes."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What a server does against a MUST of its revision."""

    check: str
    says: str
    """Begins what the check finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of server."""

    name: str
    environment: str
    script: str
    arguments: tuple[str, ...] = ()
    path: str = "/mcp"
    runtime: Runtime = Runtime.PYTHON
    axes: Axes
    by_handshake: Axes | None = None
    """Of a server of both eras: its axes where the endpoint is pinned to the era that it does not show at first."""
    serves: tuple[str, ...]
    """The revisions that it answers with themselves, when they are offered."""
    violations: tuple[Violation, ...] = ()
    """All that a full probe may find, and must."""


HTTP, SSE = "streamable-http", "sse"
JSON, EVENTS = "json", "event-stream"
HANDSHAKES = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
BOTH_ERAS = (*HANDSHAKES, "2026-07-28")

KINDS = (
    Kind(
        name="mcp-1.3-sse",
        environment="mcp-1.3",
        script="mcp_1_3_server.py",
        path="/sse",
        axes=Axes("handshake", "2024-11-05", SSE, "session", EVENTS),
        serves=HANDSHAKES[:1],
    ),
    Kind(
        name="mcp-1.8",
        environment="mcp-1.8",
        script="mcp_1_server.py",
        arguments=("stateful",),
        path="/mcp/",
        axes=Axes("handshake", "2024-11-05", HTTP, "session", EVENTS),
        serves=HANDSHAKES[:1],
    ),
    Kind(
        name="mcp-1.9",
        environment="mcp-1.9",
        script="mcp_1_server.py",
        arguments=("stateful",),
        path="/mcp/",
        axes=Axes("handshake", "2025-03-26", HTTP, "session", EVENTS),
        serves=HANDSHAKES[:2],
    ),
    Kind(
        name="mcp-1.9-stateless",
        environment="mcp-1.9",
        script="mcp_1_server.py",
        arguments=("stateless",),
        path="/mcp/",
        axes=Axes("handshake", "2025-03-26", HTTP, "none", JSON),
        serves=HANDSHAKES[:2],
    ),
    Kind(
        name="mcp-1.12",
        environment="mcp-1.12",
        script="mcp_1_server.py",
        arguments=("stateful",),
        axes=Axes("handshake", "2025-06-18", HTTP, "session", EVENTS),
        serves=HANDSHAKES[:3],
    ),
    Kind(
        name="mcp-1.23",
        environment="mcp-1.23",
        script="mcp_1_server.py",
        arguments=("stateful",),
        axes=Axes("handshake", "2025-06-18", HTTP, "session", EVENTS),
        serves=HANDSHAKES[:3],
    ),
    Kind(
        name="mcp-1.30",
        environment="mcp-1",
        script="mcp_1_server.py",
        arguments=("stateful",),
        axes=Axes("handshake", "2025-11-25", HTTP, "session", EVENTS),
        serves=HANDSHAKES,
    ),
    Kind(
        name="mcp-1.30-stateless",
        environment="mcp-1",
        script="mcp_1_server.py",
        arguments=("stateless",),
        axes=Axes("handshake", "2025-11-25", HTTP, "none", JSON),
        serves=HANDSHAKES,
    ),
    Kind(
        name="mcp-1.30-sse",
        environment="mcp-1",
        script="mcp_1_server.py",
        arguments=("sse",),
        path="/sse",
        axes=Axes("handshake", "2025-11-25", SSE, "session", EVENTS),
        serves=HANDSHAKES,
    ),
    Kind(
        name="mcp-1.30-polling",
        environment="mcp-1",
        script="mcp_1_polling_server.py",
        axes=Axes("handshake", "2025-11-25", HTTP, "session", EVENTS),
        serves=HANDSHAKES,
    ),
    Kind(
        name="mcp-2.3",
        environment="mcp-2",
        script="mcp_2_server.py",
        arguments=("stateful",),
        axes=Axes("stateless", "2026-07-28", HTTP, "none", JSON),
        by_handshake=Axes("handshake", "2025-11-25", HTTP, "session", EVENTS),
        serves=BOTH_ERAS,
    ),
    Kind(
        name="mcp-2.3-stateless",
        environment="mcp-2",
        script="mcp_2_server.py",
        arguments=("stateless",),
        axes=Axes("stateless", "2026-07-28", HTTP, "none", JSON),
        by_handshake=Axes("handshake", "2025-11-25", HTTP, "none", EVENTS),
        serves=BOTH_ERAS,
    ),
    Kind(
        name="mcp-2.3-json",
        environment="mcp-2",
        script="mcp_2_server.py",
        arguments=("json",),
        axes=Axes("stateless", "2026-07-28", HTTP, "none", JSON),
        by_handshake=Axes("handshake", "2025-11-25", HTTP, "session", JSON),
        serves=BOTH_ERAS,
    ),
    Kind(
        name="mcp-2.3-sse",
        environment="mcp-2",
        script="mcp_2_server.py",
        arguments=("sse",),
        path="/sse",
        axes=Axes("handshake", "2025-11-25", SSE, "session", EVENTS),
        serves=HANDSHAKES,
    ),
    Kind(
        name="fastmcp-4.1",
        environment="fastmcp",
        script="fastmcp_server.py",
        axes=Axes("stateless", "2026-07-28", HTTP, "none", JSON),
        by_handshake=Axes("handshake", "2025-11-25", HTTP, "session", EVENTS),
        serves=BOTH_ERAS,
    ),
    Kind(
        name="awslabs-0.1",
        environment="awslabs",
        script="awslabs_handler.handler",
        runtime=Runtime.LAMBDA,
        axes=Axes("handshake", "2024-11-05", HTTP, "session", JSON),
        serves=HANDSHAKES[:1],
    ),
    Kind(
        name="run-mcp-0.5",
        environment="run-mcp",
        script="run_mcp_handler.handler",
        runtime=Runtime.LAMBDA,
        axes=Axes("handshake", "2025-11-25", HTTP, "none", JSON),
        serves=HANDSHAKES,
        # 2025-06-18 and later: an invalid MCP-Protocol-Version MUST be answered with 400. The adapter reads no header
        # but Accept and Content-Type.
        violations=(Violation("versions", "a request with MCP-Protocol-Version: 1900-01-01 is served"),),
    ),
    Kind(
        name="ts-1.32",
        environment="node",
        script="ts_1_server.cjs",
        arguments=("stateful",),
        runtime=Runtime.NODE,
        axes=Axes("handshake", "2025-11-25", HTTP, "session", EVENTS),
        serves=HANDSHAKES,
        # A session that the server has ended MUST be answered with 404. The package leaves that to whoever keeps the
        # transports by session, and its examples, which everyone copies, answer 400.
        violations=(Violation("session", "a session that was ended by DELETE is refused, but not with 404"),),
    ),
    Kind(
        name="ts-1.32-stateless",
        environment="node",
        script="ts_1_server.cjs",
        arguments=("stateless",),
        runtime=Runtime.NODE,
        axes=Axes("handshake", "2025-11-25", HTTP, "none", EVENTS),
        serves=HANDSHAKES,
    ),
    Kind(
        name="ts-1.32-sse",
        environment="node",
        script="ts_1_server.cjs",
        arguments=("sse",),
        path="/sse",
        runtime=Runtime.NODE,
        axes=Axes("handshake", "2025-11-25", SSE, "session", EVENTS),
        serves=HANDSHAKES,
    ),
    Kind(
        name="ts-2.4",
        environment="node",
        script="ts_2_server.cjs",
        arguments=("dual",),
        runtime=Runtime.NODE,
        axes=Axes("stateless", "2026-07-28", HTTP, "none", JSON),
        by_handshake=Axes("handshake", "2025-11-25", HTTP, "none", EVENTS),
        serves=BOTH_ERAS,
    ),
    Kind(
        name="ts-2.4-modern",
        environment="node",
        script="ts_2_server.cjs",
        arguments=("modern",),
        runtime=Runtime.NODE,
        axes=Axes("stateless", "2026-07-28", HTTP, "none", JSON),
        serves=BOTH_ERAS[-1:],
    ),
    Kind(
        name="ts-legacy-2.3-sse",
        environment="node",
        script="ts_legacy_server.cjs",
        path="/sse",
        runtime=Runtime.NODE,
        axes=Axes("handshake", "2025-11-25", SSE, "session", EVENTS),
        serves=HANDSHAKES,
    ),
)


def kind_of(name: str) -> Kind:
    """The kind of this name."""
    return next(kind for kind in KINDS if kind.name == name)
