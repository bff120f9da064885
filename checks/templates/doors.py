"""What stands before the functions of a template: API Gateway, load balancers, CloudFront."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from checks.templates.model import (
    BALANCER_IDLE_S,
    CLOUDFRONT_READ_S,
    HTTP_API_LIMIT_S,
    REST_API_LIMIT_S,
    Behaviour,
    Cors,
    DoorKind,
    Forwarded,
    Gateway,
    Route,
    Subject,
)
from checks.templates.stack import SAM_FUNCTION, Resource, Stack
from checks.templates.values import flag, is_told, number, partly, referred, table, tables, text, texts, told_texts

IMPLICIT: Final = {"Api": "ServerlessRestApi", "HttpApi": "ServerlessHttpApi"}
"""The APIs that SAM makes for events that name none."""
_SAM_KINDS: Final = {"Api": DoorKind.REST_API, "HttpApi": DoorKind.HTTP_API}
_NAMED_API: Final = {"Api": "RestApiId", "HttpApi": "ApiId"}
_SAM_APIS: Final = {"AWS::Serverless::Api": DoorKind.REST_API, "AWS::Serverless::HttpApi": DoorKind.HTTP_API}

MANAGED_FORWARDED: Final[Mapping[str, Forwarded | frozenset[str]]] = {
    "216adef6-5c7f-47e4-b989-5492eafa07d3": Forwarded.ALL,
    "33f36d7e-f396-46d9-90e0-52428a34d9dc": Forwarded.ALL,
    "b689b0a8-53d0-40ab-baf2-68738e2966ac": Forwarded.ALL_BUT_HOST,
}
"""CloudFront Developer Guide, "Use managed origin request policies"."""
MANAGED_CACHING: Final = {
    "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": False,
    "658327ea-f89d-4fab-a63d-7e88639e58f6": True,
    "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": True,
}
"""CloudFront Developer Guide, "Use managed cache policies": CachingDisabled, two of CachingOptimized."""


def gateways(stack: Stack) -> tuple[list[Gateway], list[str]]:
    """The gateways before functions, and what cannot be told of them."""
    untold: list[str] = []
    found = [*_of_sam(stack, untold), *_rest_apis(stack, untold), *_http_apis(stack, untold), *_balancers(stack)]
    return found, untold


def _of_sam(stack: Stack, untold: list[str]) -> Iterator[Gateway]:
    routes: dict[tuple[str, str], list[tuple[str, Route]]] = {}
    for function in stack.of_kind(SAM_FUNCTION):
        for name, event in table(function.properties.get("Events")).items():
            kind, said = text(table(event).get("Type")), table(table(event).get("Properties"))
            if kind in _SAM_KINDS:
                api = (*referred(said.get(_NAMED_API[kind])), IMPLICIT[kind])[0]
                routes.setdefault((kind, api), []).append((function.id, _sam_route(function, name, kind, said)))
    for (kind, api), found in routes.items():
        for function_id in dict.fromkeys(function for function, _ in found):
            yield _sam_gateway(stack, kind, api, function_id, [route for name, route in found if name == function_id])
    for each in stack.of_kind(*_SAM_APIS):
        if "DefinitionBody" in each.properties or "DefinitionUri" in each.properties:
            yield from _defined(stack, each, "DefinitionBody", _SAM_APIS[each.kind], untold)


def _defined(stack: Stack, api: Resource, name: str, kind: DoorKind, untold: list[str]) -> Iterator[Gateway]:
    """The gateways that an API with an OpenAPI definition is, where the definition stands in the template."""
    paths = table(api.properties.get(name)).get("paths")
    if not isinstance(paths, dict):
        untold.append(f"the routes of {api.id}, which stand in a definition of their own")
        return
    by_function: dict[str, list[Route]] = {}
    for path, methods in paths.items():
        for verb, method in table(methods).items():
            integration = table(table(method).get("x-amazon-apigateway-integration"))
            function = stack.function_of(integration.get("uri"))
            if function is not None:
                base = f"{name}.paths.{path}.{verb}."
                by_function.setdefault(function, []).append(_defined_route(api, base, path, verb, kind, integration))
    for function, routes in by_function.items():
        yield Gateway(
            subject=api.subject,
            kind=kind,
            function=function,
            routes=tuple(routes),
            all_told=kind is DoorKind.REST_API and api.kind not in _SAM_APIS,
            stage=text(api.properties.get("StageName")),
            binary=texts(api.properties.get("BinaryMediaTypes")),
        )


def _defined_route(
    api: Resource, base: str, path: str, verb: str, kind: DoorKind, integration: Mapping[str, Any]
) -> Route:
    default = REST_API_LIMIT_S if kind is DoorKind.REST_API else HTTP_API_LIMIT_S
    limit = number(integration.get("timeoutInMillis"), default * 1000)
    return Route(
        subject=api.subject,
        base=base,
        method="ANY" if verb == "x-amazon-apigateway-any-method" else verb.upper(),
        path=path,
        timeout_s=None if limit is None else limit / 1000,
        streams=_streams(integration.get("responseTransferMode")) if kind is DoorKind.REST_API else False,
    )


def _sam_route(function: Resource, name: str, kind: str, said: Mapping[str, Any]) -> Route:
    """The route that an event of SAM stands for."""
    default = REST_API_LIMIT_S if kind == "Api" else HTTP_API_LIMIT_S
    limit = number(said.get("TimeoutInMillis"), default * 1000)
    method = text(said.get("Method", "ANY"))
    mode = said.get("ResponseTransferMode")
    return Route(
        subject=function.subject,
        base=f"Events.{name}.Properties.",
        method=None if method is None else method.upper().replace("X-AMAZON-APIGATEWAY-ANY-METHOD", "ANY"),
        path=text(said.get("Path", "$default")),
        timeout_s=None if limit is None else limit / 1000,
        streams=_streams(mode) if kind == "Api" else False,
    )


def _sam_gateway(stack: Stack, kind: str, api: str, function: str, routes: list[Route]) -> Gateway:
    is_implicit = api == IMPLICIT[kind] and api not in stack.resources
    found = stack.implicit(api, f"AWS::Serverless::{kind}") if is_implicit else stack.resources.get(api)
    said = found.properties if found is not None else {}
    return Gateway(
        subject=found.subject if found is not None else routes[0].subject,
        kind=_SAM_KINDS[kind],
        function=function,
        routes=tuple(routes),
        all_told=found is not None and not {"DefinitionBody", "DefinitionUri"} & said.keys(),
        stage=_sam_stage(kind, said),
        cors=_rest_cors(said.get("Cors")) if kind == "Api" else _http_cors(said.get("CorsConfiguration")),
        binary=tuple(each.replace("~1", "/") for each in texts(said.get("BinaryMediaTypes")) or ()),
    )


def _sam_stage(kind: str, said: Mapping[str, Any]) -> str | None:
    return text(said.get("StageName", "$default" if kind == "HttpApi" else "Prod"))


def _rest_cors(value: Any) -> Cors | None:
    """SAM's Cors of a REST API: quoted lists of the preflight, which can expose nothing."""
    said = table(value)
    if not said:
        return None
    return Cors(
        origins=_quoted(said.get("AllowOrigin")),
        headers=_quoted(said.get("AllowHeaders")) if "AllowHeaders" in said else None,
        methods=_quoted(said.get("AllowMethods")) if "AllowMethods" in said else None,
        exposed=None,
        credentials=flag(said.get("AllowCredentials", False)),
    )


