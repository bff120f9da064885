"""The command that `lab` prints for a scenario: one that `check` takes, with all that its owner would give."""

import shlex

import pytest

from prober.cli.arguments import endpoint_from
from prober.cli.lab_commands import beyond_a_command, command_for
from prober.lab import SCENARIOS, Scenario
from tests.contract.command_lines import parsed

URL = "http://127.0.0.1:8000/mcp"
SHOWABLE = [each for each in SCENARIOS if "missing on purpose" not in beyond_a_command(each)]


@pytest.mark.parametrize("scenario", SHOWABLE, ids=lambda scenario: scenario.id)
def test_the_command_says_all_that_the_scenario_hints_at(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(command_for(scenario, scenario.address or URL))
    program = words.index("mcp-prober")
    for assignment in words[:program]:
        monkeypatch.setenv(*assignment.split("=", 1))

    options = parsed(words[program + 1 :])
    (address,) = options.targets
    endpoint = endpoint_from(options, address)

    hints = scenario.options
    assert [each.tool for each in endpoint.sentinels] == [each["tool"] for each in hints.get("sentinels", [])]
    assert [each.arguments for each in endpoint.sentinels] == [each["arguments"] for each in hints.get("sentinels", [])]
    assert [*endpoint.expected_tools] == hints.get("expected_tools", [])
    assert (endpoint.era, endpoint.transport) == (hints.get("era"), hints.get("transport"))
    assert endpoint.streaming is hints.get("streaming")
    assert [*endpoint.on_request] == hints.get("on_request", [])
    assert [*endpoint.browser_origins] == hints.get("browser_origins", [])
    assert endpoint.bearer == hints.get("bearer")
    assert (endpoint.oauth is not None, endpoint.sigv4 is not None) == ("oauth" in hints, "sigv4" in hints)
    assert endpoint.headers.keys() == hints.get("headers", {}).keys()
    assert options.profile == "full" or scenario.profile == "standard"


def test_secrets_stand_before_the_command_and_never_in_it() -> None:
    known = {each.id: each for each in SCENARIOS}
    line = command_for(known["auth-rejected"], URL)
    assert line.startswith("MCP_PROBER_LAB_AUTHORIZATION=")
    assert "--header Authorization=env:MCP_PROBER_LAB_AUTHORIZATION" in line
    signed = command_for(known["aws-iam-wrong-key"], URL)
    assert signed.startswith("AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=")
    assert "--sigv4 lambda/eu-west-1" in signed


def test_what_no_command_shows_is_said() -> None:
    known = {each.id: each for each in SCENARIOS}
    assert "changes with time" in beyond_a_command(known["flapping"])
    assert "of its sentinel in a configuration" in beyond_a_command(known["sentinel-changed"])
    assert "missing on purpose" in beyond_a_command(known["observer-impaired"])
    assert beyond_a_command(known["tools-empty"]) == ""
