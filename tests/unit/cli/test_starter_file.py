"""The file that `init` writes: it says what was found, and it can always be used."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checks.inventory import fingerprint_of
from checks.model import ClientAuth, Endpoint, OAuth, ProbeReport, SigV4
from checks.spec import Transport
from prober.cli.starter_file import scalar, starter_file
from prober.settings import Settings, parse
from prober.settings.document import read

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mcp/x-AbCdEf#key"
Listed = Callable[..., ProbeReport]


def tool(name: Any, required: Any = (), **annotations: bool) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": list(required)}
    return {"name": name, "inputSchema": schema, "annotations": annotations}


def settings(text: str) -> Settings:
    return parse(text.encode(), "prober.yaml", {})


def uncommented(text: str) -> Settings:
    """The settings with the proposed sentinel switched on."""
    before, heading, after = text.partition("    # sentinels:\n")
    proposed, rest, after = after.partition("    # true: ")
    return settings(before + heading.replace("# ", "") + proposed.replace("    # ", "    ") + rest + after)


def test_it_watches_the_endpoint_as_it_was_found(lists_tools: Listed, endpoint: Endpoint) -> None:
    text = starter_file(lists_tools(tool("find"), tool("list", readOnlyHint=True)), endpoint)
    (found,) = settings(text).endpoints
    assert found == Endpoint(
        name="orders", url=endpoint.url, interval_s=60.0, timeout_s=10.0, expected_tools=("find", "list")
    )
    assert "# Found: 2026-07-28 over streamable-http, stateless era." in text
    assert "network" not in text


@pytest.mark.parametrize("key", ["auth", "full_every", "on_request", "browser_origins", "secrets", "limits"])
def test_every_hint_can_be_used_as_it_stands(lists_tools: Listed, endpoint: Endpoint, key: str) -> None:
    at_lambda = replace(endpoint, url="https://abc123.lambda-url.eu-central-1.on.aws/mcp")
    text = starter_file(lists_tools(tool("find")), at_lambda)
    hints = re.findall(rf"^ *# {key}: .*$", text, re.MULTILINE)
    assert hints
    for hint in hints:
        assert settings(text.replace(hint, hint.replace("# ", ""))) != settings(text) or hint.endswith("1d")


@pytest.mark.parametrize(("timeout_s", "interval_s"), [(0.5, 60.0), (30.0, 60.0), (300.0, 300.0)])
def test_the_timeout_that_was_given_is_written_and_the_interval_has_room_for_it(
    lists_tools: Listed, endpoint: Endpoint, timeout_s: float, interval_s: float
) -> None:
    (found,) = settings(starter_file(lists_tools(tool("find")), replace(endpoint, timeout_s=timeout_s))).endpoints
    assert (found.timeout_s, found.interval_s) == (timeout_s, interval_s)


def test_what_the_command_line_pinned_is_written(lists_tools: Listed, endpoint: Endpoint) -> None:
    pinned = replace(
        endpoint,
        transport=Transport.STREAMABLE_HTTP,
        verify_tls=False,
        headers={"X-Api-Key": "env:KEY", "X-Odd": "a: b # ${c} 'd'"},
        bearer="file:/run/secrets/token",
    )
    (found,) = settings(starter_file(lists_tools(tool("find")), pinned)).endpoints
    assert (found.transport, found.verify_tls, found.bearer) == (
        Transport.STREAMABLE_HTTP, False, "file:/run/secrets/token",
    )  # fmt: skip
    assert found.headers == pinned.headers


@pytest.mark.parametrize(
    "credentials",
    [
        {"sigv4": SigV4()},
        {"sigv4": SigV4(service="lambda", region="eu-west-1"), "bearer": "env:T", "token_header": "X-App-Token"},
        {"oauth": OAuth(token_url="https://l.example/t", client_id="a: b", client_secret="aws-sm:" + ARN, scope="a b")},
        {"oauth": OAuth(token_url="http://l.example/t", client_id="a", client_secret="env:S", resource="https://r/")},
        {"oauth": OAuth(token_url="https://l/t", client_id="a", client_secret="env:S", client_auth=ClientAuth.POST)},
    ],
)
def test_the_credentials_of_the_command_line_are_written(
    lists_tools: Listed, endpoint: Endpoint, credentials: dict[str, Any]
) -> None:
    url = "https://abc.lambda-url.eu-central-1.on.aws/mcp"
    given = replace(endpoint, url=url, **credentials)
    (found,) = settings(starter_file(lists_tools(tool("find")), given)).endpoints
    for name in ("bearer", "oauth", "sigv4", "token_header"):
        assert getattr(found, name) == getattr(given, name)


@pytest.mark.parametrize(
    ("address", "network"),
    [("127.0.0.1", "127.0.0.1/32"), ("10.1.2.3", "10.1.2.3/32"), ("::1", "::1/128"), ("fd00::1%eth0", "fd00::1/128")],
)
def test_a_private_address_is_allowed_in_the_file(
    lists_tools: Listed, endpoint: Endpoint, address: str, network: str
) -> None:
    found = settings(starter_file(lists_tools(tool("find"), address=address), endpoint))
    assert found.network.allow_cidrs == (network,)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1", "no address"])
def test_a_public_address_needs_no_permission(lists_tools: Listed, endpoint: Endpoint, address: str) -> None:
    found = settings(starter_file(lists_tools(tool("find"), address=address), endpoint))
    assert found.network.allow_cidrs == ()


def test_the_sentinel_is_only_proposed(lists_tools: Listed, endpoint: Endpoint) -> None:
    text = starter_file(lists_tools(tool("find", readOnlyHint=True)), endpoint)
    assert settings(text).endpoints[0].sentinels == ()
    (sentinel,) = uncommented(text).endpoints[0].sentinels
    assert sentinel.tool == "find"


@pytest.mark.parametrize(
    ("tools", "chosen", "arguments"),
    [
        ([tool("wipe"), tool("get", ["id"], readOnlyHint=True), tool("ping", readOnlyHint=True)], "ping", {}),
        ([tool("now"), tool("get", ["id"], readOnlyHint=True)], "get", {"id": 1}),
        ([tool("add", ["id"]), tool("wipe", destructiveHint=True), tool("now")], "now", {}),
        ([tool("add", ["id"]), tool("wipe", destructiveHint=True)], "search", {"query": "text"}),
        ([], "search", {"query": "text"}),
    ],
)
def test_the_proposed_sentinel_is_the_one_that_can_do_least_harm(
    lists_tools: Listed, endpoint: Endpoint, tools: list[dict[str, Any]], chosen: str, arguments: dict[str, Any]
) -> None:
    (sentinel,) = uncommented(starter_file(lists_tools(*tools), endpoint)).endpoints[0].sentinels
    assert (sentinel.tool, sentinel.arguments) == (chosen, arguments)
    found = next((each for each in tools if each["name"] == chosen), None)
    assert sentinel.pinned == (None if found is None else fingerprint_of(found))
    assert sentinel.safe_to_repeat is (found is None or not found["annotations"].get("readOnlyHint", False))


NASTY = [
    "a\n  - evil: true", "${HOME}", "$${x}", "#", "'", '"', "yes", "null", "1.5", "2025-06-18", "a: b", "- a", "*a",
    "&a", "{a}", "\u2028x", "\x1b[2J", "\u202ex", "\ud800", "x" * 300, " ", "", "é", "名前", "🙂", "a\u0085b", "%",
    "@", "`", "!a",
]  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
def test_no_name_of_a_tool_or_server_can_break_the_file(lists_tools: Listed, endpoint: Endpoint, name: str) -> None:
    hostile = {
        "name": name,
        "inputSchema": {"properties": [], "required": [name, 5]},
        "annotations": {"readOnlyHint": True},
    }
    text = starter_file(lists_tools(hostile, tool("find"), server=name), endpoint)
    found = settings(text).endpoints
    assert [each.url for each in found] == [endpoint.url]
    assert found[0].expected_tools in ((name, "find"), ("find",))
    text.encode("utf-8")


@pytest.mark.parametrize("text", [each for each in NASTY if each.isprintable() and each])
def test_a_scalar_reads_back_as_it_was(text: str) -> None:
    line = scalar(text)
    assert "\n" not in line
    assert read(f"key: {line}".encode(), "prober.yaml", {}).data == {"key": text}


FOUND: tuple[tuple[dict[str, Any], ...], ...] = (
    (),
    (tool("find"),),
    (tool("list", readOnlyHint=True), tool("add", ["id"])),
)


@pytest.mark.parametrize("tools", FOUND, ids=len)
def test_the_file_loads_without_its_comments_as_it_does_with_them(
    lists_tools: Listed, endpoint: Endpoint, tools: tuple[dict[str, Any], ...]
) -> None:
    text = starter_file(lists_tools(*tools, address="10.1.2.3"), endpoint)
    bare = "".join(line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("#"))
    assert bare != text
    assert settings(bare) == settings(text)


def test_the_proposed_notifiers_can_be_switched_on_together(lists_tools: Listed, endpoint: Endpoint) -> None:
    text = starter_file(lists_tools(tool("find")), endpoint)
    heading = "# notifiers:\n"
    before, _, after = text.partition(heading)
    proposed, rest, after = after.partition("\n\n")
    switched_on = f"{heading}{proposed}".replace("# ", "").replace("\n#", "\n")
    found = settings(before + switched_on + rest + after).notifiers
    assert [(each.name, each.kind) for each in found] == [("team", "slack"), ("on-call", "sns")]
    assert settings(text).notifiers == ()


def test_the_file_stays_readable(lists_tools: Listed, endpoint: Endpoint) -> None:
    text = starter_file(lists_tools(tool("find")), endpoint)
    assert "  - name: orders\n" in text
    assert "      - find\n" in text
