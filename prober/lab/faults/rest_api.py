"""Servers behind an API Gateway REST API, healthy and not."""

from typing import Final

from prober.lab import credentials
from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import (
    ADD,
    ALL_TOOLS,
    COUNT,
    PLAIN,
    STREAMING,
    TOKEN,
    behind,
    json_handshake,
    json_only,
    returning,
    stateless_with,
)
from prober.lab.front_doors import refusals
from prober.lab.front_doors.rest_api import RestApi
from prober.lab.front_doors.sigv4 import Verifier
from prober.lab.runtime.in_process import AdapterMode
from prober.lab.scenario import EndpointHints, Front, Scenario
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

EXECUTE_API: Final = Verifier(
    access_key_id=credentials.ACCESS_KEY_ID,
    secret_access_key=credentials.SECRET_ACCESS_KEY,
    region=credentials.REGION,
    service="execute-api",
)
SIGNED: Final[EndpointHints] = {**PLAIN, "sigv4": {"service": "execute-api", "region": credentials.REGION}}
BOTH: Final[EndpointHints] = {"sentinels": [ADD, COUNT], "expected_tools": ALL_TOOLS, "streaming": True}
STREAM: Final = AdapterMode.RESPONSE_STREAM

REST_API_HEALTHY: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="rest-api",
        title="Stateless server behind a REST API",
        verdict="up",
        front=Front.REST_API,
        options=PLAIN,
        build=behind(RestApi, json_only, stage="prod"),
        path="/prod/mcp",
    ),
    Scenario(
        id="rest-api-handshake",
        title="Handshake server behind a REST API",
        verdict="up",
        front=Front.REST_API,
        options=PLAIN,
        build=behind(RestApi, json_handshake),
    ),
    Scenario(
        id="rest-api-streaming",
        title="Stateless server behind a REST API that streams",
        verdict="up",
        front=Front.REST_API_STREAMING,
        options=BOTH,
        build=behind(RestApi, StatelessServer, adapter=STREAM, streams=True),
    ),
    Scenario(
        id="rest-api-streaming-json",
        title="Stateless server that answers with JSON only, behind a REST API that streams",
        verdict="up",
        front=Front.REST_API_STREAMING,
        options=PLAIN,
        build=behind(RestApi, json_only, adapter=STREAM, streams=True),
    ),
    Scenario(
        id="rest-api-streaming-handshake",
        title="Handshake server behind a REST API that streams",
        verdict="up",
        front=Front.REST_API_STREAMING,
        options=STREAMING,
        build=behind(RestApi, HandshakeServer, adapter=STREAM, streams=True),
    ),
    Scenario(
        id="rest-api-iam",
        title="Stateless server behind a REST API that wants signatures",
        verdict="up",
        front=Front.REST_API,
        options=SIGNED,
        build=behind(RestApi, json_only, iam=EXECUTE_API),
    ),
)

