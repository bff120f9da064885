"""API Gateway and load balancers: routes that are missing, time limits in the wrong order, streams that cannot pass.

Sources: API Gateway Developer Guide, quotas and "Stream the integration response for your proxy integrations"; the
guide of the Lambda Web Adapter, "Response streaming".
"""

from collections.abc import Iterator
from typing import Final

from checks.templates.adapter_layer import (
    MODE_VARIABLE,
    has_adapter,
    is_for_adapter,
    is_zip,
    mode_of,
    streams,
    variable_of,
)
from checks.templates.model import Deployment, DoorKind, Function, Gateway, Route
from checks.templates.unit import Fault, Fix, Severity, everywhere, rule

_MODE: Final = f"Environment.Variables.{MODE_VARIABLE}"
_GRACE_S: Final = 1.0
"""By this much a function may outlast its gateway: 30 seconds behind the 29 of a REST API harm nobody."""
_ANY: Final = "ANY"
_CATCH_ALL: Final = ("$default", "/{proxy+}", "/{proxy*}")


def _doors(deployment: Deployment) -> Iterator[tuple[Function, Gateway]]:
    for gateway in deployment.gateways:
        function = deployment.function(gateway.function)
        if function is not None:
            yield function, gateway


@rule("gateway-cannot-stream", diagnosis="invoke-mode-mismatch", severity=Severity.ERROR)
def gateway_cannot_stream(deployment: Deployment) -> Iterator[Fault]:
    """The adapter streams behind a gateway that cannot: what it sends is no answer that the gateway understands."""
    for function, gateway in _doors(deployment):
        if not is_for_adapter(function) or not streams(function) or gateway.kind is DoorKind.REST_API:
            continue
        yield Fault(
            subject=function.subject,
            at=_MODE,
            evidence=f"{MODE_VARIABLE} is {mode_of(function)} behind the {gateway.kind.value} {gateway.subject.id}",
            fix=everywhere(
                f"leave out {MODE_VARIABLE}; or use a Function URL with InvokeMode RESPONSE_STREAM, or a REST API with "
                "response transfer mode STREAM"
            ),
        )


_REST_STREAM: Final = Fix(
    sam="ResponseTransferMode: STREAM on the method's integration",
    cloudformation="Integration: { ResponseTransferMode: STREAM }, with the Uri …/2021-11-15/functions/ARN/"
    "response-streaming-invocations",
    cdk="new apigateway.LambdaIntegration(fn, { responseTransferMode: apigateway.ResponseTransferMode.STREAM })",
    cli="aws apigateway update-integration --rest-api-id ID --resource-id ID --http-method ANY --patch-operations "
    "op=replace,path=/responseTransferMode,value=STREAM   # then deploy the stage",
)


@rule("rest-api-buffers", diagnosis="function-crash", severity=Severity.ERROR)
def rest_api_buffers(deployment: Deployment) -> Iterator[Fault]:
    """The adapter streams and the REST API's integration buffers: it takes the stream for a broken answer."""
    for function, route in _rest_routes(deployment):
        if route.streams is False and is_for_adapter(function) and streams(function):
            yield Fault(
                subject=route.subject,
                at=f"{route.base}ResponseTransferMode",
                evidence=f"{MODE_VARIABLE} is {mode_of(function)}, the response transfer mode is BUFFERED",
                fix=_REST_STREAM,
            )


@rule("rest-api-streams", diagnosis="function-crash", severity=Severity.ERROR)
def rest_api_streams(deployment: Deployment) -> Iterator[Fault]:
    """The REST API's integration streams and the adapter buffers: the gateway finds no prelude and answers 502."""
    for function, route in _rest_routes(deployment):
        if route.streams and is_for_adapter(function) and streams(function) is False:
            yield Fault(
                subject=route.subject,
                at=f"{route.base}ResponseTransferMode",
                evidence=f"the response transfer mode is STREAM, {MODE_VARIABLE} is not response_stream",
                fix=everywhere(f'{MODE_VARIABLE}: "response_stream" in the function\'s environment'),
            )


def _rest_routes(deployment: Deployment) -> Iterator[tuple[Function, Route]]:
    for function, gateway in _doors(deployment):
        if gateway.kind is DoorKind.REST_API:
            yield from ((function, route) for route in gateway.routes)


@rule("route-for-post-missing", diagnosis="route-missing", severity=Severity.ERROR)
def route_for_post_missing(deployment: Deployment) -> Iterator[Fault]:
    """No route of the gateway takes a POST to the server, which is how MCP asks."""
    for gateway in _told(deployment):
        if not any(each.method in (_ANY, "POST") for each in gateway.routes):
            methods = ", ".join(sorted({each.method or "?" for each in gateway.routes}))
            yield Fault(
                subject=gateway.routes[0].subject,
                at=f"{gateway.routes[0].base}Method".removeprefix("Integration."),
                evidence=f"the routes of {gateway.subject.id} to it take {methods}",
                fix=everywhere("a route for ANY, or for POST, GET and DELETE, of the server's path"),
            )


