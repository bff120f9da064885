"""The settings of the Lambda Web Adapter: where it asks, what it takes for a ready server, what it does with answers.

Source: the adapter's guide, "Environment variables" and "Quick start", and `AdapterOptions` of its sources: a name with
AWS_LWA_ goes before the one without.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from checks.templates.adapter_layer import (
    DEFAULT_PORT,
    MODE_VARIABLE,
    STATUS_VARIABLE,
    adapted,
    variable_of,
)
from checks.templates.model import Deployment, Function
from checks.templates.unit import Fault, Severity, everywhere, rule, variable
from checks.templates.values import is_told

_ENV: Final = "Environment.Variables"
_PORT: Final = ("AWS_LWA_PORT", "PORT")
_HOST: Final = ("AWS_LWA_HOST", "HOST")
_CHECKED_PORT: Final = ("AWS_LWA_READINESS_CHECK_PORT", "READINESS_CHECK_PORT")
_CHECKED_PATH: Final = ("AWS_LWA_READINESS_CHECK_PATH", "READINESS_CHECK_PATH")
_CHECKED_BY: Final = ("AWS_LWA_READINESS_CHECK_PROTOCOL", "READINESS_CHECK_PROTOCOL")
_RENAMED: Final = (
    _CHECKED_PORT,
    _CHECKED_PATH,
    _CHECKED_BY,
    ("AWS_LWA_REMOVE_BASE_PATH", "REMOVE_BASE_PATH"),
    ("AWS_LWA_ASYNC_INIT", "ASYNC_INIT"),
)
"""Settings that nothing but the adapter reads, by their new names and their old ones."""
_SERVERS_PORT: Final = (
    "FASTMCP_PORT", "FASTMCP_SERVER_PORT", "MCP_PORT", "MCP_SERVER_PORT", "SERVER_PORT", "HTTP_PORT", "UVICORN_PORT",
    "GRADIO_SERVER_PORT", "QUARKUS_HTTP_PORT", "ASPNETCORE_HTTP_PORTS",
)  # fmt: skip
"""What servers read their port from, beside PORT, which the adapter reads as well."""
_PORT_OPTION: Final = re.compile(r"--(?:http-)?port[= ](\d{2,5})(?!\d)|--bind[= ]\S*:(\d{2,5})(?!\d)")
_FIRST_OPEN_PORT: Final = 1024
_LAST_PORT: Final = 65535
_RUNTIME_API_PORT: Final = 9001
_REFUSALS: Final = frozenset({401, 404, 405, 406})
"""Statuses by which MCP servers say something that clients understand."""


@rule("adapter-port", diagnosis="function-timeout", severity=Severity.ERROR)
def adapter_port(deployment: Deployment) -> Iterator[Fault]:
    """The adapter waits on another port than the one that the server is told to listen on, or can listen on."""
    for function in adapted(deployment):
        if function.environment is None:
            continue
        waits = variable_of(function, *_PORT) or DEFAULT_PORT
        if not is_told(waits):
            continue
        if (closed := _closed(waits)) is not None:
            name = next(each for each in _PORT if each in function.environment)
            yield Fault(
                subject=function.subject,
                at=f"{_ENV}.{name}",
                evidence=f"{name} is {waits[:40]!r}: {closed}",
                fix=variable(name, DEFAULT_PORT),
            )
        else:
            yield from _elsewhere(function, waits)


def _closed(port: str) -> str | None:
    """Why no server can listen on a port within a function: "Quick start" of the adapter's guide."""
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= _LAST_PORT):
        return "that is no port"
    if int(port) < _FIRST_OPEN_PORT:
        return f"in Lambda a server may not listen on a port below {_FIRST_OPEN_PORT}"
    return "there Lambda's own Runtime API listens" if int(port) == _RUNTIME_API_PORT else None


def _elsewhere(function: Function, waits: str) -> Iterator[Fault]:
    """The fault of a server that is told another port than the adapter waits on."""
    by = next((f"by {each}" for each in _PORT if each in (function.environment or {})), "by its default")
    found = _PORT_OPTION.search(" ".join(function.command))
    if found is not None and (port := found[1] or found[2]) != waits:
        said = f"the adapter waits on port {waits} {by}, the command says {found[0]}"
        fix = variable("AWS_LWA_PORT", port)
        yield Fault(subject=function.subject, at="ImageConfig.Command", evidence=said, fix=fix)
    elif found is None and (other := _other_port(function, waits)) is not None:
        name, port = other
        yield Fault(
            subject=function.subject,
            at=f"{_ENV}.{name}",
            evidence=f"the adapter waits on port {waits} {by}, {name} is {port}",
            fix=variable("AWS_LWA_PORT", port),
            severity=Severity.WARNING,
        )


def _other_port(function: Function, waits: str) -> tuple[str, str] | None:
    """A variable by which the server is told another port."""
    environment = function.environment or {}
    names = (*(("PORT",) if "AWS_LWA_PORT" in environment else ()), *_SERVERS_PORT)
    told = [(name, environment[name]) for name in names if name in environment]
    if any(port == waits or not port.isdecimal() for _, port in told):
        return None  # whichever it reads, one of them agrees
    return told[0] if told else None