REST_API_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="rest-api-method-missing",
        title="The REST API's resource has no POST",
        verdict="down",
        diagnosis="route-missing",
        front=Front.REST_API,
        build=behind(RestApi, json_only, methods=("GET", "OPTIONS")),
    ),
    Scenario(
        id="rest-api-stage-missing",
        title="The address names a stage that was not deployed",
        verdict="down",
        diagnosis="route-missing",
        front=Front.REST_API,
        build=behind(RestApi, json_only, stage="live"),
        path="/prod/mcp",
    ),
    Scenario(
        id="rest-api-route-missing-with-token",
        title="The REST API has no such resource, and takes the token for a signature",
        verdict="down",
        diagnosis="route-missing",
        front=Front.REST_API,
        options=TOKEN,
        build=behind(RestApi, json_only, resource="/orders/mcp"),
    ),
    Scenario(
        id="rest-api-iam-unsigned",
        title="The REST API wants signatures, and says so as it says that a route is missing",
        verdict="down",
        diagnosis="route-missing",
        front=Front.REST_API,
        build=behind(RestApi, json_only, iam=EXECUTE_API),
    ),
    Scenario(
        id="rest-api-resource-policy",
        title="The REST API's resource policy keeps the prober out",
        verdict="down",
        diagnosis="blocked-by-waf",
        front=Front.REST_API,
        build=behind(RestApi, json_only, refusal=refusals.RESOURCE_POLICY),
    ),
    Scenario(
        id="rest-api-authorizer-denied",
        title="The REST API's authorizer denies",
        verdict="down",
        diagnosis="blocked-by-waf",
        front=Front.REST_API,
        build=behind(RestApi, json_only, refusal=refusals.AUTHORIZER_DENIED),
    ),
    Scenario(
        id="rest-api-authorizer-unauthorized",
        title="The REST API's authorizer wants a token, and says neither which nor from where",
        verdict="down",
        diagnosis="auth-required",
        front=Front.REST_API,
        build=behind(RestApi, json_only, refusal=refusals.UNAUTHORIZED),
    ),
    Scenario(
        id="rest-api-authorizer-rejected",
        title="The REST API's authorizer refuses the token",
        verdict="down",
        diagnosis="auth-rejected",
        front=Front.REST_API,
        options=TOKEN,
        build=behind(RestApi, json_only, refusal=refusals.UNAUTHORIZED),
    ),
    Scenario(
        id="rest-api-authorizer-crash",
        title="The REST API's authorizer crashes",
        verdict="down",
        diagnosis="function-crash",
        front=Front.REST_API,
        build=behind(RestApi, json_only, refusal=refusals.AUTHORIZER_FAILED),
    ),
    Scenario(
        id="rest-api-throttled",
        title="The stage's rate limit is spent",
        verdict="down",
        diagnosis="throttled",
        front=Front.REST_API,
        build=behind(RestApi, json_only, refusal=refusals.THROTTLED),
    ),
    Scenario(
        id="rest-api-quota",
        title="The usage plan's quota is spent",
        verdict="down",
        diagnosis="throttled",
        front=Front.REST_API,
        build=behind(RestApi, json_only, refusal=refusals.QUOTA_SPENT),
    ),
    Scenario(
        id="rest-api-function-throttled",
        title="Reserved concurrency is 0, which a REST API tells as an error of its own",
        verdict="down",
        diagnosis="function-crash",
        front=Front.REST_API,
        build=behind(RestApi, json_only, running={"concurrency": 0}),
    ),
    Scenario(
        id="rest-api-crash",
        title="The handler behind the REST API raises on every event",
        verdict="down",
        diagnosis="function-crash",
        front=Front.REST_API,
        build=returning(bad.crashes, RestApi),
    ),
    Scenario(
        id="rest-api-malformed",
        title="The handler behind the REST API returns a value that is no proxy response",
        verdict="down",
        diagnosis="function-crash",
        front=Front.REST_API,
        build=returning(bad.returns({"ok": True}), RestApi),
    ),
    Scenario(
        id="rest-api-streamed-into-buffer",
        title="The function streams into a REST API that buffers",
        verdict="down",
        diagnosis="function-crash",
        front=Front.REST_API,
        build=behind(RestApi, StatelessServer, adapter=STREAM),
    ),
    Scenario(
        id="rest-api-without-prelude",
        title="The function buffers, and the REST API waits for a prelude",
        verdict="down",
        diagnosis="function-crash",
        front=Front.REST_API_STREAMING,
        build=behind(RestApi, json_only, streams=True),
    ),
    Scenario(
        id="rest-api-streaming-timeout",
        title="The function never begins to stream, and the REST API gives up",
        verdict="down",
        diagnosis="gateway-timeout",
        front=Front.REST_API_STREAMING,
        build=behind(RestApi, lambda: bad.never, adapter=STREAM, streams=True, limit_s=0.7),
    ),
    Scenario(
        id="rest-api-streaming-idle",
        title="The REST API ends a stream that is silent for too long",
        verdict="degraded",
        diagnosis="stream-truncated",
        front=Front.REST_API_STREAMING,
        options=STREAMING,
        build=behind(RestApi, stateless_with(tools__call=bad.hushed_stream), adapter=STREAM, streams=True, idle_s=0.5),
    ),
    Scenario(
        id="rest-api-buffers-events",
        title="The REST API collects events and hands them out all at once",
        verdict="degraded",
        diagnosis="streaming-buffered",
        front=Front.REST_API,
        options=STREAMING,
        build=behind(RestApi, StatelessServer),
    ),
)