@rule("route-methods-missing", diagnosis="route-missing", severity=Severity.WARNING)
def route_methods_missing(deployment: Deployment) -> Iterator[Fault]:
    """GET or DELETE of the server's path reach no route: clients get the gateway's error where they look for 405."""
    for gateway in _told(deployment):
        if any(each.path in _CATCH_ALL and each.method == _ANY for each in gateway.routes):
            continue
        posts = [each for each in gateway.routes if each.method == "POST" and "mcp" in (each.path or "").lower()]
        for post in posts:
            taken = {each.method for each in gateway.routes if each.path == post.path or each.path in _CATCH_ALL}
            missing = [each for each in ("GET", "DELETE") if each not in taken and _ANY not in taken]
            if missing:
                yield Fault(
                    subject=post.subject,
                    at=f"{post.base}Path".removeprefix("Integration."),
                    evidence=f"{post.path} takes POST, and not {' or '.join(missing)}",
                    fix=everywhere(f"a route for ANY, or for POST, GET and DELETE, of {post.path}"),
                )


def _told(deployment: Deployment) -> Iterator[Gateway]:
    """API gateways before MCP servers of which every route is known."""
    for gateway in deployment.gateways:
        is_api = gateway.kind is not DoorKind.BALANCER and gateway.function in deployment.servers
        if is_api and gateway.all_told and all(each.method and each.path for each in gateway.routes):
            yield gateway


@rule("stage-in-path", diagnosis="route-missing", severity=Severity.WARNING)
def stage_in_path(deployment: Deployment) -> Iterator[Fault]:
    """The HTTP API's stage stands before the path that the application gets, and nothing takes it away."""
    for function, gateway in _doors(deployment):
        stage = gateway.stage
        if gateway.kind is not DoorKind.HTTP_API or stage in (None, "$default") or not has_adapter(function):
            continue
        ignored = variable_of(
            function, "AWS_LWA_REMOVE_BASE_PATH", "REMOVE_BASE_PATH", "AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH"
        )
        if ignored is None and function.environment is not None:
            yield Fault(
                subject=gateway.subject,
                at="StageName",
                evidence=f"the stage is {stage}, so that the application is asked for /{stage}/mcp",
                fix=everywhere(f'AWS_LWA_REMOVE_BASE_PATH: "/{stage}" in the environment, or the stage $default'),
            )


@rule("timeout-order", diagnosis="gateway-timeout", severity=Severity.WARNING)
def timeout_order(deployment: Deployment) -> Iterator[Fault]:
    """The gateway gives up before the function does: clients see a 5xx while the function goes on and is billed."""
    for function, gateway in _doors(deployment):
        if function.subject.id not in deployment.servers or function.timeout_s is None:
            continue
        limits = [(each.timeout_s, each) for each in gateway.routes if each.timeout_s and each.streams is False]
        if limits and function.timeout_s > (least := min(limits, key=lambda pair: pair[0]))[0] + _GRACE_S:
            yield Fault(
                subject=function.subject,
                at="Timeout",
                evidence=f"the function may take {function.timeout_s:g} s, the {gateway.kind.value} waits for "
                f"{least[0]:g} s",
                fix=everywhere(f"Timeout: {int(least[0]) - 1}, or a Function URL for what takes longer"),
            )


@rule("timeout-beyond-client", diagnosis="response-timeout", severity=Severity.WARNING)
def timeout_beyond_client(deployment: Deployment) -> Iterator[Fault]:
    """The function may take longer than clients wait, who then never learn what became of their request."""
    wait_s = deployment.client_timeout_s
    for function in deployment.mcp_functions if wait_s is not None else ():
        if wait_s is not None and function.timeout_s is not None and function.timeout_s > wait_s:
            yield Fault(
                subject=function.subject,
                at="Timeout",
                evidence=f"the function may take {function.timeout_s:g} s, clients wait for {wait_s:g} s",
                fix=everywhere(f"Timeout: {int(wait_s) or 1}, or clients that wait longer"),
            )


@rule("binary-media-types", diagnosis="malformed-response", severity=Severity.NOTE)
def binary_media_types(deployment: Deployment) -> Iterator[Fault]:
    """The REST API hands JSON over in base64, which a handler of its own has to decode."""
    for function, gateway in _doors(deployment):
        served = function.subject.id in deployment.servers and is_zip(function) and not has_adapter(function)
        coded = [each for each in gateway.binary or () if each in ("*/*", "application/json", "application/*")]
        if gateway.kind is DoorKind.REST_API and served and coded:
            yield Fault(
                subject=gateway.subject,
                at="BinaryMediaTypes",
                evidence=f"{', '.join(coded)} covers JSON, and the handler gets isBase64Encoded: true",
                fix=everywhere("BinaryMediaTypes without */* and JSON, or a handler that reads isBase64Encoded"),
            )
