"""All forms of a run: each is valid by its own rules, says the same, and lets nothing in it act."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from checks.model import CheckResult, Diagnosis, Effect, Opening, Outcome, ProbeReport, Timings, Verdict
from checks.proofs import milliseconds
from prober.app.smoke import Conclusion, FailOn, Judged, Run
from prober.cli.check import unused_proxy
from prober.cli.errors import CommandError
from prober.cli.outcome import exit_of, tally
from prober.cli.problems import Level, problems_of
from prober.cli.reports import FORMS, Outputs, deliver, outputs_from, rendered, shown
from tests.contract.command_lines import parsed
from tests.unit.cli.conftest import spoilt

Runs = Callable[..., Run]

COMMANDS = (
    "::error::injected",
    "\n::set-env name=PATH::/tmp",
    "  ::add-mask::x",
    "##[error]injected",
    "##vso[task.setvariable variable=a]b",
    "a\r\n::stop-commands::x\u2028::error::y\x85::z",
)
HOSTILE = (
    *COMMANDS,
    "\x1b[2J\x1b]0;owned\x07\u202e\x00\ud800\ufffe\uffff",
    "]]></failure><script>alert(1)</script>&xxe;<!--",
    "# SKIP not really # TODO",
    "\n...\n---\nnot ok 1\nok 2",
    "| a | <img src=x onerror=alert(1)> [x](javascript:alert(1)) @everyone `b` **c** ![d](e)",
)

TEXT = {"name", "time", "tests", "failures", "errors", "skipped", "timestamp", "classname", "message", "type", "value"}
JUNIT: dict[str, tuple[set[str], set[str], set[str]]] = {
    # element: attributes it must have, those it may have, its children (xunit-plugin of Jenkins, junit-10)
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "timestamp", "hostname", "id", "package"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": ({"name"}, {"time", "classname"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "failure": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}


def an(**properties: Any) -> dict[str, Any]:
    """A JSON Schema of an object with all of these and nothing else."""
    return {"type": "object", "required": [*properties], "additionalProperties": False, "properties": properties}


def many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


STRING = {"type": "string", "minLength": 1}
UTC = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
SARIF = an(
    **{"$schema": STRING},
    version={"const": "2.1.0"},
    runs=many(
        an(
            tool=an(
                driver=an(
                    name=STRING, version=STRING, rules=many(an(id=STRING, shortDescription=an(text=STRING)))
                )
            ),
            invocations=many(
                an(
                    executionSuccessful={"type": "boolean"}, exitCode={"type": "integer"}, startTimeUtc=UTC,
                    endTimeUtc=UTC,
                )
            ),
            results=many(
                an(
                    ruleId=STRING, ruleIndex={"type": "integer", "minimum": 0},
                    level={"enum": ["none", "note", "warning", "error"]}, message=an(text=STRING),
                    locations=many(
                        an(
                            physicalLocation=an(
                                artifactLocation=an(uri={"type": "string", "pattern": r"^https?://[^\s\[\]<>]+$"})
                            ),
                            logicalLocations=many(an(fullyQualifiedName=STRING, kind=STRING)),
                        )
                    ),
                    partialFingerprints={"type": "object", "additionalProperties": STRING},
                )
            ),
        )
    ),
)  # fmt: skip
"""The part of the SARIF 2.1.0 schema of OASIS that we write; closed, as that one is."""


@pytest.fixture
def mixed(healthy: ProbeReport, broken: ProbeReport, run_of: Runs) -> Run:
    warned = CheckResult(check="order", outcome=Outcome.WARN, summary="shuffled")
    return run_of(healthy, broken, replace(healthy, results=(*healthy.results, warned)))


def all_of(run: Run) -> dict[str, str]:
    return {form: rendered(run, form) for form in FORMS}


def test_every_form_names_the_cause(mixed: Run) -> None:
    for form, text in all_of(mixed).items():
        assert "response-timeout" in text.replace("\\", ""), form
        assert "hunter2" not in text


def assert_junit(text: str) -> ET.Element:
    root = ET.fromstring(text.split("\n", 1)[1])
    for element in root.iter():
        must, may, children = JUNIT[element.tag]
        assert must <= set(element.attrib) <= must | may
        assert {child.tag for child in element} <= children
    for suite in root:
        cases = suite.findall("testcase")
        for kind, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert sum(case.find(kind) is not None for case in cases) == int(suite.attrib[count])
        assert len(cases) == int(suite.attrib["tests"])
        assert all(re.fullmatch(r"\d+\.\d{3}", each.attrib["time"]) for each in (suite, *cases))
    return root


def test_junit_is_as_jenkins_reads_it_and_the_verdict_is_a_case(mixed: Run) -> None:
    root = assert_junit(rendered(mixed, "junit"))
    verdicts = [suite.find("testcase[@name='verdict']") for suite in root]
    assert [None if each is None else each.find("failure") is not None for each in verdicts] == [False, True, False]
    assert (root.get("failures"), root.get("errors")) == ("2", "0")


def test_sarif_is_as_its_schema_says_and_its_rules_are_those_of_its_results(mixed: Run) -> None:
    log = json.loads(rendered(mixed, "sarif"))
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
    assert all(rules[each["ruleIndex"]] == each["ruleId"] for each in run["results"])
    assert {(each["ruleId"], each["level"]) for each in run["results"]} == {
        ("response-timeout", "error"), ("cold-start", "note"), ("order", "warning"),
    }  # fmt: skip


def assert_tap(text: str) -> list[str]:
    """The test points. Every other line belongs to a YAML block or is the plan."""
    version, plan, *rest = text.splitlines()
    assert version == "TAP version 14"
    points, block = [], None
    for line in rest:
        if line == "  ---":
            block = []
        elif line == "  ...":
            assert block is not None
            assert isinstance(yaml.safe_load("\n".join(block)), dict)
            block = None
        elif block is not None:
            block.append(line)
        else:
            assert re.match(r"(not )?ok \d+ - ", line), line
            points.append(line)
    assert plan == f"1..{len(points)}"
    return points


def test_tap_counts_its_points_and_marks_what_was_skipped(mixed: Run) -> None:
    points = assert_tap(rendered(mixed, "tap"))
    assert [point for point in points if point.startswith("not ok")] == [
        "not ok 6 - orders.example.com: lifecycle", "not ok 8 - orders.example.com: verdict",
    ]  # fmt: skip
    assert any(point.endswith("sentinel_call # SKIP no sentinel is configured") for point in points)


def test_what_may_be_degraded_fails_in_no_form(healthy: ProbeReport, run_of: Runs) -> None:
    failed = CheckResult(check="session", outcome=Outcome.FAIL, summary="lost")
    cause = Diagnosis(id="slow", effect=Effect.DEGRADED, confidence=0.9, summary="slow", evidence=(), fix="")
    degraded = replace(healthy, verdict=Verdict.DEGRADED, results=(*healthy.results, failed), diagnoses=(cause,))
    run = run_of(degraded, fail_on=FailOn.DOWN)
    assert (run.conclusion, exit_of(run)) == (Conclusion.WARNINGS, 0)
    root = assert_junit(rendered(run, "junit"))
    assert root.get("failures") == "0"
    assert not [
        point for point in assert_tap(rendered(run, "tap")) if point.startswith("not ok") and "TODO" not in point
    ]
    assert "::error" not in rendered(run, "github")
    assert exit_of(run_of(degraded, fail_on=FailOn.DOWN, strict=True)) == 5


def test_what_was_not_observed_is_an_error_and_no_failure(healthy: ProbeReport, run_of: Runs) -> None:
    run = run_of(replace(healthy, verdict=Verdict.UNKNOWN))
    assert exit_of(run) == 3
    root = assert_junit(rendered(run, "junit"))
    assert (root.get("failures"), root.get("errors")) == ("0", "1")
    assert rendered(run, "github").startswith("::warning title=orders.example.com%3A unobserved::")
    assert json.loads(rendered(run, "sarif"))["runs"][0]["invocations"][0]["executionSuccessful"] is False


def test_an_endpoint_that_was_never_asked_stands_in_every_form(healthy: ProbeReport, run_of: Runs) -> None:
    run = run_of(healthy)
    (asked,) = run.examined
    judged = Judged(conclusion=Conclusion.UNOBSERVED, why=("not asked: the time was up",))
    run = replace(run, examined=(replace(asked, report=None, attempts=(), judged=judged),))
    for form, text in all_of(run).items():
        assert "not asked: the time was up" in text.replace("\\", ""), form
    jsonschema.validate(json.loads(rendered(run, "sarif")), SARIF)
    assert_junit(rendered(run, "junit"))
    assert_tap(rendered(run, "tap"))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_form_lets_act_what_a_server_says(text: str, healthy: ProbeReport, run_of: Runs) -> None:
    reports = [spoilt(healthy, text), replace(spoilt(healthy, text), verdict=Verdict.DOWN)]
    run = run_of(*reports)
    forms = {**all_of(run), "text with requests": rendered(run, "text", verbose=True)}
    for form, written in forms.items():
        on_stdout = shown(written, form)
        assert not [each for each in written if not each.isprintable() and each != "\n"], form
        written.encode()
        if form != "github":
            assert not [line for line in on_stdout.splitlines() if line.lstrip().startswith("::")], form
        assert "##[" not in on_stdout, form
        assert "##vso[" not in on_stdout, form
    jsonschema.validate(json.loads(forms["sarif"]), SARIF)
    assert all(json.loads(line) for line in [forms["json"], *forms["ndjson"].splitlines()])
    assert_junit(forms["junit"])
    assert_junit(shown(forms["junit"], "junit"))
    assert len(assert_tap(forms["tap"])) == 10
    for line in forms["github"].splitlines():
        assert re.match(r"::(error|warning|notice) title=[^:,]*::", line), line


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_holds_no_markup_of_a_server(text: str, healthy: ProbeReport, run_of: Runs) -> None:
    prose = [line for line in rendered(run_of(spoilt(healthy, text)), "markdown").splitlines() if line[:4] != "    "]
    for line in prose:
        plain = re.sub(r"\\.", "", line)
        assert not re.search(r"[<>`\[\]@]", plain), line
        assert line.startswith("|") is (plain.count("|") in (4, 5)) or "|" not in plain, line


def test_a_summary_of_several_endpoints_counts_them(mixed: Run) -> None:
    assert tally(mixed) == "1 passed, 1 passed with warnings, 1 failed"
    assert rendered(mixed, "text").splitlines()[-1] == "FAILED: 3 endpoints, 1 passed, 1 passed with warnings, 1 failed"


def test_the_text_of_one_endpoint_says_why_only_where_the_verdict_does_not(healthy: ProbeReport, run_of: Runs) -> None:
    assert "PASSED" not in rendered(run_of(healthy), "text")
    said = rendered(run_of(healthy, version="9"), "text").splitlines()
    assert said[said.index("FAILED:") :] == [
        "FAILED:", "  - expect_version: the server is of version 1.2.0, 9 was expected",
    ]  # fmt: skip


def test_a_problem_weighs_what_the_run_makes_of_it(broken: ProbeReport, run_of: Runs) -> None:
    run = run_of(broken)
    assert [(each.level, each.id) for each in problems_of(run, run.examined[0])] == [
        (Level.ERROR, "response-timeout"), (Level.NOTE, "cold-start"),
    ]  # fmt: skip


def outputs(*words: str, **env: str) -> Outputs:
    return outputs_from(parsed(["check", "https://a.example/mcp", *words]), env)


def test_text_goes_to_standard_output_unless_a_report_does(tmp_path: Path) -> None:
    assert outputs() == Outputs("text", ())
    assert outputs("--report", "json=-") == Outputs("json", ())
    path = tmp_path / "r.xml"
    assert outputs("--report", f"junit={path}") == Outputs("text", (("junit", path),))


@pytest.mark.parametrize(
    "words",
    [
        ["--report", "junit"], ["--report", "html=a"], ["--report", "json=-", "--format", "text"],
        ["--report", "json=-", "--report", "tap=-"], ["--report", "json=/dev/null/a"], ["--report", "json=."],
        ["--report", f"json={__file__}/a/b"],
        ["--report", "json=a", "--report", "tap=./a"],
    ],
)  # fmt: skip
def test_reports_that_cannot_be_are_refused_before_anything_is_asked(words: list[str]) -> None:
    with pytest.raises(CommandError):
        outputs(*words)


def test_headings_stay_headings_where_a_build_reads_along(healthy: ProbeReport, run_of: Runs) -> None:
    written = rendered(run_of(healthy), "markdown")
    assert written.startswith("## ")
    assert shown(written, "markdown") == written
    assert shown("###[error]a ##VSO[task.x]b", "markdown") == "## #[error]a # #VSO[task.x]b"


def test_every_request_is_listed_on_demand_with_where_its_time_went(
    healthy: ProbeReport, broken: ProbeReport, run_of: Runs
) -> None:
    listed = rendered(run_of(healthy), "text", verbose=True).partition("\nrequests\n")[2]
    dns, connect, tls, send, wait, rest = map(milliseconds, (2.04, 11.0, 20.0, 0.46, 46.5, 1.26))
    assert " ".join(listed.split()) == (
        f"lifecycle: POST server/discover: HTTP 200, {milliseconds(81.26)} (name lookup {dns}, connecting {connect}, "
        f"TLS {tls}, sending {send}, waiting {wait}, reading {rest}) "
        f"tools_list: POST tools/list: HTTP 200, {milliseconds(40.0)}"
    )
    assert "  lifecycle: POST server/discover: deadline: read, 0" in rendered(run_of(broken), "text", verbose=True)
    assert "requests" not in rendered(run_of(healthy), "text")
    assert outputs("-v").verbose
    assert not outputs().verbose


def test_a_proxy_is_named_only_where_no_connection_came_about(
    healthy: ProbeReport, broken: ProbeReport, run_of: Runs
) -> None:
    proxy = {"HTTPS_PROXY": "http://proxy.example:3128"}
    assert unused_proxy(run_of(healthy, broken), proxy) == "HTTPS_PROXY"
    assert unused_proxy(run_of(broken), {}) is None
    assert unused_proxy(run_of(healthy), proxy) is None
    (failed,) = broken.opening.exchanges
    near = replace(failed, url="http://127.0.0.1:1/mcp")
    answered_late = replace(failed, timings=Timings(connect_ms=2.0))
    for each in (near, answered_late):
        assert unused_proxy(run_of(replace(broken, opening=Opening(exchanges=(each,)))), proxy) is None


def test_directories_that_are_missing_are_made_with_the_report(mixed: Run, tmp_path: Path) -> None:
    path = tmp_path / "reports" / "mcp" / "r.json"
    deliver(mixed, outputs("--report", f"json={path}"))
    assert json.loads(path.read_text())["conclusion"] == "failed"
    assert [each.name for each in path.parent.iterdir()] == ["r.json"]


def test_a_directory_that_cannot_be_made_later_is_said_without_a_traceback(mixed: Run, tmp_path: Path) -> None:
    path = tmp_path / "reports" / "r.json"
    wanted = outputs("--report", f"json={path}")
    (tmp_path / "reports").write_text("a file by now")
    with pytest.raises(CommandError, match="cannot be written"):
        deliver(mixed, wanted)


def test_one_report_that_cannot_be_written_does_not_cost_the_others(mixed: Run, tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    files = [("json", blocked / "r.json"), ("junit", tmp_path / "r.xml"), ("tap", blocked / "r.tap")]
    blocked.write_text("")
    with pytest.raises(CommandError) as refused:
        deliver(mixed, Outputs("text", tuple(files), summary=tmp_path / "summary"))
    assert refused.value.message.startswith(f"{blocked / 'r.json'} cannot be written")
    (other,) = refused.value.details
    assert other.startswith(f"{blocked / 'r.tap'} cannot be written")
    assert (tmp_path / "r.xml").exists()
    assert (tmp_path / "summary").exists()


def test_github_is_noticed_and_asked_for(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    noticed = outputs(GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert (noticed.annotates, noticed.summary) == (True, summary)
    asked = outputs("--format", "github", GITHUB_STEP_SUMMARY=str(summary))
    assert (asked.on_stdout, asked.annotates, asked.summary) == ("github", False, summary)
    assert outputs(GITHUB_STEP_SUMMARY=str(summary)).summary is None


def test_all_is_written_where_it_belongs(mixed: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = tmp_path / "summary"
    summary.write_text("earlier\n")
    files = tuple((form, tmp_path / form) for form in FORMS)
    deliver(mixed, Outputs("json", files, annotates=True, summary=summary))
    said = capsys.readouterr()
    assert json.loads(said.out)["conclusion"] == "failed"
    assert said.err.startswith("::error title=")
    assert summary.read_text() == f"earlier\n{rendered(mixed, 'markdown')}\n"
    assert {form: path.read_text() for form, path in files} == {
        form: f"{text}\n" for form, text in all_of(mixed).items()
    }
    assert {each.name for each in tmp_path.iterdir()} == {*FORMS, "summary"}
