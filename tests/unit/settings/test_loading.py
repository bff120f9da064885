"""From the file to settings: what each key becomes, and that one run names every fault at its line."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict

from checks.model import Endpoint, Expectation, Sentinel
from checks.spec import Era, Transport
from prober.incidents.rules import Rules
from prober.settings import (
    ConfigError,
    NotifierSpec,
    Problem,
    Settings,
    from_file,
    json_schema,
    load,
    notifier_settings,
    parse,
)
from prober.settings.loading import ENVIRONMENT


def settings(text: str, **env: str) -> Settings:
    return parse(text.encode(), "prober.yaml", env)


def problems(text: str, **env: str) -> list[tuple[str, str]]:
    """Place and message of every problem, without the name of the file."""
    with pytest.raises(ConfigError) as refusal:
        settings(text, **env)
    return [(each.place.removeprefix("prober.yaml:"), each.message) for each in refusal.value.problems]


FULL = """\
location: eu-office
database_url: env:MY_DATABASE
data_dir: data
incidents: {fail_after: 2, recover_after: 1}
network: {allow_cidrs: [10.0.0.0/8], allow_private: yes}
cloudwatch: {enabled: true, namespace: Team, region: eu-central-1, flush: 30s}
dashboard: {host: 0.0.0.0, port: 9000, public_url: "https://status.example.com"}
notifiers:
  - kind: slack
    webhook_url: env:HOOK
  - {name: ops, kind: sns, topic: "arn:x"}
defaults:
  interval: 30
  labels: {team: a, stage: prod}
  headers: {X-Tenant: common, X-Trace: on}
endpoints:
  - name: orders
    url: https://orders.example.com/mcp
    labels: {stage: dev}
    interval: 5m
    timeout: 20s
    transport: streamable-http
    era: handshake
    protocol_version: 2025-06-18
    expected_tools: [find, find, list]
    sentinels:
      - tool: find
        arguments: {id: 7, deep: {none: null}}
        expect: {text: seven, matches: '^s', json: {ok: true}, at: {$.n: null}, schema: {required: [n]}}
        safe_to_repeat: true
        pinned: 00112233aabbccdd
    streaming: true
    headers: {x-tenant: own, X-Api-Key: env:KEY}
    auth: {bearer: env:TOKEN}
    cold_every: 6h
    cool_down: 45m
    client_timeout: 10s
    slow_after: 800ms
    function: orders
    verify_tls: false
    enabled: false
  - name: plain
    url: http://localhost:8000/mcp
