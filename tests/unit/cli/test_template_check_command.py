"""`template-check`: exit codes, text and JSON."""

import json
from pathlib import Path

import jsonschema
import pytest

from prober.cli import main
from tests.unit.cli.test_reports import STRING, an, many

HEALTHY = Path(__file__).parent.parent / "checks" / "templates" / "healthy"
CLEAN = HEALTHY / "sam_rust_rest_api.yaml"
LINE = an(startLine={"type": "integer", "minimum": 1})
SARIF = an(
    **{"$schema": STRING},
    version={"const": "2.1.0"},
    runs=many(
        an(
            tool=an(
                driver=an(name=STRING, version=STRING, rules=many(an(id=STRING, shortDescription=an(text=STRING))))
            ),
            invocations=many(an(executionSuccessful={"type": "boolean"})),
            results=many(
                an(
                    ruleId=STRING,
                    ruleIndex={"type": "integer", "minimum": 0},
                    level={"enum": ["none", "note", "warning", "error"]},
                    message=an(text=STRING),
                    locations=many(
                        an(
                            physicalLocation=an(
                                artifactLocation=an(uri={"type": "string", "pattern": r"^(file://)?[\w%./~-]+$"}),
                                region=LINE,
                            ),
                            logicalLocations=many(an(fullyQualifiedName=STRING, kind=STRING)),
                        )
                    ),
                    partialFingerprints={"type": "object", "additionalProperties": STRING},
                )
            ),
        )
    ),
)
"""The part of the SARIF 2.1.0 schema of OASIS that we write; closed, as that one is."""


def template(tmp_path: Path, timeout: int, extra: str = "") -> str:
    path = tmp_path / "template.yaml"
    path.write_text(CLEAN.read_text().replace("Timeout: 29", f"Timeout: {timeout}{extra}"))
    return str(path)


def test_a_clean_template_ends_with_0_and_says_what_cannot_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template-check", str(HEALTHY / "sam_zip_adapter.yaml"), "--strict"]) == 0
    said = capsys.readouterr().out
    assert "1 template: nothing found" in said
    assert "whether the handler's file is executable" in said


def test_warnings_fail_only_where_one_is_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = template(tmp_path, 120)
    assert main(["template-check", path]) == 0
    assert main(["template-check", path, "--strict"]) == 5
    assert "timeout-order, gateway-timeout" in capsys.readouterr().out


