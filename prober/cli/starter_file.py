"""The commented configuration that `init` writes."""

import ipaddress
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from checks.inventory import fingerprint_of
from checks.messages import Tool, all_tools_of
from checks.model import ClientAuth, Endpoint, ProbeReport
from checks.text import clean
from prober import values

_EXAMPLES: Final[Mapping[str, Any]] = {
    "string": "text",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}
_MOST_TOOLS: Final = 200
_INTERVAL_S: Final = 60.0


def starter_file(report: ProbeReport, endpoint: Endpoint) -> str:
    """YAML that watches `endpoint` as the probe found it; it passes `mcp-prober config check`."""
    tools = _tools(report)
    lines = [
        "# Configuration of mcp-prober. Check it with: mcp-prober config check FILE",
        "# All keys, for editors: mcp-prober config schema",
        "",
        "endpoints:",
        *_endpoint(report, endpoint, tools),
        "",
        *_network(report, endpoint),
        *_NOTIFIERS,
        "",
        *_SECRETS_AND_LIMITS,
    ]
    return "\n".join(lines) + "\n"


_NOTIFIERS: Final = (
    "# Who is told when an incident opens and closes:",
    "# notifiers:",
    "#   - name: team",
    "#     kind: slack",
    "#     webhook: env:SLACK_WEBHOOK_URL",
    "#   - name: on-call",
    "#     kind: sns",
    "#     topic_arn: arn:aws:sns:eu-central-1:123456789012:alerts",
)


_NO_AUTH: Final = (
    "    # One of these, or a signature and a token in a header of its own (token_header). Secrets are references:",
    "    # auth: {bearer: env:MCP_TOKEN}",
    "    # auth: {oauth: {token_url: https://login.example.com/token, client_id: me, client_secret: env:MCP_SECRET}}",
    "    # auth: {sigv4: true}",
)
_FULL_PROBES: Final = (
    "    # How often a full probe takes the place of a standard one; never is possible:",
    "    # full_every: 1d",
    "    # What only a full probe asks, and only where it is named: it makes a server hold or start something.",
    "    # on_request: [tasks, subscriptions]",
    "    # Pages whose scripts use the endpoint, so that what keeps them out is a fault:",
    "    # browser_origins: [https://app.example.com]",
)
_SECRETS_AND_LIMITS: Final = (
    "# The only secrets that may be used; without this section, all that the file refers to:",
    "# secrets: {allow: [env:MCP_TOKEN]}",
    "",
    "# How much of an answer is read, and how long each phase may take:",
    "# limits: {body: 4MiB, connect_s: 5}",
)


def _endpoint(report: ProbeReport, endpoint: Endpoint, tools: Sequence[Tool]) -> Iterator[str]:
    yield f"  - name: {scalar(_name(report, endpoint))}"
    yield f"    url: {scalar(endpoint.url)}"
    yield f"    interval: {max(_INTERVAL_S, endpoint.timeout_s):g}s"
    yield f"    timeout: {endpoint.timeout_s:g}s"
    opener = report.opening.opener
    if opener is not None:
        yield (
            f"    # Found: {clean(opener.protocol_version, 20)} over {opener.transport.value}, "
            f"{opener.era.value} era. Pin it by one of these:"
        )
        pinned = "" if endpoint.transport else "# "
        yield f"    {pinned}transport: {opener.transport.value}"
        yield f"    {'' if endpoint.era else '# '}era: {opener.era.value}"
    if not endpoint.verify_tls:
        yield "    verify_tls: false"
    if endpoint.headers:
        yield "    headers:"
        yield from (f"      {scalar(name)}: {scalar(value)}" for name, value in endpoint.headers.items())
    yield from _auth(endpoint)
    yield from _expected_tools(tools)
    yield from _sentinel(tools)
    yield "    # true: events must arrive one by one; false: they need not"
    yield "    # streaming: true"
    yield from _FULL_PROBES


def _auth(endpoint: Endpoint) -> Iterator[str]:
    oauth, sigv4 = endpoint.oauth, endpoint.sigv4
    if endpoint.bearer is None and oauth is None and sigv4 is None:
        yield from _NO_AUTH
        return
    yield "    auth:"
    if endpoint.bearer is not None:
        yield f"      bearer: {scalar(endpoint.bearer)}"
    if oauth is not None:
        yield "      oauth:"
        given = ("token_url", "client_id", "client_secret", "scope", "resource")
        yield from (f"        {name}: {scalar(value)}" for name in given if (value := getattr(oauth, name)) is not None)
        if oauth.client_auth is not ClientAuth.BASIC:
            yield f"        client_auth: {oauth.client_auth.value}"
    if sigv4 is not None and sigv4.service is not None and sigv4.region is not None:
        yield "      sigv4:"
        yield f"        service: {scalar(sigv4.service)}"
        yield f"        region: {scalar(sigv4.region)}"
    elif sigv4 is not None:
        yield "      sigv4: true"
    if endpoint.token_header != values.AUTHORIZATION:
        yield f"      token_header: {scalar(endpoint.token_header)}"