def _http_cors(value: Any) -> Cors | None:
    said = table(value)
    if not said:
        return None
    return Cors(
        origins=told_texts(said.get("AllowOrigins")),
        headers=told_texts(said.get("AllowHeaders")),
        methods=told_texts(said.get("AllowMethods")),
        exposed=told_texts(said.get("ExposeHeaders")),
        credentials=flag(said.get("AllowCredentials", False)),
    )


def _quoted(value: Any) -> tuple[str, ...] | None:
    told = text(value)
    return None if told is None else tuple(each.strip() for each in told.strip("'\" ").split(",") if each.strip())


def _streams(mode: Any) -> bool | None:
    """Whether an integration has response transfer mode STREAM."""
    if mode is None:
        return False
    told = text(mode)
    return None if told is None else told.upper().replace("RESPONSE_", "") == "STREAM"


def _rest_apis(stack: Stack, untold: list[str]) -> Iterator[Gateway]:
    for api in stack.of_kind("AWS::ApiGateway::RestApi"):
        if "Body" in api.properties or "BodyS3Location" in api.properties:
            yield from _defined(stack, api, "Body", DoorKind.REST_API, untold)
            continue
        methods = [
            each
            for each in stack.of_kind("AWS::ApiGateway::Method")
            if api.id in referred(each.properties.get("RestApiId"))
        ]
        by_function: dict[str, list[Route]] = {}
        for each in methods:
            integration = table(each.properties.get("Integration"))
            function = stack.function_of(integration.get("Uri"))
            if function is not None:
                by_function.setdefault(function, []).append(_rest_route(stack, each, integration))
        for function, routes in by_function.items():
            yield Gateway(
                subject=api.subject,
                kind=DoorKind.REST_API,
                function=function,
                routes=tuple(routes),
                binary=texts(api.properties.get("BinaryMediaTypes")),
            )


