"""The command line of `check` and `init`."""

import argparse
import re
from pathlib import Path

import pytest

from checks.costs import COSTS, TO_FIND
from checks.model import ClientAuth, Endpoint, Expectation, OAuth, OnRequest, Profile, Sentinel, SigV4
from checks.spec import Era, Transport
from prober.cli import check, main
from prober.cli.arguments import endpoint_from
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError

URL = "https://orders.example.com:8443/mcp"


OAUTH = (
    "--oauth-token-url", "https://l.example/", "--oauth-client-id", "a",
    "--oauth-client-secret", "env:PROBER_TEST_GONE",
)  # fmt: skip


def described(chosen: argparse.Namespace) -> Endpoint:
    (target,) = chosen.targets
    return endpoint_from(chosen, target)


def options(*words: str) -> argparse.Namespace:
    parser = Parser(prog="mcp-prober check")
    check.add_arguments(parser)
    return parser.parse_args([URL, *words])


def test_an_address_alone_is_enough() -> None:
    assert described(options()) == Endpoint(name="orders.example.com:8443", url=URL, timeout_s=15.0)


@pytest.mark.parametrize(("words", "seconds"), [([], 15), (["--profile", "full"], 60)])
def test_a_full_probe_has_more_time_by_default(words: list[str], seconds: float) -> None:
    parser = Parser(prog="mcp-prober check")
    check.add_arguments(parser)
    assert described(parser.parse_args([URL, *words])).timeout_s == seconds
    assert described(parser.parse_args([URL, *words, "--timeout", "7"])).timeout_s == 7


def test_the_help_of_check_says_what_each_profile_takes() -> None:
    parser = Parser(prog="mcp-prober check")
    check.add_arguments(parser)
    told = parser.format_help()
    for profile in Profile:
        most = max(each[profile].requests for each in COSTS.values()) + TO_FIND
        assert re.search(rf"^  {profile} +\d+ to {most}: ", told, re.MULTILINE)
    assert "Default --timeout: 60" in told
    assert max(len(line) for line in told.splitlines()) <= 80


def test_every_option_arrives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KEY", "k")
    token = tmp_path / "token"
    token.write_text("t")
    found = described(
        options(
            "--header", "X-Api-Key=env:KEY", "--header", "X-Tenant=a=b", "--bearer", f"file:{token}",
            "--transport", "sse", "--era", "handshake", "--timeout", "1m", "--insecure", "--streaming",
            "--expect-tool", "find", "--sentinel", "find", "--args", '{"id": 7}', "--sentinel", "list",
            "--expect", '{"at": {"$.n": 1}, "matches": "^a"}',
        )
    )  # fmt: skip
    assert found == Endpoint(
        name="orders.example.com:8443",
        url=URL,
        timeout_s=60.0,
        transport=Transport.SSE,
        era=Era.HANDSHAKE,
        expected_tools=("find",),
        sentinels=(
            Sentinel(tool="find", arguments={"id": 7}, safe_to_repeat=True),
            Sentinel(tool="list", expect=Expectation(at={"$.n": 1}, matches="^a"), safe_to_repeat=True),
        ),
        streaming=True,
        headers={"X-Api-Key": "env:KEY", "X-Tenant": "a=b"},
        bearer=f"file:{token}",
        verify_tls=False,
    )


def test_every_credential_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s")
    found = described(
        options(
            "--oauth-token-url", "https://login.example.com/token", "--oauth-client-id", "prober",
            "--oauth-client-secret", "env:SECRET", "--oauth-scope", "a b", "--oauth-resource", "https://a.example/",
            "--oauth-client-auth", "post",
            "--sigv4", "lambda/eu-west-1", "--token-header", "X-App-Token", "--header", "X-Api-Key=aws-ssm:/mcp/key",
            "--profile", "full", "--ask", "tasks", "--ask", "subscriptions", "--origin", "https://App.example.com",
        )
    )  # fmt: skip
    assert found == Endpoint(
        name="orders.example.com:8443",
        url=URL,
        timeout_s=60.0,
        oauth=OAuth(
            token_url="https://login.example.com/token",
            client_id="prober",
            client_secret="env:SECRET",
            scope="a b",
            resource="https://a.example/",
            client_auth=ClientAuth.POST,
        ),
        sigv4=SigV4(service="lambda", region="eu-west-1"),
        token_header="X-App-Token",
        headers={"X-Api-Key": "aws-ssm:/mcp/key"},
        on_request=(OnRequest.TASKS, OnRequest.SUBSCRIPTIONS),
        browser_origins=("https://app.example.com",),
    )


