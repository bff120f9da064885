"""Credentials, secrets and limits in the file: what they become, and what is said about those that cannot be meant."""

import json
from dataclasses import fields
from typing import Any

import jsonschema
import pytest
import yaml

from checks.model import ClientAuth, Endpoint, OAuth, OnRequest, SigV4
from prober.limits import BOUNDS, Limits
from prober.secrets.allowance import Allowed, AllowList
from prober.settings import ConfigError, Settings, json_schema, parse

FUNCTION_URL = "https://abc123.lambda-url.eu-central-1.on.aws/mcp"
OAUTH = "token_url: https://login.example.com/token, client_id: prober, client_secret: env:SECRET"


def settings(text: str) -> Settings:
    return parse(text.encode(), "prober.yaml", {})


def endpoint(keys: str, url: str = "https://a.example/mcp", rest: str = "") -> Endpoint:
    (found,) = settings(f"endpoints:\n- {{name: a, url: '{url}', {keys}}}\n{rest}").endpoints
    return found


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        settings(text)
    return [f"{each.place.removeprefix('prober.yaml:')} {each.message}" for each in refusal.value.problems]


def problems_of(keys: str, url: str = "https://a.example/mcp", rest: str = "") -> list[str]:
    return problems(f"endpoints:\n- {{name: a, url: '{url}', {keys}}}\n{rest}")


def test_a_token_from_a_token_endpoint() -> None:
    assert endpoint(f"auth: {{oauth: {{{OAUTH}}}}}").oauth == OAuth(
        token_url="https://login.example.com/token", client_id="prober", client_secret="env:SECRET"
    )
    full = f"auth: {{oauth: {{{OAUTH}, scope: 'a b', resource: 'https://a.example/', client_auth: post}}}}"
    assert endpoint(full).oauth == OAuth(
        token_url="https://login.example.com/token",
        client_id="prober",
        client_secret="env:SECRET",
        scope="a b",
        resource="https://a.example/",
        client_auth=ClientAuth.POST,
    )


def test_a_signature_whose_scope_the_host_tells_or_the_file() -> None:
    assert endpoint("auth: {sigv4: true}", FUNCTION_URL).sigv4 == SigV4()
    named = endpoint("auth: {sigv4: {service: lambda, region: eu-west-1}}")
    assert named.sigv4 == SigV4(service="lambda", region="eu-west-1")
    assert endpoint("auth: {bearer: 'env:T', sigv4: false}").sigv4 is None


def test_a_token_beside_a_signature_has_a_header_of_its_own() -> None:
    found = endpoint("auth: {sigv4: true, bearer: 'env:T', token_header: X-App-Token}", FUNCTION_URL)
    assert (found.sigv4, found.bearer, found.token_header) == (SigV4(), "env:T", "X-App-Token")
    assert endpoint("auth: {bearer: 'env:T'}").token_header == "Authorization"


def test_what_the_full_profile_asks_and_how_often() -> None:
    found = endpoint(
        "on_request: [tasks, subscriptions, tasks], full_every: 6h, "
        "browser_origins: ['https://App.Example.com:443/', 'http://localhost:3000']"
    )
    assert found.on_request == (OnRequest.TASKS, OnRequest.SUBSCRIPTIONS)
    assert found.browser_origins == ("https://app.example.com", "http://localhost:3000")
    assert found.full_every_s == 6 * 3600
    assert endpoint("full_every: never").full_every_s is None
    assert endpoint("enabled: true").full_every_s == 86_400
    assert endpoint("enabled: true", rest="defaults: {full_every: never}").full_every_s is None
    assert endpoint("full_every: 2h", rest="defaults: {full_every: never}").full_every_s == 7200