"""


def test_every_key_of_an_endpoint_arrives() -> None:
    orders, _ = settings(FULL.replace("X-Trace: on", "X-Trace: 'on'"), MY_DATABASE="postgres://h/d").endpoints
    assert orders == Endpoint(
        name="orders",
        url="https://orders.example.com/mcp",
        labels={"team": "a", "stage": "dev"},
        interval_s=300,
        timeout_s=20,
        transport=Transport.STREAMABLE_HTTP,
        era=Era.HANDSHAKE,
        protocol_version="2025-06-18",
        expected_tools=("find", "list"),
        sentinels=(
            Sentinel(
                tool="find",
                arguments={"id": 7, "deep": {"none": None}},
                expect=Expectation(
                    text="seven", matches="^s", json={"ok": True}, at={"$.n": None}, schema={"required": ["n"]}
                ),
                safe_to_repeat=True,
                pinned="00112233aabbccdd",
            ),
        ),
        streaming=True,
        headers={"X-Trace": "on", "x-tenant": "own", "X-Api-Key": "env:KEY"},
        bearer="env:TOKEN",
        cold_every_s=21_600,
        cool_down_s=2700,
        client_timeout_s=10,
        slow_after_s=0.8,
        function="orders",
        verify_tls=False,
        enabled=False,
    )


def test_every_other_section_arrives() -> None:
    found = settings(FULL.replace("X-Trace: on", "X-Trace: 'on'"), MY_DATABASE="postgres://h/d")
    assert found.location == "eu-office"
    assert found.database_url == "postgres://h/d"
    assert found.data_dir == Path("data")
    assert found.rules == Rules(fail_after=2, recover_after=1)
    assert (found.network.allow_cidrs, found.network.allow_private) == (("10.0.0.0/8",), True)
    cloudwatch = found.cloudwatch
    assert (cloudwatch.enabled, cloudwatch.namespace, cloudwatch.region) == (True, "Team", "eu-central-1")
    assert cloudwatch.flush_s == 30
    dashboard = found.dashboard
    assert (dashboard.host, dashboard.port, dashboard.public_url) == ("0.0.0.0", 9000, "https://status.example.com")
    assert [(each.name, each.kind, each.options) for each in found.notifiers] == [
        ("slack", "slack", {"webhook_url": "env:HOOK"}),
        ("ops", "sns", {"topic": "arn:x"}),
    ]
    assert found.notifiers[0].option_places == {"webhook_url": "prober.yaml:10"}


def test_an_endpoint_needs_no_more_than_name_and_address() -> None:
    (found,) = settings("endpoints: [{name: a, url: 'https://a.example/mcp'}]").endpoints
    assert found == Endpoint(name="a", url="https://a.example/mcp", interval_s=60.0, timeout_s=10.0)


def test_a_key_without_a_value_counts_as_not_given() -> None:
    (found,) = settings("endpoints:\n- name: a\n  url: https://a.example/\n  labels:\n  streaming: null\n").endpoints
    assert (found.labels, found.streaming) == ({}, None)


def test_a_short_interval_shortens_a_timeout_that_nobody_gave() -> None:
    (found,) = settings("endpoints: [{name: a, url: 'https://a.example/', interval: 4s}]").endpoints
    assert found.timeout_s == 4


def test_the_password_of_the_database_does_not_show_in_the_settings() -> None:
    assert "hunter2" not in repr(settings("endpoints: []", DATABASE_URL="postgresql://u:hunter2@h/d"))


def test_one_run_names_every_problem_with_its_line() -> None:
    found = problems(
        """\
defaults:
  interval: 30s
  headers: {Cookie: abc}
endpoints:
  - name: orders
    url: https://user:pw@example.com/mcp
    intervall: 5m
    protocol_version: 2025-06-18
    era: stateless
    timeout: 40s
  - name: orders
    url: ${MISSING}/mcp
    interval: 0.5
    streaming: perhaps
    headers:
      authorization: Bearer 123
      "bad name": x
    sentinels:
      - arguments: {a: .nan}
        tools: x
  - 5
incidents: {fail_after: 0}
network: {allow_cidrs: [10.0.0.1/8]}
database_url: env:NOPE
dashbord: {}
notifiers:
  - kind: slack
  - kind: slack
