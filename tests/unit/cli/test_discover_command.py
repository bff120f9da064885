"""What `discover` says before it asks anything, and how it prints what was found."""

import json
from dataclasses import replace

import pytest
import yaml

from prober.cli import discover, main
from prober.endpoints.aws_asking import Unseen
from prober.endpoints.aws_discovery import Discovery, Server


def server(function: str, door: str = "Function URL", **named: object) -> Server:
    given = {"url": f"https://{function}.example/mcp", "guessed": True, "region": "eu-central-1", **named}
    return Server(function=function, door=door, **given)


def discovery(*servers: Server, unseen: tuple[Unseen, ...] = ()) -> Discovery:
    return Discovery(region="eu-central-1", servers=servers, findings=(), unseen=unseen)


def test_the_policy_is_printed_without_a_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover", "--region", "eu-central-1", "--policy"]) == 0
    policy = json.loads(capsys.readouterr().out)
    assert "lambda:ListFunctions" in policy["Statement"][0]["Action"]
    assert all(each["Effect"] == "Allow" for each in policy["Statement"])


def test_the_policy_is_for_every_region_where_none_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert main(["discover", "--policy"]) == 0
    assert "lambda:ListFunctions" in capsys.readouterr().out
    assert main(["discover"]) == 2
    assert "no Region is named" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--tag", "=x"], ["--region", "nowhere!"], ["--name", ""]])
def test_what_cannot_be_meant_is_refused(words: list[str]) -> None:
    assert main(["discover", "--region", "eu-central-1", *words]) == 2


def test_a_configuration_names_each_endpoint_once_and_prefers_what_clients_use() -> None:
    text = discover.configuration_text(
        [discovery(server("a"), server("a"), server("b", "CloudFront"), server("b", signed=True), server("c: ${x}"))]
    )
    endpoints = yaml.safe_load(text)["endpoints"]
    assert [each["name"] for each in endpoints] == ["a", "a-2", "b", "c-x"]
    assert all("auth" not in each for each in endpoints)
    assert endpoints[0]["labels"] == {"function": "a", "region": "eu-central-1"}


def test_a_signed_endpoint_is_configured_to_sign() -> None:
    (endpoint,) = yaml.safe_load(discover.configuration_text([discovery(server("a", signed=True))]))["endpoints"]
    assert endpoint["auth"] == {"sigv4": True}


def test_what_was_not_seen_stands_in_comments_of_the_configuration_and_in_the_text() -> None:
    one = discovery(unseen=(Unseen("lambda:GetPolicy", "may not be asked (AccessDenied)", "lambda:GetPolicy"),))
    assert yaml.safe_load(discover.configuration_text([one])) == {"endpoints": []}
    said = discover.plain_text([one])
    assert "not seen: lambda:GetPolicy: may not be asked" in said
    assert '"lambda:GetPolicy"' in said


def test_functions_beyond_the_limit_were_not_looked_at() -> None:
    one = Discovery(region="eu-central-1", servers=(server("a"),), findings=(), unseen=(), skipped=1)
    assert "1 function beyond the first" in discover.plain_text([one])
    assert discover.outcome([one], strict=False) == 3
    assert discover.outcome([discovery(server("a"))], strict=False) == 0


def test_a_region_that_was_not_looked_at_is_named_with_its_reason_in_every_form() -> None:
    why = "AWS refuses the credentials of this process (UnrecognizedClientException)"
    away = Discovery(region="me-south-1", servers=(), findings=(), unseen=(), failed=why)
    found = [away, discovery(server("a"))]
    said = discover.plain_text(found)
    assert f"me-south-1: not looked at: {why}" in said
    assert "https://a.example/mcp" in said
    text = discover.configuration_text(found)
    assert f"# me-south-1: not looked at: {why}" in text
    assert [each["name"] for each in yaml.safe_load(text)["endpoints"]] == ["a"]
    assert [each["failed"] for each in json.loads(discover.as_document(found))["regions"]] == [why, None]
    assert discover.outcome(found, strict=False) == 3


def test_what_several_regions_deny_is_allowed_by_one_policy() -> None:
    denied = (Unseen("lambda:GetPolicy", "may not be asked (AccessDenied)", "lambda:GetPolicy"),)
    found = [replace(discovery(unseen=denied), region=region) for region in ("eu-central-1", "eu-west-1")]
    said = discover.plain_text(found)
    assert said.startswith("No MCP server was found in what could be looked at.\n")
    assert said.count("not seen: lambda:GetPolicy") == 2
    assert said.count('"Statement"') == 1
    assert said.endswith("0 addresses: no findings; not all was seen of eu-central-1, eu-west-1")


def test_an_account_that_was_seen_in_full_says_nothing_of_what_was_not() -> None:
    said = discover.plain_text([discovery()])
    assert said.startswith("No MCP server was found; --all shows every function with an address.\n")
    assert said.endswith("\n0 addresses: no findings")
    assert "not seen" not in said
