"""Finds the MCP servers of an AWS account in one Region: functions with a Function URL, routes, balancers, CloudFront.

Nothing is changed and no server is asked. Tags are those of functions, because Function URLs have none.
"""

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from checks.model import nothing
from checks.templates.building import speaks_of_mcp
from checks.templates.judging import Finding, judge
from checks.templates.model import (
    Behaviour,
    Deployment,
    Dialect,
    DoorKind,
    Function,
    FunctionUrl,
    Gateway,
    Route,
    Subject,
)
from checks.text import clean
from prober.endpoints.aws_asking import Asker, Clients, Unseen
from prober.endpoints.aws_reading import (
    behaviours_of,
    function_of,
    grants_of,
    http_gateways,
    rest_gateways,
    url_of,
)

MOST_FUNCTIONS: Final = 500
"""How many functions are looked at closely; each takes three calls."""
GUESSED_PATH: Final = "mcp"
"""Where servers answer whose path no configuration shows."""

ACTIONS: Final = (
    "apigateway:GET",
    "cloudfront:ListDistributions",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "lambda:GetFunctionConcurrency",
    "lambda:GetPolicy",
    "lambda:ListFunctionUrlConfigs",
    "lambda:ListFunctions",
    "lambda:ListWebFunctionEndpoints",
    "lambda:ListWebFunctions",
    "tag:GetResources",
)
"""All that discovery ever asks for."""

NOT_SEEN: Final = (
    "paths behind a Function URL or a catch-all route: /mcp is a guess",
    "custom domain names of API Gateway, private APIs, and what an image or a layer of your own holds",
    "whether a server answers at all: `mcp-prober check URL` tells",
    "other Regions and accounts",
)
"""What discovery cannot see, in plain words."""