@rule("adapter-host", diagnosis="function-timeout", severity=Severity.WARNING)
def adapter_host(deployment: Deployment) -> Iterator[Fault]:
    """The adapter asks another host than its own function, where the server listens."""
    for function in adapted(deployment):
        host = variable_of(function, *_HOST)
        if host is None or not is_told(host) or _is_own(host):
            continue
        name = next(each for each in _HOST if each in (function.environment or {}))
        beside = "" if name == _HOST[0] else f": it takes {name} where {_HOST[0]} is not set"
        yield Fault(
            subject=function.subject,
            at=f"{_ENV}.{name}",
            evidence=f"the adapter looks for the server at {host[:100]!r}{beside}",
            fix=variable(_HOST[0], "127.0.0.1"),
        )


def _is_own(host: str) -> bool:
    """Whether a host is the function itself; addresses of IPv6 stand in brackets, as in a URL."""
    if host.lower() == "localhost":
        return True
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    return (address.is_loopback or address.is_unspecified) and (address.version == 4) == (bare == host)


@rule("adapter-variable-shadowed", diagnosis="function-timeout", severity=Severity.WARNING)
def adapter_variable_shadowed(deployment: Deployment) -> Iterator[Fault]:
    """A setting of the adapter stands under its old name and its new one, and the old one has no effect."""
    for function in adapted(deployment):
        environment = function.environment or {}
        for new, old in _RENAMED:
            if new in environment and old in environment and environment[new] != environment[old]:
                yield Fault(
                    subject=function.subject,
                    at=f"{_ENV}.{old}",
                    evidence=f"{old} is {environment[old][:100]!r}; the adapter takes {new}, which is "
                    f"{environment[new][:100]!r}",
                    fix=everywhere(f"Leave out {old}, and let {new} say what is meant."),
                )


@rule("adapter-mode-unknown", diagnosis="streaming-buffered", severity=Severity.ERROR)
def adapter_mode_unknown(deployment: Deployment) -> Iterator[Fault]:
    """AWS_LWA_INVOKE_MODE holds a word that the adapter does not know, and reads as buffered."""
    for function in deployment.functions:
        mode = variable_of(function, MODE_VARIABLE)
        if mode is not None and is_told(mode) and mode.lower() not in ("buffered", "response_stream"):
            fix = variable(MODE_VARIABLE, "response_stream")
            yield Fault(
                subject=function.subject, at=f"{_ENV}.{MODE_VARIABLE}", evidence=f"the word is {mode!r}", fix=fix
            )


@rule("adapter-readiness", diagnosis="function-timeout", severity=Severity.ERROR)
def adapter_readiness(deployment: Deployment) -> Iterator[Fault]:
    """What the adapter takes for a sign of readiness never comes from an MCP server."""
    for function in adapted(deployment):
        yield from _ready_elsewhere(function)
        said = variable_of(function, STATUS_VARIABLE)
        by = variable_of(function, *_CHECKED_BY) or "http"
        if said is None or not is_told(said) or not is_told(by) or by.lower() == "tcp":
            continue
        codes = statuses(said)
        path = variable_of(function, *_CHECKED_PATH) or "/"
        fault = Fault(
            subject=function.subject,
            at=f"{_ENV}.{STATUS_VARIABLE}",
            evidence=f"{said!r} holds no status at all, so that the server never counts as ready",
            fix=variable(STATUS_VARIABLE, "100-499"),
        )
        if not codes:
            yield fault
        elif path in ("/", "/mcp", "/mcp/") and not codes & {404, 405, 406}:
            text = f"an MCP server answers a GET of {path} with 404, 405 or 406; {said} lets none of them count"
            yield replace(fault, evidence=text, severity=Severity.WARNING)


def _ready_elsewhere(function: Function) -> Iterator[Fault]:
    """The fault of a check that asks another port than the requests go to."""
    port, checked = variable_of(function, *_PORT) or DEFAULT_PORT, variable_of(function, *_CHECKED_PORT)
    if checked is None or checked == port or not (is_told(checked) and is_told(port)):
        return
    name = next(each for each in _CHECKED_PORT if each in (function.environment or {}))
    yield Fault(
        subject=function.subject,
        at=f"{_ENV}.{name}",
        evidence=f"the check asks port {checked[:40]}, requests go to port {port[:40]}: one server listens on one port",
        fix=variable(_CHECKED_PORT[0], port),
        severity=Severity.WARNING,
    )


@rule("adapter-error-statuses", diagnosis="function-crash", severity=Severity.ERROR)
def adapter_error_statuses(deployment: Deployment) -> Iterator[Fault]:
    """The adapter turns statuses into failed invocations by which MCP servers tell clients what to do."""
    name = "AWS_LWA_ERROR_STATUS_CODES"
    for function in adapted(deployment):
        said = variable_of(function, name)
        if said is not None and is_told(said) and (lost := sorted(statuses(said) & _REFUSALS)):
            numbers = ", ".join(map(str, lost))
            text = f"{said} holds {numbers}: a client gets 502 instead, without the body"
            yield Fault(subject=function.subject, at=f"{_ENV}.{name}", evidence=text, fix=variable(name, "500-599"))


def statuses(said: str) -> frozenset[int]:
    """The statuses that the adapter reads out of a list; what it cannot read it leaves out."""
    found: set[int] = set()
    for part in said.split(","):
        first, dash, last = (each.strip() for each in part.partition("-"))
        if first.isdecimal() and (last.isdecimal() if dash else True):
            begin, end = int(first[:6]), int((last or first)[:6])
            found |= set(range(begin, min(end, 999) + 1))
    return frozenset(found)