NO_ROOM = "2 endpoints[0].auth: sigv4 needs the Authorization header for its signature, so that the token has no place"
TAKEN = "2 endpoints[0].auth: the {} header is given by headers too"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("auth: {}", "2 endpoints[0].auth: holds no credentials"),
        ("auth: {sigv4: false}", "2 endpoints[0].auth: holds no credentials"),
        (f"auth: {{bearer: 'env:T', oauth: {{{OAUTH}}}}}", "2 endpoints[0].auth: bearer and oauth both give the token"),
        ("auth: {sigv4: true, bearer: 'env:T'}", NO_ROOM),
        (f"auth: {{sigv4: true, oauth: {{{OAUTH}}}}}", NO_ROOM),
        ("auth: {sigv4: true, bearer: 'env:T', token_header: authorization}", NO_ROOM),
        ("auth: {token_header: X-T}", "2 endpoints[0].auth: token_header is given, but no token"),
        ("auth: {sigv4: true}, headers: {authorization: 'env:T'}", TAKEN.format("Authorization")),
        ("auth: {bearer: 'env:T', token_header: X-T}, headers: {x-t: 'env:U'}", TAKEN.format("X-T")),
        ("auth: {bearer: 'env:T', token_header: Host}", "2 endpoints[0].auth.token_header: is a header that the"),
        ("auth: {sigv4: lambda}", "2 endpoints[0].auth.sigv4: is neither true nor a mapping"),
        ("auth: {sigv4: {zone: x}}", "2 endpoints[0].auth.sigv4.zone: is not a known key"),
        ("auth: {sigv4: {service: 'a b'}}", "2 endpoints[0].auth.sigv4.service: is not the name of an AWS service"),
        ("auth: {oauth: {token_url: https://l.example/}}", "2 endpoints[0].auth.oauth.client_secret: is missing"),
        (f"auth: {{oauth: {{{OAUTH}, scope: ' a'}}}}", "2 endpoints[0].auth.oauth.scope: is not a scope"),
        (
            "auth: {oauth: {token_url: https://l.example/, client_id: p, client_secret: hunter2}}",
            "2 endpoints[0].auth.oauth.client_secret: is not a reference to a secret",
        ),
        ("on_request: [everything]", "2 endpoints[0].on_request[0]: must be 'tasks', 'subscriptions' or 'cold-starts'"),
        ("browser_origins: ['https://a.example/x']", "2 endpoints[0].browser_origins[0]: is not an origin: it has a"),
        ("browser_origins: ['null']", "2 endpoints[0].browser_origins[0]: is not an origin"),
        ("full_every: 5s", "2 endpoints[0].full_every: is out of range: 1 minute to 30 days, or never"),
        ("full_every: often", "2 endpoints[0].full_every: is not a duration"),
    ],
)
def test_credentials_that_cannot_be_meant_are_refused_in_words(keys: str, message: str) -> None:
    found = problems_of(keys, FUNCTION_URL)
    assert [each for each in found if each.startswith(message)], found


def test_a_host_that_tells_no_region_needs_it_named() -> None:
    message = "2 endpoints[0].auth.sigv4: the address cannot be signed for: its host name does not tell service and"
    for keys in ("auth: {sigv4: true}", "auth: {sigv4: {service: lambda}}"):
        (found,) = problems_of(keys, "https://mcp.example.com/mcp")
        assert found.startswith(message)


def test_a_client_secret_goes_over_https_unless_private_addresses_are_allowed() -> None:
    keys = f"auth: {{oauth: {{{OAUTH.replace('https', 'http')}}}}}"
    (found,) = problems_of(keys)
    assert found.startswith("2 endpoints[0].auth.oauth.token_url: is not an https URL")
    assert endpoint(keys, rest="network: {allow_private: true}").oauth is not None


def test_a_client_secret_may_go_over_http_to_a_network_that_is_allowed() -> None:
    keys = f"auth: {{oauth: {{{OAUTH.replace('https://login.example.com', 'http://127.0.0.1:8080')}}}}}"
    assert endpoint(keys, rest="network: {allow_cidrs: [127.0.0.0/8]}").oauth is not None
    for cidrs in ("[10.0.0.0/8]", "[nonsense, 5]", "7"):
        with pytest.raises(ConfigError, match="is not an https URL"):
            endpoint(keys, rest=f"network: {{allow_cidrs: {cidrs}}}")
    named = f"auth: {{oauth: {{{OAUTH.replace('https', 'http')}}}}}"
    assert endpoint(named, rest="network: {allow_cidrs: [10.0.0.0/8]}").oauth is not None, "the guard decides"


ALLOW = """\
secrets:
  allow:
    - env:MCP_*
    - {ref: env:ORDERS_TOKEN, origin: "https://Orders.example.com/"}
    - {ref: env:ORDERS_TOKEN, origin: "https://login.example.com"}
"""