_MCP_PATH: Final = re.compile(r"(?:^|[/_-])mcp(?:$|[/_-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which functions are looked at."""

    names: tuple[str, ...] = ()
    """Patterns such as `orders-*`."""
    tags: Mapping[str, str | None] = field(default_factory=nothing)
    """Tags that a function bears, with a value or any."""
    everything: bool = False
    """Also functions of which nothing says that they are MCP servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An address at which an MCP server may be asked."""

    function: str
    url: str
    door: str
    guessed: bool
    """The path is a guess."""
    signed: bool = False
    """Requests have to be signed with AWS credentials."""
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What was found in one Region."""

    region: str
    servers: tuple[Server, ...]
    findings: tuple[Finding, ...]
    unseen: tuple[Unseen, ...]
    """Calls that failed, so that something may be missing."""
    skipped: int = 0
    """Functions beyond the limit of one run."""
    failed: str | None = None
    """Why the Region was not looked at, in a sentence."""


def discover(clients: Clients, region: str, wanted: Wanted) -> Discovery:
    """Look through one Region. Blocks, for seconds to minutes. Raises CannotDiscover."""
    asker = Asker(clients)
    listed = [each for each in _functions(asker, wanted) if each.get("FunctionName")]
    by_arn = {str(each.get("FunctionArn")): str(each["FunctionName"]) for each in listed}
    gateways = _gateways(asker, by_arn, region)
    spoken = {each.function for each in gateways if any(_MCP_PATH.search(way.path or "") for way in each.routes)}
    chosen = [each for each in listed if wanted.everything or _is_meant(each, wanted) or each["FunctionName"] in spoken]
    functions = tuple(_in_full(asker, each) for each in chosen[:MOST_FUNCTIONS])
    names = frozenset(each.subject.id for each in functions)
    before = tuple(each for each in gateways if each.function in names)
    edges = tuple(_edges(asker, functions, before)) if functions else ()
    deployment = Deployment(
        dialect=Dialect.CLI, functions=functions, servers=names, gateways=before, behaviours=edges, region=region
    )
    servers = dict.fromkeys(each for function in functions for each in _servers(deployment, function, region))
    servers |= dict.fromkeys(_web_functions(asker, wanted, region))
    reachable = frozenset(each.function for each in servers)
    judged = tuple(each for each in functions if each.subject.id in reachable)
    found = judge(replace(deployment, functions=judged, servers=reachable))
    return Discovery(
        region=region,
        servers=tuple(servers),
        findings=tuple(found),
        unseen=tuple(asker.unseen),
        skipped=max(0, len(chosen) - MOST_FUNCTIONS),
    )


def _gateways(asker: Asker, by_arn: Mapping[str, str], region: str) -> list[Gateway]:
    """What stands before the functions. Where these may not be listed it is asked for as well, so that all missing
    permissions are named at once."""
    if not by_arn and (not asker.unseen or asker.is_away("lambda")):
        return []
    return [*_rest_apis(asker, by_arn, region), *_http_apis(asker, by_arn), *_balancers(asker, by_arn)]


def _functions(asker: Asker, wanted: Wanted) -> list[Mapping[str, Any]]:
    """The functions that bear the tags and match a name."""
    tagged = _tagged(asker, wanted.tags) if wanted.tags else None
    found = asker.all_of("lambda", "list_functions", "Functions[]", "lambda:ListFunctions")
    return [
        each
        for each in found
        if (tagged is None or each.get("FunctionArn") in tagged)
        and (not wanted.names or any(fnmatch.fnmatchcase(str(each.get("FunctionName")), name) for name in wanted.names))
    ]


def _tagged(asker: Asker, tags: Mapping[str, str | None]) -> frozenset[str]:
    asked = [{"Key": key, "Values": [] if value is None else [value]} for key, value in tags.items()]
    found = asker.all_of(
        "resourcegroupstaggingapi",
        "get_resources",
        "ResourceTagMappingList[]",
        "tag:GetResources",
        TagFilters=asked,
        ResourceTypeFilters=["lambda:function"],
    )
    return frozenset(str(each.get("ResourceARN")) for each in found)


def _is_meant(said: Mapping[str, Any], wanted: Wanted) -> bool:
    """Whether somebody asked for it by name or tag, or its own words say that it is an MCP server."""
    return bool(wanted.names or wanted.tags) or speaks_of_mcp(function_of(said, (), None, -1.0))


def _in_full(asker: Asker, said: Mapping[str, Any]) -> Function:
    """A function with its URLs, its policy and its reserved concurrency."""
    name = str(said["FunctionName"])
    configured = asker.all_of(
        "lambda",
        "list_function_url_configs",
        "FunctionUrlConfigs[]",
        "lambda:ListFunctionUrlConfigs",
        FunctionName=name,
    )
    urls = [url_of(each) for each in configured]
    reserved = asker.one("lambda", "get_function_concurrency", "lambda:GetFunctionConcurrency", FunctionName=name)
    amount = (reserved or {}).get("ReservedConcurrentExecutions", -1.0)
    grants = _grants(asker, name, urls) if urls else ()
    return function_of(said, urls, grants, float(amount))


def _grants(asker: Asker, name: str, urls: Sequence[FunctionUrl]) -> Any:
    """The statements of the policy behind its only URL; where there are several, each alias has its own."""
    if len(urls) != 1:
        return None
    qualifier = urls[0].subject.id.partition(":")[2]
    asked = {"FunctionName": name, **({"Qualifier": qualifier} if qualifier else {})}
    answer = asker.one("lambda", "get_policy", "lambda:GetPolicy", absent=("ResourceNotFoundException",), **asked)
    if answer is None:
        return None
    return grants_of(name, str(answer["Policy"])) if answer.get("Policy") else ()


def _rest_apis(asker: Asker, functions: Mapping[str, str], region: str) -> Iterator[Gateway]:
    action = "apigateway:GET"
    for api in asker.all_of("apigateway", "get_rest_apis", "items[]", action):
        resources = asker.all_of(
            "apigateway", "get_resources", "items[]", action, restApiId=api["id"], embed=["methods"]
        )
        if not list(rest_gateways(api, resources, functions, None)):
            continue
        stages = (asker.one("apigateway", "get_stages", action, restApiId=api["id"]) or {}).get("item") or ()
        kinds = (api.get("endpointConfiguration") or {}).get("types") or ()
        is_public = not api.get("disableExecuteApiEndpoint") and "PRIVATE" not in kinds
        for stage in stages:
            host = f"{api['id']}.execute-api.{region}.{_suffix(region)}"
            base = f"https://{host}/{stage['stageName']}" if is_public else ""
            yield from (
                replace(each, address=base) for each in rest_gateways(api, resources, functions, stage["stageName"])
            )


def _http_apis(asker: Asker, functions: Mapping[str, str]) -> Iterator[Gateway]:
    action = "apigateway:GET"
    for api in asker.all_of("apigatewayv2", "get_apis", "Items[]", action):
        if api.get("ProtocolType") != "HTTP":
            continue
        routes = asker.all_of("apigatewayv2", "get_routes", "Items[]", action, ApiId=api["ApiId"])
        integrations = asker.all_of("apigatewayv2", "get_integrations", "Items[]", action, ApiId=api["ApiId"])
        if not list(http_gateways(api, routes, integrations, functions, None)):
            continue
        for stage in asker.all_of("apigatewayv2", "get_stages", "Items[]", action, ApiId=api["ApiId"]):
            name = str(stage.get("StageName"))
            base = f"{api.get('ApiEndpoint')}{'' if name == '$default' else f'/{name}'}"
            base = "" if api.get("DisableExecuteApiEndpoint") else base
            yield from (
                replace(each, address=base) for each in http_gateways(api, routes, integrations, functions, name)
            )


def _balancers(asker: Asker, functions: Mapping[str, str]) -> Iterator[Gateway]:
    for group in asker.all_of(
        "elbv2", "describe_target_groups", "TargetGroups[]", "elasticloadbalancing:DescribeTargetGroups"
    ):
        if group.get("TargetType") != "lambda":
            continue
        health = asker.one(
            "elbv2",
            "describe_target_health",
            "elasticloadbalancing:DescribeTargetHealth",
            TargetGroupArn=group["TargetGroupArn"],
        )
        targets = [str(each["Target"]["Id"]) for each in (health or {}).get("TargetHealthDescriptions") or ()]
        names = [functions[arn] for each in targets if (arn := ":".join(each.split(":")[:7])) in functions]
        for arn in group.get("LoadBalancerArns") or () if names else ():
            yield from (each for name in names for each in _rules(asker, arn, group, name))


def _rules(asker: Asker, balancer: str, group: Mapping[str, Any], name: str) -> Iterator[Gateway]:
    """The rules of a load balancer that lead to a target group."""
    found = asker.one(
        "elbv2",
        "describe_load_balancers",
        "elasticloadbalancing:DescribeLoadBalancers",
        LoadBalancerArns=[balancer],
    )
    host = next((str(each.get("DNSName")) for each in (found or {}).get("LoadBalancers") or ()), None)
    listeners = asker.all_of(
        "elbv2",
        "describe_listeners",
        "Listeners[]",
        "elasticloadbalancing:DescribeListeners",
        LoadBalancerArn=balancer,
    )
    for listener in listeners:
        scheme, port = str(listener.get("Protocol", "")).lower(), listener.get("Port")
        usual = {"https": 443, "http": 80}.get(scheme) == port
        rules = asker.all_of(
            "elbv2",
            "describe_rules",
            "Rules[]",
            "elasticloadbalancing:DescribeRules",
            ListenerArn=listener["ListenerArn"],
        )
        for rule in rules:
            if not any(str(group["TargetGroupArn"]) in str(each) for each in rule.get("Actions") or ()):
                continue
            named, path = _conditions(rule)
            subject = Subject(str(group.get("TargetGroupName")), "AWS::ElasticLoadBalancingV2::TargetGroup")
            yield Gateway(
                subject=subject,
                kind=DoorKind.BALANCER,
                function=name,
                routes=(Route(subject=subject, method="ANY", path=path or "$default"),),
                address=f"{scheme}://{named or host}{'' if usual else f':{port}'}" if host else "",
            )


def _conditions(rule: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The first host and path without wildcards that a rule asks for."""
    found: dict[str, str] = {}
    for each in rule.get("Conditions") or ():
        values = [str(value) for value in each.get("Values") or () if "*" not in str(value) and "?" not in str(value)]
        if values:
            found.setdefault(str(each.get("Field")), values[0])
    return found.get("host-header"), found.get("path-pattern")


def _edges(asker: Asker, functions: Sequence[Function], gateways: Sequence[Gateway]) -> Iterator[Behaviour]:
    """What CloudFront does with requests for these functions."""
    hosts = {_host(url.address): (each.subject.id, True) for each in functions for url in each.urls}
    hosts |= {_host(each.address): (each.function, False) for each in gateways}
    hosts.pop("", None)
    if not hosts:
        return
    for each in asker.all_of(
        "cloudfront", "list_distributions", "DistributionList.Items[]", "cloudfront:ListDistributions"
    ):
        if each.get("Enabled"):
            yield from behaviours_of(each, hosts)


def _host(address: str) -> str:
    return urlsplit(address).hostname or "" if address else ""


def _web_functions(asker: Asker, wanted: Wanted, region: str) -> Iterator[Server]:
    """Lambda Web Functions, which need no adapter and have addresses of their own. Not every Region has them."""
    if wanted.tags or asker.is_away("lambda"):
        return
    listed = asker.all_of(
        "lambda-web", "list_web_functions", "functions[]", "lambda:ListWebFunctions", everywhere=False
    )
    for each in listed:
        name = str(each.get("functionName"))
        matches = any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted.names)
        if not (matches or (not wanted.names and (wanted.everything or _MCP_PATH.search(name)))):
            continue
        endpoints = asker.all_of(
            "lambda-web",
            "list_web_function_endpoints",
            "endpoints[]",
            "lambda:ListWebFunctionEndpoints",
            everywhere=False,
            functionName=name,
        )
        for endpoint in endpoints:
            if endpoint.get("domainName"):
                signed = endpoint.get("authType") == "IamAuth"
                yield _server(name, f"https://{endpoint['domainName']}", "", "Web Function", region, signed=signed)