def test_a_function_url_tells_what_to_sign_for_and_the_url_stands_before_the_option() -> None:
    parser = Parser(prog="mcp-prober check")
    check.add_arguments(parser)
    url = "https://abc123.lambda-url.eu-central-1.on.aws/mcp"
    assert described(parser.parse_args([url, "--sigv4"])).sigv4 == SigV4()
    assert described(parser.parse_args(["--sigv4", "--insecure", url])).sigv4 == SigV4()
    with pytest.raises(SystemExit):
        parser.parse_args(["--sigv4", url])


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("mcp.example/mcp", "mcp.example/mcp has no scheme", "did you mean https://mcp.example/mcp?"),
        ("localhost:8080/mcp", "localhost:8080/mcp has no scheme", "did you mean http://localhost:8080/mcp?"),
        ("ftp://mcp.example/", "URL ftp://mcp.example/ is not an http or https URL", "such as https://"),
        ("http://a b/", "URL http://a b/ is not a URL", "such as https://"),
        ("orders", "URL is not an http or https URL", "add --config FILE"),
        ("https://ada:hunter2@mcp.example/", "URL holds credentials", "by reference"),
        ("mcp.example/mcp?key=hunter2", "URL is not an http or https URL", "such as https://"),
        (f"{'hunter2' * 10}.{'x' * 70}", "URL is not an http or https URL", "such as https://"),
    ],
)
def test_an_address_that_cannot_be_meant_is_named_with_the_one_that_may_be(
    written: str, message: str, hint: str
) -> None:
    with pytest.raises(CommandError) as refusal:
        described(argparse.Namespace(**{**vars(options()), "targets": [written]}))
    assert refusal.value.message.startswith(message)
    assert hint in refusal.value.hint
    assert "hunter2" not in refusal.value.message + refusal.value.hint


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--header", "X-Api-Key"], "--header wants NAME=REF"),
        (["--header", "X-Api-Key=hunter2"], "--header X-Api-Key: is a secret written out"),
        (["--header", "Host=a"], "--header Host: is a header that the prober sets itself"),
        (["--header", "Traceparent=a"], "--header Traceparent: is a header that the prober sets itself"),
        (["--header", "X-A=1", "--header", "X-A=2"], "--header X-A is given twice"),
        (["--header", "X-A=1", "--header", "x-a=2"], "--header x-a: is the same header as X-A"),
        (["--bearer", "hunter2"], "--bearer is not a reference to a secret"),
        (["--bearer", "env:PROBER_TEST_GONE"], "env:PROBER_TEST_GONE is not set"),
        (["--bearer", "env:A", "--header", "authorization=env:A"], "--bearer and --header both give Authorization"),
        (["--sigv4=lambda/eu-west-1", "--header", "authorization=env:A"], "--sigv4 and --header both give Authoriz"),
        (
            ["--token-header", "X-T", "--bearer", "env:A", "--header", "x-t=env:A"],
            "--bearer and --header both give X-T",
        ),
        (["--sigv4"], "--sigv4: the address cannot be signed for"),
        (["--sigv4", "lambda"], "--sigv4 wants SERVICE/REGION"),
        (["--sigv4", "/eu-west-1"], "--sigv4 wants SERVICE/REGION"),
        (["--sigv4", "lambda/EU"], "--sigv4 is not the name of an AWS service or region"),
        (["--sigv4=lambda/eu-west-1", "--bearer", "env:A"], "--sigv4 needs the Authorization header"),
        (["--token-header", "X-T"], "--token-header is given, but no token"),
        (["--token-header", "Host", "--bearer", "env:A"], "--token-header is a header that the prober sets itself"),
        (["--oauth-token-url", "https://l.example/"], "--oauth-client-id is missing"),
        (["--oauth-scope", "read"], "--oauth-token-url is missing"),
        (["--oauth-client-auth", "post"], "--oauth-token-url is missing"),
        ([*OAUTH[:-1], "hunter2"], "--oauth-client-secret is not a reference to a secret"),
        ([*OAUTH], "env:PROBER_TEST_GONE is not set"),
        ([*OAUTH, "--bearer", "env:A"], "--bearer and --oauth-token-url both give the token"),
        (["--bearer", "aws-sm:orders"], "--bearer is not a reference to a secret"),
        (["--ask", "tasks"], "--ask and --origin are for the full profile"),
        (["--profile", "full", "--origin", "https://a.example/x"], "--origin is not an origin"),
        (["--timeout", "soon"], "--timeout is not a duration"),
        (["--timeout", "0"], "--timeout is out of range"),
        (["--timeout", "1h"], "--timeout is out of range"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_repeating_a_secret(words: list[str], message: str) -> None:
    with pytest.raises(CommandError) as refusal:
        described(options(*words))
    said = " ".join((refusal.value.message, refusal.value.hint))
    assert message in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--args", "{}"], "--args stands after the --sentinel"),
        (["--sentinel", "a", "--args", "{}", "--args", "{}"], "--args is given twice for the sentinel a"),
        (["--sentinel", "a", "--args", "{"], "--args is not JSON"),
        (["--sentinel", "a", "--args", "[1]"], "--args is not a JSON object"),
        (["--sentinel", "a", "--args", '{"a": NaN}'], "NaN is no JSON number"),
        (["--sentinel", "a", "--args", '{"a": 1e999}'], "1e999 is no JSON number"),
        (["--sentinel", "a", "--args", "[" * 100_000], "--args is not JSON"),
        (["--expect", "{}"], "--expect stands after the --sentinel"),
        (["--sentinel", "a", "--expect", "{}", "--expect", "{}"], "--expect is given twice for the sentinel a"),
        (["--sentinel", "a", "--expect", '{"tex": "x"}'], "--expect: tex: is not a known key (did you mean text?)"),
        (["--sentinel", "a", "--expect", '{"matches": "("}'], "--expect: matches: is no regular expression"),
        (["--sentinel", "a", "--expect", "7"], "--expect is not a JSON object"),
        (["--ask", "everything"], "invalid choice: 'everything'"),
        (["--trans", "sse"], "unrecognized arguments"),
        (["--transport", "http"], "invalid choice: 'http'"),
    ],
)
def test_usage_errors_end_with_2_and_the_way_to_the_help(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options(*words)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("mcp-prober: error: ")
    assert message in said.err
    assert "see: mcp-prober check --help" in said.err


@pytest.mark.parametrize("option", ["--sentinel", "--expect-tool", "--expect-version"])
@pytest.mark.parametrize("unset", ["", " "])
def test_a_variable_that_is_not_set_neither_passes_nor_fails(
    option: str, unset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", URL, option, unset]) == 2
    assert f"{option} is " in capsys.readouterr().err