def test_errors_end_with_1_and_name_place_evidence_and_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = template(tmp_path, 29, "\n      ReservedConcurrentExecutions: 0")
    assert main(["template-check", path]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{path}:12: error: Reserved concurrency is 0")
    assert lines[1].strip().startswith("McpRust.ReservedConcurrentExecutions: ReservedConcurrentExecutions is 0")
    assert lines[2].strip().startswith("fix: leave out")


def test_json_holds_every_field_of_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = template(tmp_path, 29, "\n      ReservedConcurrentExecutions: 0")
    assert main(["template-check", path, str(CLEAN), "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    first, second = document["templates"]
    (found,) = first["findings"]
    assert found["rule"] == "concurrency-zero"
    assert found["diagnosis"] == "throttled"
    assert (found["file"], found["line"], found["subject"]) == (path, 12, "McpRust")
    assert found["property"] == "ReservedConcurrentExecutions"
    assert second["findings"] == []
    assert second["servers"] == ["McpRust"]


def test_sarif_is_as_its_schema_says_and_names_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = template(tmp_path, 120, "\n      ReservedConcurrentExecutions: 0")
    assert main(["template-check", path, str(CLEAN), "--format", "sarif"]) == 1
    log = json.loads(capsys.readouterr().out)
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
    assert sorted(rules) == ["concurrency-zero", "timeout-order"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    zero = next(each for each in run["results"] if each["ruleId"] == "concurrency-zero")
    assert zero["level"] == "error"
    place = zero["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]) == (f"file://{path}", {"startLine": 12})
    assert "Fix: leave out" in zero["message"]["text"]
    assert run["invocations"] == [{"executionSuccessful": True}]


@pytest.mark.parametrize(("form", "named"), [("sarif", '"uri": "template.yaml"'), ("github", "file=template.yaml,")])
def test_a_template_below_the_working_directory_is_named_from_there(
    form: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = template(tmp_path, 120, "\n      ReservedConcurrentExecutions: 0")
    monkeypatch.chdir(tmp_path)
    assert main(["template-check", path, "--format", form]) == 1
    assert named in capsys.readouterr().out


def test_sarif_says_where_nothing_was_judged(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template-check", str(HEALTHY / "sam_other_functions.yaml"), "--format", "sarif"]) == 3
    log = json.loads(capsys.readouterr().out)
    jsonschema.validate(log, SARIF)
    assert log["runs"][0]["invocations"] == [{"executionSuccessful": False}]


def test_github_gets_annotations_at_the_line_asked_for_or_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = template(tmp_path, 120, "\n      ReservedConcurrentExecutions: 0")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    main(["template-check", path, "--format", "github"])
    asked = capsys.readouterr()
    first, second = asked.out.splitlines()
    assert first.startswith(f"::error file={path},line=12,title=concurrency-zero::Reserved concurrency is 0")
    assert second.startswith(f"::warning file={path},line=11,title=timeout-order::")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    main(["template-check", path])
    assert capsys.readouterr().err == asked.out
    main(["template-check", str(CLEAN)])
    assert capsys.readouterr().err == ""
    main(["template-check", str(CLEAN), "--format", "github"])
    assert capsys.readouterr() == ("::notice title=mcp-prober::1 template: nothing found\n", "")


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_no_form_lets_act_what_a_template_says(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a,b:c%.yaml"
    path.write_text((HEALTHY / "sam_zip_adapter.yaml").read_text().replace(
        'PORT: "8000"\n          PORT: "8000"', 'PORT: "8000"\n          HOST: "##[error]x\\n::error::y"'
    ))  # fmt: skip
    assert main(["template-check", str(path), "--format", form]) == 0
    said = capsys.readouterr().out
    assert "adapter-host" in said
    assert "##[" not in said
    assert [line[:9] for line in said.splitlines() if line.lstrip().startswith("::")] in ([], ["::warning"])
    if form == "github":
        assert f"file={tmp_path}/a%2Cb%3Ac%25.yaml,line=" in said


def test_a_file_that_cannot_be_read_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("Resources: [")
    assert main(["template-check", str(CLEAN), str(broken)]) == 2
    assert f"{broken}:2" in capsys.readouterr().err
    assert main(["template-check", str(tmp_path / "none.yaml")]) == 2


def test_a_function_that_is_not_there_is_an_error_of_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template-check", str(CLEAN), "--function", "Mistyped"]) == 2
    assert "has no function Mistyped" in capsys.readouterr().err
    assert main(["template-check", str(CLEAN), "--function", "McpRust"]) == 0


def test_only_a_function_is_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template-check", str(HEALTHY / "cloudformation_function_url.yaml"), "--function", "Url"]) == 2
    assert "has no function Url" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_where_nothing_says_mcp_nothing_was_judged_and_nothing_passed(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    others = str(HEALTHY / "sam_other_functions.yaml")
    assert main(["template-check", others, "--format", form]) == 3
    said = capsys.readouterr()
    assert "no function is known to be an MCP server" in said.err
    assert "--function ID: Thumbnails, Orders, Prices" in said.err
    assert "nothing found" not in said.out
    assert main(["template-check", others, str(CLEAN), "--format", form]) == 0
    assert main(["template-check", others, "--function", "Orders", "--format", form]) == 1


def test_a_template_without_functions_passes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("Resources: {Table: {Type: 'AWS::DynamoDB::Table'}}")
    assert main(["template-check", str(path), "--strict"]) == 3
    assert "there is no function at all" in capsys.readouterr().err


def test_an_error_is_told_also_where_no_server_is_known(tmp_path: Path) -> None:
    function = (
        "{Type: 'AWS::Lambda::Function', Properties: {Handler: a.b, Runtime: python3.12, "
        "Environment: {Variables: {AWS_LAMBDA_EXEC_WRAPPER: /opt/bootstrap}}}}"
    )
    path = tmp_path / "template.yaml"
    path.write_text(f"Resources: {{Orders: {function}}}")
    assert main(["template-check", str(path)]) == 1


def test_a_function_is_looked_for_in_every_file_and_must_be_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    both = [str(CLEAN), str(HEALTHY / "sam_zip_adapter.yaml")]
    assert main(["template-check", *both, "--function", "McpRust", "--function", "Mistyped"]) == 2
    assert "no template has a function Mistyped" in capsys.readouterr().err
    assert main(["template-check", *both, "--function", "McpRust"]) == 0
    said = capsys.readouterr().out
    assert said.count("taken for MCP servers: McpRust") == 1


def test_a_client_that_waits_less_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template-check", str(CLEAN), "--client-timeout", "10s", "--strict"]) == 5
    assert main(["template-check", str(CLEAN), "--client-timeout", "soon"]) == 2
    assert "timeout-beyond-client" in capsys.readouterr().out


def test_what_a_template_says_cannot_act_on_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        'Resources: {"Mcp\\e[31m": {Type: "AWS::Lambda::Function", '
        'Properties: {Handler: "x\\e[2Jy.handler", Runtime: python3.12, Environment: {Variables: '
        "{AWS_LAMBDA_EXEC_WRAPPER: /opt/bootstrap}}}}}"
    )
    main(["template-check", str(path)])
    main(["template-check", str(path), "--format", "json"])
    assert "\x1b" not in capsys.readouterr().out
