"""Which endpoints a check asks, and what it refuses to guess."""

from pathlib import Path

import pytest

from checks.model import Endpoint
from prober.cli.errors import CommandError
from prober.cli.selection import Selection, selection_from
from tests.contract.command_lines import parsed

FILE = """\
endpoints:
  - {name: orders, url: "https://orders.example.com/mcp", labels: {team: pay, stage: prod}, timeout: 20s}
  - {name: search, url: "https://search.example.com/mcp", labels: {team: find, stage: prod}, expected_tools: [find]}
  - {name: old, url: "https://old.example.com/mcp", labels: {team: pay}, enabled: false}
network: {allow_private: true}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "prober.yaml"
    path.write_text(FILE)
    return str(path)


def chosen(*words: str) -> Selection:
    return selection_from(parsed(["check", *words]))


def names(*words: str) -> list[str]:
    return [each.name for each in chosen(*words).endpoints]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--all"], ["orders", "search"]),
        (["--label", "team=pay"], ["orders"]),
        (["--label", "stage=prod"], ["orders", "search"]),
        (["--label", "stage=prod", "--label", "team=find"], ["search"]),
        (["search", "orders", "search"], ["search", "orders"]),
        (["old"], ["old"]),
    ],
)
def test_a_configuration_is_chosen_from_by_name_and_label(file: str, words: list[str], found: list[str]) -> None:
    assert names("--config", file, *words) == found


def test_the_rules_of_the_file_come_along_and_what_is_asked_for_is_added(file: str) -> None:
    found = chosen("--config", file, "--all", "--expect-tool", "pay", "--timeout", "5")
    assert found.settings is not None
    assert found.settings.network.allow_private
    assert [(each.timeout_s, each.expected_tools) for each in found.endpoints] == [(5, ("pay",)), (5, ("find", "pay"))]
    assert chosen("--config", file, "orders").endpoints[0].timeout_s == 20


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "three ways to choose"),
        (["orders", "--all"], "three ways to choose"),
        (["--label", "team=nobody"], "no endpoint of"),
        (["--label", "team"], "--label wants KEY=VALUE"),
        (["--label", "team=pay", "--label", "team=find"], "no endpoint of"),
        (["orders", "--expect-tool", ""], "--expect-tool is not the name of a tool"),
        (["ordres"], "has no endpoint ordres"),
        (["orders", "--bearer", "env:A"], "--bearer: the configuration describes"),
        (["orders", "--era", "stateless"], "--era: the configuration describes"),
        (["orders", "--no-streaming"], "--streaming: the configuration describes"),
        (["orders", "--insecure", "--header", "A=b"], "--header and --insecure: the"),
    ],
)
def test_a_choice_that_says_nothing_or_two_things_is_refused(file: str, words: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        chosen("--config", file, *words)


@pytest.mark.parametrize("words", [[], ["--all"], ["--label", "a=b", "https://a.example/mcp"]])
def test_without_a_configuration_only_addresses_are_asked(words: list[str]) -> None:
    with pytest.raises(CommandError):
        chosen(*words)


def test_a_broken_configuration_names_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "prober.yaml"
    path.write_text("endpoints: [{name: a}]")
    with pytest.raises(CommandError) as refused:
        chosen("--config", str(path), "--all")
    assert any("url" in each for each in refused.value.details)


def test_several_addresses_on_one_host_are_told_apart() -> None:
    addresses = ["https://a.example/one", "https://a.example/two", "https://b.example/mcp", "https://a.example/one"]
    assert names(*addresses) == [
        "a.example/one", "a.example/two", "b.example",
    ]  # fmt: skip


def test_one_credential_goes_to_one_server_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "t")
    one: tuple[Endpoint, ...] = chosen("https://a.example/1", "https://a.example/2", "--bearer", "env:TOKEN").endpoints
    assert [each.bearer for each in one] == ["env:TOKEN", "env:TOKEN"]
    with pytest.raises(CommandError, match="credentials would go to several servers"):
        chosen("https://a.example/1", "https://b.example/2", "--bearer", "env:TOKEN")