def _rest_route(stack: Stack, method: Resource, integration: Mapping[str, Any]) -> Route:
    limit = number(integration.get("TimeoutInMillis"), REST_API_LIMIT_S * 1000)
    return Route(
        subject=method.subject,
        base="Integration.",
        method=text(method.properties.get("HttpMethod")),
        path=_resource_path(stack, method.properties.get("ResourceId")),
        timeout_s=None if limit is None else limit / 1000,
        streams=_streams(integration.get("ResponseTransferMode")),
    )


def _resource_path(stack: Stack, value: Any) -> str | None:
    """The path of an API Gateway resource, whose parents hold the parts before."""
    parts: list[str] = []
    for _ in range(32):
        name = next(iter(referred(value)), None)
        found = stack.resources.get(name) if name is not None else None
        if found is None:
            return None
        if found.kind == "AWS::ApiGateway::RestApi":
            return "/" + "/".join(reversed(parts))
        part = text(found.properties.get("PathPart"))
        if found.kind != "AWS::ApiGateway::Resource" or part is None:
            return None
        parts.append(part)
        value = found.properties.get("ParentId")
    return None


def _http_apis(stack: Stack, untold: list[str]) -> Iterator[Gateway]:
    for api in stack.of_kind("AWS::ApiGatewayV2::Api"):
        if "Body" in api.properties or "BodyS3Location" in api.properties:
            yield from _defined(stack, api, "Body", DoorKind.HTTP_API, untold)
            continue
        by_function: dict[str, list[Route]] = {}
        if (function := stack.function_of(api.properties.get("Target"))) is not None:
            by_function[function] = [
                Route(subject=api.subject, method="ANY", path="$default", timeout_s=HTTP_API_LIMIT_S)
            ]
        for each in stack.of_kind("AWS::ApiGatewayV2::Route"):
            if api.id in referred(each.properties.get("ApiId")):
                _http_route(stack, each, by_function)
        stages = [
            text(each.properties.get("StageName"))
            for each in stack.of_kind("AWS::ApiGatewayV2::Stage")
            if api.id in referred(each.properties.get("ApiId"))
        ]
        for function, routes in by_function.items():
            yield Gateway(
                subject=api.subject,
                kind=DoorKind.HTTP_API,
                function=function,
                routes=tuple(routes),
                stage=stages[0] if len(stages) == 1 else None,
                cors=_http_cors(api.properties.get("CorsConfiguration")),
            )