"""
    )
    assert found == [
        ("3", "defaults.headers.Cookie: is a secret written out"),
        ("6", "endpoints[0].url: holds credentials"),
        ("7", "endpoints[0].intervall: is not a known key"),
        ("8", "endpoints[0].protocol_version: 2025-06-18 belongs to the handshake era, but era says stateless"),
        ("10", "endpoints[0].timeout: a probe may take 40 s, but the next one is due after 30 s"),
        ("11", "endpoints[1].name: is the name of endpoints[0] already"),
        ("12", "the environment variable MISSING is not set"),
        ("13", "endpoints[1].interval: is out of range: 1 second to 7 days"),
        ("14", "endpoints[1].streaming: is neither true nor false"),
        ("16", "endpoints[1].headers.authorization: is a secret written out"),
        ("17", "endpoints[1].headers.bad name: is not a header name"),
        ("19", "endpoints[1].sentinels[0].arguments: holds a number that JSON cannot carry"),
        ("19", "endpoints[1].sentinels[0].tool: is missing"),
        ("20", "endpoints[1].sentinels[0].tools: is not a known key"),
        ("21", "endpoints[2]: is not a mapping"),
        ("22", "incidents.fail_after: must be greater than or equal to 1"),
        ("23", "network.allow_cidrs[0]: is not a network"),
        ("24", "database_url: env:NOPE is not set: set the environment variable NOPE for this process"),
        ("25", "dashbord: is not a known key"),
        ("28", "notifiers[1].kind: is the name of notifiers[0] already"),
    ]


SSE_ERA = "endpoints[0].transport: the sse transport exists in the handshake era only"
EXPECT = "endpoints[0].sentinels[0].expect"
ODD_NUMBER = "endpoints[0].sentinels[0].expect: holds a number that JSON cannot carry"
ONE = "endpoints: [{name: a, url: 'https://a.example/', %s}]"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("transport: http", "endpoints[0].transport: must be 'auto', 'streamable-http' or 'sse'"),
        ("era: modern", "endpoints[0].era: must be 'auto', 'stateless' or 'handshake'"),
        ("protocol_version: 2025-01-01", "endpoints[0].protocol_version: is not a revision of MCP"),
        ("transport: sse, era: stateless", SSE_ERA),
        ("transport: sse, protocol_version: 2026-07-28", SSE_ERA),
        ("interval: 8d", "endpoints[0].interval: is out of range: 1 second to 7 days"),
        ("timeout: 0", "endpoints[0].timeout: is out of range: 0.1 seconds to 15 minutes"),
        ("interval: 1s, timeout: 2s", "endpoints[0].timeout: a probe may take 2 s, but the next one is due after 1 s"),
        (
            "timeout: 20s, client_timeout: 30s",
            "endpoints[0].client_timeout: no wait of 30 s is ever seen: the probe gives up after 20 s",
        ),
        ("slow_after: 10", "endpoints[0].slow_after: no wait of 10 s is ever seen: the probe gives up after 10 s"),
        ("function: 'a b'", "endpoints[0].function: is neither name nor ARN of a Lambda function"),
        (
            "interval: 1h, cold_every: 6h",
            "endpoints[0].cold_every: probes lie 3600 s apart already, and a pause of 1800 s is no longer",
        ),
        ("cold_every: 50m", "endpoints[0].cold_every: nobody would look for 1800 s of every 3000 s"),
        ("cold_every: 5m", "endpoints[0].cold_every: is out of range: 10 minutes to 30 days, or never"),
        ("slow_after: 0", "endpoints[0].slow_after: is out of range: 0.1 seconds to 15 minutes"),
        ("expected_tools: find", "endpoints[0].expected_tools: is not a list"),
        ("expected_tools: ['']", "endpoints[0].expected_tools[0]: is not the name of a tool"),
        ("auth: {bearer: hunter2}", "endpoints[0].auth.bearer: is not a reference to a secret"),
        ("auth: {bearer: 'env:a-b'}", "endpoints[0].auth.bearer: is not a reference to a secret"),
        ("labels: {a b: c}", "endpoints[0].labels.a b: is not the key of a label"),
        ("labels: {a: 1}", "endpoints[0].labels.a: is not a text"),
        ("headers: {Host: other}", "endpoints[0].headers.Host: is a header that the prober sets itself"),
        ("headers: {X-A: b, x-a: c}", "endpoints[0].headers.x-a: is the same header as X-A"),
        (
            "headers: {Authorization: 'env:A'}, auth: {bearer: 'env:B'}",
            "endpoints[0].auth: the Authorization header is given by headers too",
        ),
        ("sentinels: [{tool: t, expect: {json: .inf}}]", ODD_NUMBER),
        ("sentinels: [{tool: t, expect: {matches: '(?=a)b'}}]", f"{EXPECT}.matches: is no regular expression that "
         "can be used: it is refused by RE2 (invalid perl operator)"),
        ("sentinels: [{tool: t, expect: {at: {'$..a': 1}}}]",
         f"{EXPECT}.at.$..a: is no path to one place: it cannot be read from character 2 on"),
        ("sentinels: [{tool: t, expect: {schema: {items: {$ref: 'https://e.example/x'}}}}]", f"{EXPECT}.schema: is no "
         "JSON Schema that can be used: $.items has a $ref that leads nowhere within this schema"),
        ("sentinels: [{tool: t, expect: {schema: true}}]", f"{EXPECT}.schema: is not a mapping"),
        ("sentinels: [{tool: t, pinned: abc}]",
         "endpoints[0].sentinels[0].pinned: is not the fingerprint of a tool (16 hexadecimal digits)"),
        ("name: 'a/b'", "name is given twice"),
    ],
)  # fmt: skip
def test_each_fault_of_an_endpoint_is_said_in_words(keys: str, message: str) -> None:
    assert (("1", message)) in problems(ONE % keys)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "-a", "x" * 101, "é"])
def test_names_that_would_break_an_address_are_refused(name: str) -> None:
    assert problems(f"endpoints: [{{name: '{name}', url: 'https://a.example/'}}]")


def test_the_message_of_a_bad_value_never_holds_it() -> None:
    text = ONE % "auth: {bearer: hunter2}, headers: {X-Api-Key: hunter2, X-Ok: 'a${SECRET}b'}"
    with pytest.raises(ConfigError) as refusal:
        settings(text, SECRET="hunter2\n")
    assert "hunter2" not in str(refusal.value)
    assert len(refusal.value.problems) == 3


def test_an_unknown_key_gets_the_one_that_was_meant_or_the_list_of_those_there_are() -> None:
    with pytest.raises(ConfigError) as refusal:
        settings(ONE % "sentinels: [{tool: t, expct: {}}], zzz: 1")
    hints = {each.hint for each in refusal.value.problems}
    assert "did you mean expect?" in hints
    assert any(hint.startswith("known here: name, url, labels") for hint in hints)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "- a\n", "word"])
def test_a_file_without_settings_is_refused(text: str) -> None:
    assert [message for _, message in problems(text)] == ["holds no settings"]


def test_endpoints_have_to_be_given_though_the_list_may_be_empty() -> None:
    assert problems("location: here") == [("1", "endpoints: is missing")]
    assert settings("endpoints: []").endpoints == ()


def test_a_missing_variable_hides_no_other_problem_and_causes_none() -> None:
    assert problems("endpoints:\n- name: ${A}\n  url: ${B}\n  interval: ${C}\n  era: old\n") == [
        ("2", "the environment variable A is not set"),
        ("3", "the environment variable B is not set"),
        ("4", "the environment variable C is not set"),
        ("5", "endpoints[0].era: must be 'auto', 'stateless' or 'handshake'"),
    ]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://u:hunter2@h/d", "database_url: holds a password"),
        ("postgresql://h/d?password=hunter2", "database_url: holds a password"),
        ("mysql://h/d", "database_url: is not a PostgreSQL URL"),
        ("env:", "database_url: is not a reference to a secret"),
    ],
)
def test_the_database_is_named_without_its_password(url: str, message: str) -> None:
    assert ("2", message) in problems(f"endpoints: []\ndatabase_url: '{url}'\n")


def test_a_database_without_a_password_may_be_written_out() -> None:
    assert settings("{endpoints: [], database_url: 'postgresql:///prober'}").database_url == "postgresql:///prober"


def test_the_environment_stands_over_the_file() -> None:
    found = settings(
        "endpoints: []\nlocation: file\ndashboard: {port: 1}\ndatabase_url: postgresql://file/\ndata_dir: /file\n",
        DATABASE_URL="postgresql://environment/",
        PROBER_LOCATION="environment",
        PROBER_DASHBOARD_PORT="2",
        PROBER_DATA_DIR="/environment",
        PROBER_CLOUDWATCH_ENABLED="true",
    )
    assert found.database_url == "postgresql://environment/"
    assert (found.location, found.dashboard.port, found.cloudwatch.enabled) == ("environment", 2, True)
    assert found.data_dir == Path("/environment")


def test_an_empty_variable_counts_as_not_set() -> None:
    found = settings("endpoints: []\nlocation: file\n", DATABASE_URL="", PROBER_LOCATION="")
    assert (found.database_url, found.location) == (None, "file")


def test_a_bad_variable_is_named_as_the_place() -> None:
    assert problems("endpoints: []", PROBER_DASHBOARD_PORT="high") == [
        ("environment variable PROBER_DASHBOARD_PORT", "dashboard.port: is not a whole number")
    ]


def test_every_variable_leads_to_a_key_of_the_file() -> None:
    described = json_schema()
    for path in ENVIRONMENT.values():
        section: dict[str, Any] = described
        for key in path:
            section = section["properties"][key]
            for each in (section, *section.get("anyOf", ())):
                if "$ref" in each:
                    section = described["$defs"][each["$ref"].rpartition("/")[2]]


def test_a_file_that_is_not_there_is_a_configuration_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        load(tmp_path / "gone.yaml", {})


def test_paths_begin_at_the_file(tmp_path: Path) -> None:
    path = tmp_path / "prober.yaml"
    path.write_text("{endpoints: [], data_dir: db}")
    assert load(path, {}).data_dir == tmp_path / "db"


def test_a_data_directory_in_the_home_of_nobody_is_a_problem_of_its_line() -> None:
    assert problems("endpoints: []\ndata_dir: ~nobody-of-that-name/db") == [
        ("2", "data_dir: begins at a home that is not there")
    ]


class Log(BaseModel):
    path: Annotated[Path, AfterValidator(from_file)]


@pytest.mark.parametrize(
    ("written", "meant"), [("a/log", "{file}/a/log"), ("/var/log/x", "/var/log/x"), ("~/log", "{home}/log")]
)
def test_paths_of_notifiers_begin_at_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = tmp_path / "prober.yaml"
    path.write_text(f"{{endpoints: [], notifiers: [{{kind: log, path: {written}}}]}}")
    found, problems = notifier_settings(load(path, {}).notifiers, {"log": Log})
    assert not problems
    assert found == {"log": Log.model_construct(path=Path(meant.format(file=tmp_path, home=tmp_path / "home")))}


def test_the_home_of_nobody_is_a_problem_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "prober.yaml"
    path.write_text("{endpoints: [], notifiers: [{kind: log, path: ~nobody-of-that-name/log}]}")
    _, problems = notifier_settings(load(path, {}).notifiers, {"log": Log})
    assert [problem.message for problem in problems] == ["notifier log: path: begins at a home that is not there"]


class Hook(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    webhook_url: str


def spec(kind: str, **options: Any) -> NotifierSpec:
    places = {key: f"prober.yaml:{index}" for index, key in enumerate(options, 10)}
    return NotifierSpec(name="ops", kind=kind, options=options, place="prober.yaml:9", option_places=places)


def test_the_options_of_a_notifier_are_judged_by_its_kind() -> None:
    found, wrong = notifier_settings([spec("slack", webhook_url="env:HOOK")], {"slack": Hook})
    assert found == {"ops": Hook(webhook_url="env:HOOK")}
    assert wrong == []


def test_problems_of_notifiers_come_with_their_places_and_all_at_once() -> None:
    _, wrong = notifier_settings(
        [spec("slak"), spec("slack", webhook="x"), spec("slack", webhook_url=5)], {"slack": Hook}
    )
    hint = "write one text, in quotes where it looks like something else"
    assert wrong == [
        Problem("prober.yaml:9", "notifier ops: there is no such kind", "did you mean slack?"),
        Problem("prober.yaml:9", "notifier ops: webhook_url: is missing", "add it"),
        Problem("prober.yaml:10", "notifier ops: webhook: is not a known key", "did you mean webhook_url?"),
        Problem("prober.yaml:10", "notifier ops: webhook_url: is not a text", hint),
    ]


def test_the_options_of_notifiers_are_judged_in_the_same_run_as_all_else() -> None:
    text = "endpoints: [{name: a}]\nnotifiers:\n  - kind: slack\n    webhok: env:HOOK\n"
    with pytest.raises(ConfigError) as refusal:
        parse(text.encode(), "f", {}, judge=lambda found: notifier_settings(found.notifiers, {"slack": Hook})[1])
    assert [str(each) for each in refusal.value.problems] == [
        "f:1: endpoints[0].url: is missing (add it)",
        "f:3: notifier slack: webhook_url: is missing (add it)",
        "f:4: notifier slack: webhok: is not a known key (did you mean webhook_url?)",
    ]


def test_the_schema_for_editors_knows_every_key_and_every_kind_of_notifier() -> None:
    described = json_schema({"slack": Hook})
    endpoint = described["$defs"]["EndpointSection"]
    assert {"name", "url", "interval", "sentinels", "auth"} <= endpoint["properties"].keys()
    assert endpoint["required"] == ["name", "url"]
    assert all("description" in each for each in endpoint["properties"].values())
    assert endpoint["additionalProperties"] is False
    (slack,) = described["$defs"]["NotifierSection"]["anyOf"]
    assert slack["properties"]["kind"] == {"const": "slack"}
    assert set(slack["required"]) == {"kind", "webhook_url"}
