"""A template in one world as a deployment: its functions, their Function URLs and resource policies."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from checks.templates.doors import behaviours, gateways
from checks.templates.model import (
    DEFAULT_MEMORY_MB,
    DEFAULT_TIMEOUT_S,
    Cors,
    Deployment,
    Function,
    FunctionUrl,
    Gateway,
    Grant,
    Package,
)
from checks.templates.stack import LAMBDA_FUNCTION, SAM_FUNCTION, Resource, Stack
from checks.templates.values import flag, is_told, number, partly, table, text, texts, told_texts

_MCP: Final = re.compile(r"(?:^|[^A-Za-z])[Mm]cp|[a-z]Mcp|MCP")
"""How a name says that it is about the Model Context Protocol."""
_HELPER: Final = re.compile(r"authori[sz]er", re.IGNORECASE)
"""How functions are called that stand beside a server."""
_WORDS: Final = ("FunctionName", "Handler", "Description", "CodeUri", "ImageUri")


def deployment_of(stack: Stack, *, chosen: Sequence[str] = ()) -> Deployment:
    """The deployment that the stack describes. `chosen` are the functions that somebody names as MCP servers."""
    urls, grants, stray = _urls(stack), *_grants(stack)
    functions = tuple(
        _function(each, tuple(urls.get(each.id, ())), None if stray else tuple(grants.get(each.id, ())))
        for each in stack.of_kind(SAM_FUNCTION, LAMBDA_FUNCTION)
    )
    doors, untold = gateways(stack)
    return Deployment(
        dialect=stack.dialect,
        functions=functions,
        servers=frozenset(chosen) if chosen else _servers(functions, doors),
        gateways=tuple(doors),
        behaviours=tuple(behaviours(stack)),
        untold=tuple(untold),
    )


def speaks_of_mcp(function: Function, *others: str) -> bool:
    """Whether its names or its environment say that a function is an MCP server."""
    environment = function.environment or {}
    said = (function.subject.id, function.name, function.handler or "", *environment, *environment.values(), *others)
    return any(_MCP.search(each) for each in said)


def _servers(functions: Sequence[Function], doors: Sequence[Gateway]) -> frozenset[str]:
    """The functions that are taken for MCP servers: by what they say, else the only one that HTTP reaches."""
    behind = {each.function for each in doors}
    reachable = frozenset(each.subject.id for each in functions if each.urls or each.subject.id in behind)
    named = frozenset(
        each.subject.id for each in functions if speaks_of_mcp(each) and not _HELPER.search(each.subject.id)
    )
    if named:
        return named & reachable or named
    return reachable if len(reachable) == 1 else frozenset()


def cors_of(value: Any) -> Cors | None:
    """A policy of a Function URL or an HTTP API."""
    if value is None or value is False or value == "false":
        return None
    said = {key.removeprefix("Allow").lower(): item for key, item in table(value).items()}
    if not said:
        return Cors(origins=None, headers=None, methods=None, exposed=None, credentials=None)
    return Cors(
        origins=told_texts(said.get("origins")),
        headers=told_texts(said.get("headers")),
        methods=told_texts(said.get("methods")),
        exposed=told_texts(said.get("exposeheaders")),
        credentials=flag(said.get("credentials", False)),
    )


def _function(resource: Resource, urls: tuple[FunctionUrl, ...], grants: tuple[Grant, ...] | None) -> Function:
    said = resource.properties
    package = _package(said)
    words = " ".join(filter(None, (partly(said.get(each)) for each in _WORDS)))
    return Function(
        subject=resource.subject,
        package=package,
        runtime=text(said.get("Runtime")),
        handler=text(said.get("Handler")),
        architecture=_architecture(said.get("Architectures")),
        layers=texts(said.get("Layers")),
        environment=_environment(said.get("Environment")),
        timeout_s=number(said.get("Timeout"), DEFAULT_TIMEOUT_S),
        memory_mb=number(said.get("MemorySize"), DEFAULT_MEMORY_MB),
        reserved=number(said.get("ReservedConcurrentExecutions"), -1.0),
        command=_command(said.get("ImageConfig")),
        urls=(*_own_url(resource), *urls),
        grants=grants,
        name=words,
    )


def _package(said: Mapping[str, Any]) -> Package | None:
    kind = said.get("PackageType")
    if kind is None:
        in_image = "ImageUri" in said or "ImageUri" in table(said.get("Code"))
        return Package.IMAGE if in_image else Package.ZIP
    told = text(kind)
    return Package(told) if told in set(Package) else None


def _architecture(value: Any) -> str | None:
    told = texts(value)
    if told == ():
        return "x86_64"
    return told[0] if told and is_told(told[0]) else None


def _environment(value: Any) -> Mapping[str, str] | None:
    if value is None:
        return {}
    variables = table(value).get("Variables", {}) if isinstance(value, dict) else None
    if not isinstance(variables, dict):
        return None
    return {name: read for name, each in variables.items() if (read := partly(each)) is not None}


def _command(value: Any) -> tuple[str, ...]:
    said = table(value)
    return (*(texts(said.get("EntryPoint")) or ()), *(texts(said.get("Command")) or ()))


def _own_url(resource: Resource) -> Iterable[FunctionUrl]:
    said = resource.properties.get("FunctionUrlConfig")
    if resource.kind == SAM_FUNCTION and isinstance(said, dict):
        yield FunctionUrl(
            subject=resource.subject,
            base="FunctionUrlConfig.",
            auth_type=text(said.get("AuthType")),
            invoke_mode=text(said.get("InvokeMode", "BUFFERED")),
            cors=cors_of(said.get("Cors")),
            grants_itself=True,
        )


def _urls(stack: Stack) -> dict[str, list[FunctionUrl]]:
    found: dict[str, list[FunctionUrl]] = {}
    for each in stack.of_kind("AWS::Lambda::Url"):
        function = stack.function_of(each.properties.get("TargetFunctionArn"))
        if function is not None:
            url = FunctionUrl(
                subject=each.subject,
                auth_type=text(each.properties.get("AuthType")),
                invoke_mode=text(each.properties.get("InvokeMode", "BUFFERED")),
                cors=cors_of(each.properties.get("Cors")),
            )
            found.setdefault(function, []).append(url)
    return found


def _grants(stack: Stack) -> tuple[dict[str, list[Grant]], bool]:
    """Statements by function, and whether there are some of which it cannot be told what they are for."""
    found: dict[str, list[Grant]] = {}
    stray = False
    for each in stack.of_kind("AWS::Lambda::Permission"):
        said = each.properties
        function = stack.function_of(said.get("FunctionName"))
        if function is None:
            stray = True
            continue
        grant = Grant(
            subject=each.subject,
            action=text(said.get("Action")),
            principal=partly(said.get("Principal")),
        )
        found.setdefault(function, []).append(grant)
    return found, stray