def _http_route(stack: Stack, route: Resource, by_function: dict[str, list[Route]]) -> None:
    integrations = (stack.resources.get(name) for name in referred(route.properties.get("Target")))
    integration = next((each for each in integrations if each is not None), None)
    if integration is None:
        return
    function = stack.function_of(integration.properties.get("IntegrationUri"))
    if function is None:
        return
    limit = number(integration.properties.get("TimeoutInMillis"), HTTP_API_LIMIT_S * 1000)
    method, path = route_key(text(route.properties.get("RouteKey")))
    made = Route(subject=route.subject, method=method, path=path, timeout_s=None if limit is None else limit / 1000)
    by_function.setdefault(function, []).append(made)


def route_key(key: str | None) -> tuple[str | None, str | None]:
    """Method and path of a route of an HTTP API."""
    if key is None:
        return None, None
    if key == "$default":
        return "ANY", "$default"
    method, _, path = key.partition(" ")
    return method.upper(), path


def _balancers(stack: Stack) -> Iterator[Gateway]:
    balancers = list(stack.of_kind("AWS::ElasticLoadBalancingV2::LoadBalancer"))
    idle = _idle_s(balancers[0]) if len(balancers) == 1 else None
    for each in stack.of_kind("AWS::ElasticLoadBalancingV2::TargetGroup"):
        if text(each.properties.get("TargetType")) != "lambda":
            continue
        for target in tables(each.properties.get("Targets")):
            if (function := stack.function_of(target.get("Id"))) is not None:
                route = Route(subject=each.subject, method="ANY", path="$default", timeout_s=idle)
                yield Gateway(subject=each.subject, kind=DoorKind.BALANCER, function=function, routes=(route,))


def _idle_s(balancer: Resource) -> float | None:
    for each in tables(balancer.properties.get("LoadBalancerAttributes")):
        if each.get("Key") == "idle_timeout.timeout_seconds":
            return number(each.get("Value"), BALANCER_IDLE_S)
    return BALANCER_IDLE_S


def behaviours(stack: Stack) -> Iterator[Behaviour]:
    """What CloudFront does with requests for functions of the template."""
    for distribution in stack.of_kind("AWS::CloudFront::Distribution"):
        said = table(distribution.properties.get("DistributionConfig"))
        origins = {name: each for each in tables(said.get("Origins")) if (name := partly(each.get("Id"))) is not None}
        default = table(said.get("DefaultCacheBehavior"))
        listed = [("DistributionConfig.DefaultCacheBehavior.", "*", default)] if default else []
        for number_, each in enumerate(tables(said.get("CacheBehaviors"))):
            base = f"DistributionConfig.CacheBehaviors[{number_}]."
            listed.append((base, partly(each.get("PathPattern")) or "*", each))
        for base, pattern, each in listed:
            origin = origins.get(partly(each.get("TargetOriginId")) or "")
            if origin is not None and (target := _target(stack, origin)) is not None:
                yield _behaviour(stack, distribution.subject, base, pattern, each, origin, target)


def _target(stack: Stack, origin: Mapping[str, Any]) -> tuple[str, bool] | None:
    """The function behind an origin, and whether it is reached by its Function URL."""
    domain = origin.get("DomainName")
    for name in referred(domain):
        found = stack.resources.get(name)
        if (found is None or found.kind == "AWS::Lambda::Url") and (function := stack.function_of(f"${{{name}}}")):
            return function, True
        behind = [each for each in gateways(stack)[0] if each.subject.id == name or name in IMPLICIT.values()]
        if len({each.function for each in behind}) == 1:
            return behind[0].function, False
    return None


def _behaviour(
    stack: Stack,
    subject: Subject,
    base: str,
    pattern: str,
    said: Mapping[str, Any],
    origin: Mapping[str, Any],
    target: tuple[str, bool],
) -> Behaviour:
    function, to_url = target
    return Behaviour(
        subject=subject,
        base=base,
        function=function,
        to_url=to_url,
        pattern=pattern,
        methods=told_texts(said.get("AllowedMethods")) if "AllowedMethods" in said else ("GET", "HEAD"),
        forwards=_forwards(stack, said),
        caches=_caches(stack, said.get("CachePolicyId")),
        signs=_signs(stack, origin.get("OriginAccessControlId")),
        has_edge_function=bool(said.get("LambdaFunctionAssociations")),
        read_timeout_s=number(table(origin.get("CustomOriginConfig")).get("OriginReadTimeout"), CLOUDFRONT_READ_S),
    )


