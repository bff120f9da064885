"""What AWS answers about a live deployment, read into the model that rules judge."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from checks.templates.doors import MANAGED_CACHING, MANAGED_FORWARDED, legacy_forwarded, route_key
from checks.templates.model import (
    CLOUDFRONT_READ_S,
    HTTP_API_LIMIT_S,
    REST_API_LIMIT_S,
    Behaviour,
    Cors,
    DoorKind,
    Forwarded,
    Function,
    FunctionUrl,
    Gateway,
    Grant,
    Package,
    Route,
    Subject,
)

BOTH_ASKED_SINCE: Final = datetime(2025, 11, 1, tzinfo=UTC)
"""Function URLs made "starting in October 2025" need both permissions; this is surely after that."""


def function_of(
    said: Mapping[str, Any], urls: Iterable[FunctionUrl], grants: tuple[Grant, ...] | None, reserved: float
) -> Function:
    """A function of ListFunctions."""
    subject = Subject(str(said["FunctionName"]), "AWS::Lambda::Function")
    environment = said.get("Environment") or {}
    image = (said.get("ImageConfigResponse") or {}).get("ImageConfig") or {}
    return Function(
        subject=subject,
        package=Package.IMAGE if said.get("PackageType") == "Image" else Package.ZIP,
        runtime=said.get("Runtime"),
        handler=said.get("Handler"),
        architecture=(said.get("Architectures") or ["x86_64"])[0],
        layers=tuple(str(each.get("Arn", "")) for each in said.get("Layers") or ()),
        environment=None if environment.get("Error") else dict(environment.get("Variables") or {}),
        timeout_s=said.get("Timeout"),
        memory_mb=said.get("MemorySize"),
        reserved=reserved,
        command=(*(image.get("EntryPoint") or ()), *(image.get("Command") or ())),
        urls=tuple(urls),
        grants=grants,
        name=f"{said['FunctionName']} {said.get('Description') or ''}",
    )


def url_of(said: Mapping[str, Any]) -> FunctionUrl:
    """A Function URL of ListFunctionUrlConfigs."""
    name = str(said["FunctionArn"]).split(":function:")[-1]
    cors = said.get("Cors")
    return FunctionUrl(
        subject=Subject(name, "AWS::Lambda::Url"),
        auth_type=said.get("AuthType"),
        invoke_mode=said.get("InvokeMode") or "BUFFERED",
        cors=_cors(cors) if cors else None,
        needs_both=_made_at(said.get("CreationTime")) >= BOTH_ASKED_SINCE,
        address=str(said.get("FunctionUrl") or ""),
    )


def _made_at(value: Any) -> datetime:
    """When it was made; long ago where that cannot be read."""
    try:
        made = datetime.fromisoformat(str(value))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _cors(said: Mapping[str, Any]) -> Cors:
    return Cors(
        origins=tuple(said.get("AllowOrigins") or ()),
        headers=tuple(said.get("AllowHeaders") or ()),
        methods=tuple(said.get("AllowMethods") or ()),
        exposed=tuple(said.get("ExposeHeaders") or ()),
        credentials=bool(said.get("AllowCredentials")),
    )


def grants_of(name: str, policy: str) -> tuple[Grant, ...] | None:
    """The statements of a function's resource policy; None where it holds what rules do not judge."""
    try:
        statements = json.loads(policy)["Statement"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    found: list[Grant] = []
    for each in statements if isinstance(statements, list) else [statements]:
        if not isinstance(each, dict) or each.get("Effect") != "Allow":
            return None
        actions = each.get("Action")
        for action in actions if isinstance(actions, list) else [actions]:
            subject = Subject(f"{name} statement {each.get('Sid', '?')}", "AWS::Lambda::Permission")
            found.append(Grant(subject=subject, action=_action(action), principal=_principal(each.get("Principal"))))
    return tuple(found)


def _action(value: Any) -> str | None:
    """One action; None where a wildcard may mean several."""
    return value if isinstance(value, str) and "*" not in value else None


def _principal(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("Service") or value.get("AWS")
    return value if isinstance(value, str) else None


def rest_gateways(
    api: Mapping[str, Any], resources: Iterable[Mapping[str, Any]], functions: Mapping[str, str], stage: str | None
) -> Iterator[Gateway]:
    """The gateways that a REST API is to each function. `functions` gives the names by ARN."""
    routes: dict[str, list[Route]] = {}
    for resource in resources:
        for verb, method in (resource.get("resourceMethods") or {}).items():
            integration = method.get("methodIntegration") or {}
            name = name_in(str(integration.get("uri") or ""), functions)
            if name is not None:
                limit = integration.get("timeoutInMillis")
                route = Route(
                    subject=Subject(f"{api['name']} {verb} {resource.get('path')}", "AWS::ApiGateway::Method"),
                    method=verb,
                    path=resource.get("path"),
                    timeout_s=REST_API_LIMIT_S if limit is None else limit / 1000,
                    streams=integration.get("responseTransferMode") == "STREAM",
                    signed=method.get("authorizationType") == "AWS_IAM",
                )
                routes.setdefault(name, []).append(route)
    for name, found in routes.items():
        yield Gateway(
            subject=Subject(str(api["name"]), "AWS::ApiGateway::RestApi"),
            kind=DoorKind.REST_API,
            function=name,
            routes=tuple(found),
            stage=stage,
            binary=tuple(api.get("binaryMediaTypes") or ()),
        )


def http_gateways(
    api: Mapping[str, Any],
    routes: Iterable[Mapping[str, Any]],
    integrations: Iterable[Mapping[str, Any]],
    functions: Mapping[str, str],
    stage: str | None,
) -> Iterator[Gateway]:
    """The gateways that an HTTP API is to each function."""
    by_id = {f"integrations/{each.get('IntegrationId')}": each for each in integrations}
    found: dict[str, list[Route]] = {}
    for each in routes:
        integration = by_id.get(str(each.get("Target")), {})
        name = name_in(str(integration.get("IntegrationUri") or ""), functions)
        if name is not None:
            method, path = route_key(each.get("RouteKey"))
            limit = integration.get("TimeoutInMillis")
            route = Route(
                subject=Subject(f"{api['Name']} {each.get('RouteKey')}", "AWS::ApiGatewayV2::Route"),
                method=method,
                path=path,
                timeout_s=HTTP_API_LIMIT_S if limit is None else limit / 1000,
                signed=each.get("AuthorizationType") == "AWS_IAM",
            )
            found.setdefault(name, []).append(route)
    for name, own in found.items():
        cors = api.get("CorsConfiguration")
        yield Gateway(
            subject=Subject(str(api["Name"]), "AWS::ApiGatewayV2::Api"),
            kind=DoorKind.HTTP_API,
            function=name,
            routes=tuple(own),
            stage=stage,
            cors=_cors(cors) if cors else None,
        )


def name_in(uri: str, functions: Mapping[str, str]) -> str | None:
    """The function whose ARN stands in the URI of an integration, with a version or alias or without."""
    start = uri.find("arn:", 1) if "/functions/arn:" in uri else 0
    arn = uri[start:].partition("/")[0] if start >= 0 else ""
    return functions.get(":".join(arn.split(":")[:7]))


def behaviours_of(distribution: Mapping[str, Any], hosts: Mapping[str, tuple[str, bool]]) -> Iterator[Behaviour]:
    """What a distribution does with requests for functions. `hosts` gives function and whether it is its URL."""
    origins = {each.get("Id"): each for each in (distribution.get("Origins") or {}).get("Items") or ()}
    aliases = (distribution.get("Aliases") or {}).get("Items") or ()
    special = (distribution.get("CacheBehaviors") or {}).get("Items") or ()
    listed = [("*", distribution.get("DefaultCacheBehavior") or {})]
    listed += [(str(each.get("PathPattern")), each) for each in special]
    for pattern, each in listed:
        origin = origins.get(each.get("TargetOriginId"))
        behind = hosts.get(str(origin.get("DomainName"))) if origin is not None else None
        if origin is not None and behind is not None:
            name, to_url = behind
            config = origin.get("CustomOriginConfig") or {}
            yield Behaviour(
                subject=Subject(str(distribution.get("Id")), "AWS::CloudFront::Distribution"),
                base=f"[{pattern}].",
                function=name,
                to_url=to_url,
                pattern=pattern,
                methods=tuple((each.get("AllowedMethods") or {}).get("Items") or ("GET", "HEAD")),
                forwards=_forwards(each),
                caches=MANAGED_CACHING.get(str(each.get("CachePolicyId"))),
                signs=bool(origin.get("OriginAccessControlId")),
                has_edge_function=bool((each.get("LambdaFunctionAssociations") or {}).get("Items")),
                read_timeout_s=config.get("OriginReadTimeout", CLOUDFRONT_READ_S),
                address=str(aliases[0] if aliases else distribution.get("DomainName")),
            )


def _forwards(said: Mapping[str, Any]) -> Forwarded | frozenset[str] | None:
    if said.get("ForwardedValues"):
        return legacy_forwarded((said["ForwardedValues"].get("Headers") or {}).get("Items") or [])
    managed = said.get("CachePolicyId") in MANAGED_CACHING
    if said.get("OriginRequestPolicyId"):
        return MANAGED_FORWARDED.get(str(said["OriginRequestPolicyId"]))
    return frozenset() if managed else None