def test_the_list_of_allowed_secrets_arrives() -> None:
    assert settings("endpoints: []").secrets is None
    assert settings(f"endpoints: []\n{ALLOW}").secrets == AllowList(
        (
            Allowed("env:MCP_*"),
            Allowed("env:ORDERS_TOKEN", "https://orders.example.com"),
            Allowed("env:ORDERS_TOKEN", "https://login.example.com"),
        )
    )


def test_every_reference_that_is_not_allowed_is_named_with_its_line() -> None:
    found = problems(
        ALLOW
        + """\
defaults:
  headers: {X-Common: env:COMMON}
database_url: file:/etc/database
notifiers:
  - kind: slack
    webhook: env:SLACK
endpoints:
  - name: orders
    url: https://orders.example.com/mcp
    auth: {bearer: env:ORDERS_TOKEN}
  - name: client
    url: https://orders.example.com/mcp
    auth:
      oauth:
        token_url: https://login.example.com/token
        client_id: prober
        client_secret: env:ORDERS_TOKEN
  - name: thief
    url: https://evil.example/mcp
    headers: {X-A: env:MCP_TOKEN, X-B: env:AWS_SECRET_ACCESS_KEY}
    auth: {bearer: env:ORDERS_TOKEN}
  - name: indirect
    url: https://orders.example.com/mcp
    auth:
      oauth: {token_url: "https://evil.example/", client_id: p, client_secret: env:ORDERS_TOKEN}
"""
    )
    unknown = "is not among the secrets that may be used here: add it to secrets.allow"
    bound = (
        "env:ORDERS_TOKEN is bound to https://login.example.com, https://orders.example.com by secrets.allow, and this "
        "is for https://evil.example"
    )
    assert found == [
        f"7 defaults.headers.X-Common: env:COMMON {unknown}",
        "8 database_url: file:/etc/database cannot be read (No such file or directory): check the path and the "
        "permissions",
        f"8 database_url: file:/etc/database {unknown}",
        f"11 notifiers[0].webhook: env:SLACK {unknown}",
        f"25 endpoints[2].headers.X-B: env:AWS_SECRET_ACCESS_KEY {unknown}",
        f"26 endpoints[2].auth.bearer: {bound}",
        f"30 endpoints[3].auth.oauth.client_secret: {bound}",
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("TOKEN", "2 secrets.allow[0].ref: is not a pattern of references"),
        ("'file:/run/../*'", "2 secrets.allow[0].ref: is not a pattern of references"),
        ("{ref: 'env:A', origin: a.example}", "2 secrets.allow[0].origin: is not an origin"),
        ("{origin: 'https://a.example'}", "2 secrets.allow[0].ref: is missing"),
        ("5", "2 secrets.allow[0]: is not a mapping"),
    ],
)
def test_an_entry_that_cannot_be_read_is_the_only_problem(entry: str, message: str) -> None:
    (found,) = problems(
        f"endpoints: [{{name: a, url: 'https://a.example', auth: {{bearer: env:T}}}}]\nsecrets: {{allow: [{entry}]}}"
    )
    assert found.startswith(message)


def test_a_database_is_needed_before_aws_can_be_asked() -> None:
    assert problems("endpoints: []\ndatabase_url: aws-ssm:/mcp/database") == [
        "2 database_url: is kept by AWS, which is not asked at the start"
    ]


def test_every_limit_is_a_key_of_the_file() -> None:
    assert settings("endpoints: []").limits == Limits()
    least = {name: low for name, (low, _) in BOUNDS.items()}
    assert settings(json.dumps({"endpoints": [], "limits": least})).limits == Limits(**least)
    assert set(least) == {field.name for field in fields(Limits)}


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_a_limit_beyond_its_bounds_is_refused_at_its_key(name: str) -> None:
    low, high = BOUNDS[name]
    for beyond in (low - 1, high + 1):
        (found,) = problems(json.dumps({"endpoints": [], "limits": {name: beyond}}))
        is_none = name.endswith("_s") and beyond < 0
        assert found.startswith(f"1 limits.{name}: {'is not a duration' if is_none else 'must be from '}")