def _forwards(stack: Stack, said: Mapping[str, Any]) -> Forwarded | frozenset[str] | None:
    """The headers that the origin is sent: those of the origin request policy and those of the cache policy."""
    if "ForwardedValues" in said:
        return legacy_forwarded(table(said["ForwardedValues"]).get("Headers"))
    request, cache = said.get("OriginRequestPolicyId"), said.get("CachePolicyId")
    by_cache = frozenset[str]() if cache is None or text(cache) in MANAGED_CACHING else _of_cache_policy(stack, cache)
    if by_cache is None:
        return None
    if request is None:
        return by_cache
    if (told := text(request)) is not None:
        managed = MANAGED_FORWARDED.get(told)
        return managed | by_cache if isinstance(managed, frozenset) else managed
    by_request = _of_request_policy(stack, request)
    return by_request | by_cache if isinstance(by_request, frozenset) else by_request


def legacy_forwarded(value: Any) -> Forwarded | frozenset[str] | None:
    """The headers of ForwardedValues."""
    listed = told_texts(value)
    if listed is None:
        return None
    return Forwarded.ALL if "*" in listed else frozenset(each.lower() for each in listed)


def _of_request_policy(stack: Stack, value: Any) -> Forwarded | frozenset[str] | None:
    found = next((each for name in referred(value) if (each := stack.resources.get(name)) is not None), None)
    if found is None or found.kind != "AWS::CloudFront::OriginRequestPolicy":
        return None
    said = table(table(found.properties.get("OriginRequestPolicyConfig")).get("HeadersConfig"))
    return request_policy_headers(text(said.get("HeaderBehavior")), told_texts(said.get("Headers")))


def request_policy_headers(behaviour: str | None, listed: tuple[str, ...] | None) -> Forwarded | frozenset[str] | None:
    """What an origin request policy forwards."""
    if behaviour in ("allViewer", "allViewerAndWhitelistCloudFront"):
        return Forwarded.ALL
    names = None if listed is None else frozenset(each.lower() for each in listed)
    if behaviour == "allExcept":
        return Forwarded.ALL_BUT_HOST if names == frozenset({"host"}) else None
    return names if behaviour == "whitelist" else frozenset() if behaviour == "none" else None


def _of_cache_policy(stack: Stack, value: Any) -> frozenset[str] | None:
    found = next((each for name in referred(value) if (each := stack.resources.get(name)) is not None), None)
    if found is None or found.kind != "AWS::CloudFront::CachePolicy":
        return None
    config = table(found.properties.get("CachePolicyConfig"))
    said = table(table(config.get("ParametersInCacheKeyAndForwardedToOrigin")).get("HeadersConfig"))
    listed = told_texts(said.get("Headers"))
    return None if listed is None else frozenset(each.lower() for each in listed)


def _caches(stack: Stack, value: Any) -> bool | None:
    if value is None:
        return None
    if (told := text(value)) is not None:
        return MANAGED_CACHING.get(told)
    found = next((each for name in referred(value) if (each := stack.resources.get(name)) is not None), None)
    longest = number(table(table(found.properties if found else {}).get("CachePolicyConfig")).get("MaxTTL"), -1)
    return None if longest is None or longest < 0 else longest > 0


def _signs(stack: Stack, value: Any) -> bool | None:
    """Whether the origin access control of an origin signs."""
    if value is None or value == "":
        return False
    found = next((each for name in referred(value) if (each := stack.resources.get(name)) is not None), None)
    if found is None:
        return True if is_told(value) else None
    behaviour = text(table(found.properties.get("OriginAccessControlConfig")).get("SigningBehavior"))
    return None if behaviour is None else behaviour != "never"