def _expected_tools(tools: Sequence[Tool]) -> Iterator[str]:
    names = list(dict.fromkeys(tool.name for tool in tools))[:_MOST_TOOLS]
    if not names:
        yield "    # expected_tools: [search]"
        return
    yield "    # The endpoint is degraded when one of these is missing:"
    yield "    expected_tools:"
    yield from (f"      - {scalar(name)}" for name in names)


def _sentinel(tools: Sequence[Tool]) -> Iterator[str]:
    chosen = _safest(tools)
    yield "    # A sentinel is called on every probe. Choose a tool that is safe to repeat and costs little:"
    yield "    # sentinels:"
    yield f"    #   - tool: {scalar(chosen.name if chosen else 'search')}"
    arguments = _arguments(chosen) if chosen else {"query": "text"}
    if arguments:
        yield f"    #     arguments: {json.dumps(arguments)}"
    yield "    #     expect: {text: part of the answer}"
    if chosen is None or not chosen.is_read_only:
        yield "    #     safe_to_repeat: true  # your word: the server does not mark it as read-only"
    if chosen is not None:
        yield f"    #     pinned: {scalar(fingerprint_of(chosen.raw))}  # once the tool changes, it is no longer called"


def _network(report: ProbeReport, endpoint: Endpoint) -> Iterator[str]:
    if endpoint.oauth is not None and endpoint.oauth.token_url.lower().startswith("http:"):
        yield "# The token endpoint is asked in plain text, which is for private networks alone:"
        yield "network:"
        yield "  allow_private: true"
        yield ""
        return
    address = next((each.remote_address for each in report.exchanges if each.remote_address), None)
    network = _private_network(address) if address else None
    if network is not None:
        yield "# The server has a private address, which is probed only when it is allowed here:"
        yield "network:"
        yield f"  allow_cidrs: [{scalar(network)}]"
        yield ""


def _private_network(address: str) -> str | None:
    """The network of that address alone, where it is not a public one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return None if found.is_global else str(ipaddress.ip_network(found))


def _tools(report: ProbeReport) -> list[Tool]:
    """The tools whose names a configuration can hold."""
    listing = report.result("tools_list")
    found = all_tools_of(listing.exchanges if listing else ())
    return [tool for tool in found if _is_tool_name(tool.name)]


def _is_tool_name(name: str) -> bool:
    try:
        values.tool_name(name)
    except values.Refused:
        return False
    return True


def _safest(tools: Sequence[Tool]) -> Tool | None:
    """A tool that says it only reads, one without required arguments first; else one that takes none."""
    reading = [tool for tool in tools if tool.is_read_only]
    others = [tool for tool in tools if not tool.is_destructive and not _required(tool)]
    return next((tool for tool in (*(t for t in reading if not _required(t)), *reading, *others)), None)


def _required(tool: Tool) -> list[str]:
    schema = tool.raw.get("inputSchema")
    required = schema.get("required") if isinstance(schema, Mapping) else None
    return [name for name in required if isinstance(name, str)] if isinstance(required, list) else []


def _arguments(tool: Tool) -> dict[str, Any]:
    """A value of the right type for each required argument."""
    schema = tool.raw.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    described = properties if isinstance(properties, Mapping) else {}
    return {clean(name, 60): _example(described.get(name)) for name in _required(tool)[:20]}


def _example(described: Any) -> Any:
    kind = described.get("type") if isinstance(described, Mapping) else None
    return _EXAMPLES.get(kind, "text") if isinstance(kind, str) else "text"


def _name(report: ProbeReport, endpoint: Endpoint) -> str:
    """What the server calls itself, as the name of an endpoint; else its host."""
    for candidate in (report.opening.server_name or "", endpoint.name):
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", candidate).strip("-._")[:100]
        if name:
            return name
    return "endpoint"


def scalar(text: str) -> str:
    """One line of YAML that reads back as `text`; in quotes only where it needs them."""
    escaped = text.replace("${", "$${")
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./:-]*[A-Za-z0-9_/]", escaped) and yaml.safe_load(escaped) == escaped:
        return escaped
    return yaml.safe_dump(escaped, default_style='"', allow_unicode=True, width=math.inf).strip()
