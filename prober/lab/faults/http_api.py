"""Servers behind an API Gateway HTTP API, healthy and not."""

from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import PLAIN, STREAMING, behind, json_handshake, json_only, returning
from prober.lab.front_doors import refusals
from prober.lab.front_doors.http_api import UNAUTHORIZED, HttpApi
from prober.lab.runtime.in_process import AdapterMode
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.stateless import StatelessServer

HTTP_API_HEALTHY: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="http-api",
        title="Stateless server behind an HTTP API",
        verdict="up",
        front=Front.HTTP_API,
        options=PLAIN,
        build=behind(HttpApi, json_only),
    ),
    Scenario(
        id="http-api-handshake",
        title="Handshake server behind a stage of an HTTP API",
        verdict="up",
        front=Front.HTTP_API,
        options=PLAIN,
        build=behind(HttpApi, json_handshake, stage="prod"),
        path="/prod/mcp",
    ),
)

HTTP_API_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="http-api-route-missing",
        title="The HTTP API has no such route",
        verdict="down",
        diagnosis="route-missing",
        front=Front.HTTP_API,
        build=behind(HttpApi, json_only, path="/orders/mcp"),
    ),
    Scenario(
        id="http-api-stage-in-path",
        title="The HTTP API's stage reaches the application, which knows no such path",
        verdict="down",
        diagnosis="route-missing",
        front=Front.HTTP_API,
        build=behind(HttpApi, lambda: bad.mounted(json_only(), "/mcp"), stage="prod"),
        path="/prod/mcp",
    ),
    Scenario(
        id="http-api-timeout",
        title="The function takes longer than the HTTP API waits",
        verdict="down",
        diagnosis="gateway-timeout",
        front=Front.HTTP_API,
        build=behind(HttpApi, lambda: bad.never, limit_s=0.7),
    ),
    Scenario(
        id="http-api-crash",
        title="The handler behind the HTTP API raises on every event",
        verdict="down",
        diagnosis="function-crash",
        front=Front.HTTP_API,
        build=returning(bad.crashes, HttpApi),
    ),
    Scenario(
        id="http-api-function-throttled",
        title="Reserved concurrency is 0, which an HTTP API tells as an error of its own",
        verdict="down",
        diagnosis="function-crash",
        front=Front.HTTP_API,
        build=behind(HttpApi, json_only, running={"concurrency": 0}),
    ),
    Scenario(
        id="http-api-streamed-into-buffer",
        title="The function streams into an HTTP API, which cannot",
        verdict="down",
        diagnosis="function-crash",
        front=Front.HTTP_API,
        build=behind(HttpApi, StatelessServer, adapter=AdapterMode.RESPONSE_STREAM),
    ),
    Scenario(
        id="http-api-raw-value",
        title="The handler behind the HTTP API returns a value of its own",
        verdict="down",
        diagnosis="adapter-missing",
        front=Front.HTTP_API,
        build=returning(bad.returns({"ok": True}), HttpApi),
    ),
    Scenario(
        id="http-api-unauthorized",
        title="The HTTP API's JWT authorizer wants a token",
        verdict="down",
        diagnosis="auth-required",
        front=Front.HTTP_API,
        build=behind(HttpApi, json_only, refusal=UNAUTHORIZED),
    ),
    Scenario(
        id="http-api-denied",
        title="The HTTP API's authorizer denies",
        verdict="down",
        diagnosis="blocked-by-waf",
        front=Front.HTTP_API,
        build=behind(HttpApi, json_only, refusal=refusals.FIREWALL),
    ),
    Scenario(
        id="http-api-throttled",
        title="The rate limit of the HTTP API's stage is spent",
        verdict="down",
        diagnosis="throttled",
        front=Front.HTTP_API,
        build=behind(HttpApi, json_only, refusal=refusals.THROTTLED),
    ),
    Scenario(
        id="http-api-buffers-events",
        title="The HTTP API collects events and hands them out all at once",
        verdict="degraded",
        diagnosis="streaming-buffered",
        front=Front.HTTP_API,
        options=STREAMING,
        build=behind(HttpApi, StatelessServer),
    ),
)