def test_limits_are_written_as_sizes_times_and_numbers() -> None:
    written = settings(
        "endpoints: []\nlimits: {body: 4 MiB, json: 512KiB, event: 70000, dns_s: 500ms, tls_s: 2, pages: 9}"
    )
    assert written.limits == Limits(body=4 << 20, json=512 << 10, event=70_000, dns_s=0.5, tls_s=2.0, pages=9)


@pytest.mark.parametrize(
    ("limit", "message", "hint"),
    [
        ("body: 1KiB", "must be from 64 KiB to 64 MiB", "bytes, or such as 64KiB, 2MiB; leave it out for 2 MiB"),
        ("dns_s: 1m", "must be from 0.1 s to 30 s", "seconds, or such as 500ms, 2s; leave it out for 3 s"),
        ("json_values: 1", "must be from 1,000 to 5,000,000", "write a whole number; leave it out for 200,000"),
        ("body: 2 megabytes", "is not a size", "a number of bytes, or such as 64KiB, 2MiB"),
        ("body: 1.5", "is not a size", "a number of bytes, or such as 64KiB, 2MiB"),
        ("tls_s: [1]", "is not a duration", "a number of seconds, or such as 500ms, 60s, 5m, 1h"),
        ("pages: true", "is not a whole number", "write it without quotes and without a point"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_with_its_bounds_and_the_way_out(limit: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        settings(f"endpoints: []\nlimits: {{{limit}}}")
    (found,) = refusal.value.problems
    assert found.message.endswith(f": {message}")
    assert found.hint.endswith(hint)


@pytest.mark.parametrize("choice", ["era: sometimes", "on_request: [more]"])
def test_a_choice_that_there_is_not_has_a_way_out(choice: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        settings(f"endpoints: [{{name: a, url: 'https://a.example', {choice}}}]")
    assert "must be 'a" in refusal.value.problems[0].message or "'tasks'" in refusal.value.problems[0].message
    assert refusal.value.problems[0].hint == "write one of these, or leave it out"


def test_a_limit_that_there_is_not_gets_the_one_that_was_meant() -> None:
    with pytest.raises(ConfigError) as refusal:
        settings("endpoints: []\nlimits: {json_deph: 5}")
    assert refusal.value.problems[0].hint == "did you mean json_depth?"


@pytest.mark.parametrize(
    "text",
    [
        "endpoints: [{name: a, url: 'https://a.example', auth: {sigv4: true}}]",
        "endpoints: [{name: a, url: 'https://a.example', auth: {sigv4: {service: lambda}}, full_every: never}]",
        "endpoints: [{name: a, url: 'https://a.example', on_request: [tasks], full_every: 6h}]",
        "endpoints: [{name: a, url: 'https://a.example', headers: {X-A: 'aws-ssm:/a'}, auth: {bearer: 'aws-sm:b'}}]",
        ALLOW + "endpoints: []\nlimits: {json: 65536, dns_s: 1.5, body: 2 MiB, tls_s: 500ms}",
    ],
)
def test_the_schema_for_editors_takes_what_we_take(text: str) -> None:
    jsonschema.validate(yaml.safe_load(text), json_schema())


@pytest.mark.parametrize(
    "text",
    [
        "endpoints: [{name: a, url: 'https://a.example', auth: {sigv4: lambda}}]",
        "endpoints: [{name: a, url: 'https://a.example', auth: {bearer: hunter2}}]",
        "endpoints: [{name: a, url: 'https://a.example', on_request: [more]}]",
        "endpoints: [{name: a, url: 'https://a.example', full_every: often}]",
        "endpoints: []\nsecrets: {allow: [TOKEN]}",
        "endpoints: []\nsecrets: {allow: [{origin: 'https://a.example'}]}",
        "endpoints: []\nlimits: {json: 1}",
        "endpoints: []\nlimits: {jsn: 65536}",
    ],
)
def test_the_schema_for_editors_refuses_what_we_refuse(text: str) -> None:
    data: Any = yaml.safe_load(text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json_schema())


def test_a_schedule_that_is_no_time_is_told_that_there_may_be_none() -> None:
    for key in ("full_every", "cold_every"):
        with pytest.raises(ConfigError) as refusal:
            settings(f"endpoints: [{{name: a, url: 'https://a.example', {key}: daily}}]")
        assert refusal.value.problems[0].hint == "such as 6h or 1d, or never"
