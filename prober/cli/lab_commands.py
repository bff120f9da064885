"""The command that shows what a scenario of the lab is, with the credentials and options that its owner would give."""

import json
import shlex
from collections.abc import Iterator

from checks.credentials import names_credential
from prober.lab import Scenario
from prober.lab.credentials import AWS_ENVIRONMENT, ENVIRONMENT
from prober.lab.scenario import EndpointHints
from prober.secrets.references import is_reference

_ONLY_CONFIGURED = ("protocol_version", "client_timeout", "slow_after")


def command_for(scenario: Scenario, url: str) -> str:
    """One line for a shell. The secrets before it are those of the lab, which protect nothing."""
    options = scenario.options_at(url)
    words = ["mcp-prober", "check", url, *_profile(scenario), *_questions(options), *_credentials(options)]
    secrets = [f"{name}={shlex.quote(value)}" for name, value in _environment(options).items()]
    return " ".join([*secrets, *map(shlex.quote, words)])


def beyond_a_command(scenario: Scenario) -> str:
    """Why the command alone does not give the verdict of the scenario, or an empty text."""
    configured = [f"`{name}: {value}`" for name, value in scenario.options.items() if name in _ONLY_CONFIGURED]
    pinned = [f"`pinned: {each['pinned']}`" for each in scenario.options.get("sentinels", []) if "pinned" in each]
    configured += [f"{each} of its sentinel" for each in pinned]
    if configured:
        return f"wants {' and '.join(configured)} in a configuration"
    if scenario.history:
        return "wants a monitor with a past"
    if not scenario.steady:
        return "changes with time"
    if any(is_reference(value) for value in scenario.options.get("headers", {}).values()):
        return "its secret is missing on purpose: exit code 2 at the prompt, and `unknown` in a monitor"
    return ""


def _profile(scenario: Scenario) -> list[str]:
    wants_full = scenario.profile == "full" or {"on_request", "browser_origins"} & scenario.options.keys()
    return ["--profile", "full"] if wants_full else []


def _questions(options: EndpointHints) -> Iterator[str]:
    for sentinel in options.get("sentinels", []):
        yield from ("--sentinel", sentinel["tool"], "--args", _json(sentinel["arguments"]))
        if sentinel["expect"]:
            yield from ("--expect", _json(sentinel["expect"]))
    for tool in options.get("expected_tools", []):
        yield from ("--expect-tool", tool)
    for asked in options.get("on_request", []):
        yield from ("--ask", asked)
    for origin in options.get("browser_origins", []):
        yield from ("--origin", origin)
    if "streaming" in options:
        yield "--streaming" if options["streaming"] else "--no-streaming"
    if "era" in options:
        yield from ("--era", options["era"])
    if "transport" in options:
        yield from ("--transport", options["transport"])
    if "timeout_s" in options:
        yield from ("--timeout", f"{options['timeout_s']:g}")


def _credentials(options: EndpointHints) -> Iterator[str]:
    for name, value in options.get("headers", {}).items():
        yield from ("--header", f"{name}=env:{_variable(name)}" if _is_bare(name, value) else f"{name}={value}")
    if "bearer" in options:
        yield from ("--bearer", options["bearer"])
    if "token_header" in options:
        yield from ("--token-header", options["token_header"])
    if "oauth" in options:
        oauth = options["oauth"]
        yield from ("--oauth-token-url", oauth["token_url"], "--oauth-client-id", oauth["client_id"])
        yield from ("--oauth-client-secret", oauth["client_secret"])
    if "sigv4" in options:
        yield from ("--sigv4", f"{options['sigv4']['service']}/{options['sigv4']['region']}")


def _environment(options: EndpointHints) -> dict[str, str]:
    """What the command refers to."""
    bare = {_variable(name): value for name, value in options.get("headers", {}).items() if _is_bare(name, value)}
    written = (options.get("bearer", ""), options["oauth"]["client_secret"] if "oauth" in options else "")
    named = {name: value for name, value in ENVIRONMENT.items() if f"env:{name}" in written}
    return {**bare, **named, **(AWS_ENVIRONMENT if "sigv4" in options else {})}


def _is_bare(header: str, value: str) -> bool:
    """Whether a header's value is a credential, which the prober takes by reference alone."""
    return names_credential(header) and not is_reference(value)


def _variable(header: str) -> str:
    return f"MCP_PROBER_LAB_{header.upper().replace('-', '_')}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