def _servers(deployment: Deployment, function: Function, region: str) -> Iterator[Server]:
    """The addresses of a function: that of CloudFront first, which its clients are meant to use."""
    name = function.subject.id
    for edge in deployment.behaviours_of(function):
        path = edge.pattern.lstrip("/").rstrip("*").rstrip("/")
        yield _server(name, f"https://{edge.address}", path, "CloudFront", region)
    for url in function.urls:
        signed = url.auth_type == "AWS_IAM"
        yield _server(name, url.address, "", "Function URL", region, signed=signed)
    for gateway in deployment.gateways_of(function):
        paths = {each.path or "": each.signed for each in gateway.routes if each.method in ("ANY", "POST")}
        exact = [each for each in paths if each and "{" not in each and not each.startswith("$")]
        meant = [each for each in exact if _MCP_PATH.search(each)] or exact or list(paths)[:1]
        for path in meant if gateway.address else ():
            told = path.strip("/") if path in exact else ""
            yield _server(name, gateway.address, told, gateway.kind.value, region, signed=paths[path])


def _server(name: str, base: str, path: str, door: str, region: str, *, signed: bool = False) -> Server:
    address = f"{base.rstrip('/')}/{path or GUESSED_PATH}"
    return Server(function=name, url=clean(address, 2000), door=door, guessed=not path, signed=signed, region=region)


def _suffix(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
