"""Servers of every kind in which nothing is wrong."""

from dataclasses import replace
from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import (
    ADD,
    ALL_TOOLS,
    BROWSERS,
    CLIENT,
    COUNT,
    EVERY_TOOL,
    GREETING,
    PAGES,
    PLAIN,
    SIGNED,
    STREAMING,
    TOKEN,
    behind,
    buffered,
    signed,
    streaming,
)
from prober.lab.front_doors.cors import Cors, UrlPolicy
from prober.lab.front_doors.function_url import FunctionUrl
from prober.lab.front_doors.oauth import Protected
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.dual import DualServer
from prober.lab.servers.handshake import RESOURCE_NOT_FOUND, HandshakeServer
from prober.lab.servers.legacy_sse import LegacySseServer
from prober.lab.servers.library import SHELVES
from prober.lab.servers.stateless import StatelessServer
from prober.lab.servers.tasks import TaskBoard

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
    Scenario(
        id="slow-as-ever",
        title="Every answer takes its time, as it always did, and cold starts take less than clients wait",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options={**PLAIN, "client_timeout": 5.0, "slow_after": 2.0},
        history={
            "warm_wait_ms": [410.0, 420.0, 415.0, 405.0, 430.0],
            "usual_wait_ms": [415.0, 410.0, 425.0, 412.0, 409.0],
            "cold_answer_ms": [1310.0, 1240.0],
        },
        build=streaming(lambda: bad.slowly(StatelessServer(), 0.4)),
    ),
    Scenario(
        id="stateless-everything",
        title="Stateless server with prompts, resources, tasks, subscriptions and arguments in headers",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options={
            "sentinels": [ADD, GREETING],
            "on_request": ["tasks", "subscriptions"],
            "era": "stateless",
            "protocol_version": "2026-07-28",
        },
        build=streaming(lambda: StatelessServer(tools=EVERY_TOOL, library=SHELVES, board=TaskBoard(), announces=True)),
    ),
    Scenario(
        id="handshake-everything",
        title="Handshake server with prompts, resources and tasks",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options={
            "sentinels": [ADD, GREETING],
            "on_request": ["tasks", "subscriptions"],
            "era": "handshake",
            "protocol_version": "2025-11-25",
        },
        build=streaming(
            lambda: HandshakeServer(
                tools=EVERY_TOOL,
                library=replace(SHELVES, resource_not_found=RESOURCE_NOT_FOUND),
                board=TaskBoard(),
            )
        ),
    ),
    Scenario(
        id="handshake-one-session",
        title="Handshake server that holds one session at a time: a new client takes the place of the last one",
        verdict="up",
        front=Front.HTTP,
        options=PLAIN,
        build=lambda: HandshakeServer(one_session=True, streams=False),
    ),
    Scenario(
        id="handshake-polling",
        title="Handshake server that closes the stream of a call, to be asked for the answer later; not on Lambda",
        verdict="up",
        front=Front.HTTP,
        options=STREAMING,
        build=lambda: HandshakeServer(polls=True),
    ),
    Scenario(
        id="bearer",
        title="Lets in who brings a token, and tells others where to get one",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=TOKEN,
        build=streaming(lambda: Protected(app=StatelessServer())),
    ),
    Scenario(
        id="oauth",
        title="Lets in who gets a token from its authorization server, handshake era",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=CLIENT,
        build=streaming(lambda: Protected(app=HandshakeServer())),
    ),
    Scenario(
        id="aws-iam",
        title="Function URL with AuthType AWS_IAM",
        verdict="up",
        front=Front.FUNCTION_URL_BUFFERED,
        options=SIGNED,
        build=signed(lambda: StatelessServer(streams=False)),
    ),
    Scenario(
        id="aws-iam-and-token",
        title="Function URL with AuthType AWS_IAM, and a token for the application in a header of its own",
        verdict="up",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**TOKEN, **SIGNED, "token_header": "X-Mcp-Authorization"},
        build=signed(lambda: Protected(app=StatelessServer(streams=False)), authorization_source="x-mcp-authorization"),
    ),
    Scenario(
        id="browser-clients",
        title="Open to scripts of one web page, stateless era",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=BROWSERS,
        build=lambda: Cors(app=streaming(lambda: StatelessServer(origins=PAGES))(), origins=PAGES),
    ),
    Scenario(
        id="browser-clients-handshake",
        title="Open to scripts of one web page, handshake era with sessions",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=BROWSERS,
        build=lambda: Cors(app=streaming(lambda: HandshakeServer(origins=PAGES))(), origins=PAGES),
    ),
    Scenario(
        id="browser-clients-function-url",
        title="Open to scripts of one web page by the Function URL's own setting",
        verdict="up",
        front=Front.FUNCTION_URL_BUFFERED,
        options=BROWSERS,
        build=behind(FunctionUrl, lambda: StatelessServer(streams=False, origins=PAGES), cors=UrlPolicy(origins=PAGES)),
    ),
    Scenario(
        id="browser-clients-bearer",
        title="Open to scripts of one web page that bring a token",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options={**BROWSERS, **TOKEN},
        build=lambda: Cors(app=streaming(lambda: Protected(app=StatelessServer(origins=PAGES)))(), origins=PAGES),
    ),
)
