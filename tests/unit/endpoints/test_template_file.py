"""Templates are read within bounds, whatever is in the file."""

import json
from pathlib import Path

import pytest

from checks.templates.judging import judge_template
from prober.endpoints.template_file import MAX_BYTES, UnreadableTemplate, parse_template, read_template


def refused(content: bytes) -> UnreadableTemplate:
    with pytest.raises(UnreadableTemplate) as raised:
        parse_template(content, "t.yaml")
    return raised.value


def test_short_forms_of_intrinsic_functions_are_written_out() -> None:
    text = b"Resources: {A: {Type: X, V: [!Ref B, !GetAtt C.D, !Sub 'x${E}', !If [F, 1, 2], !Condition G]}}"
    read = parse_template(text, "t").data["Resources"]["A"]["V"]
    assert read == [
        {"Ref": "B"},
        {"Fn::GetAtt": "C.D"},
        {"Fn::Sub": "x${E}"},
        {"Fn::If": ["F", 1, 2]},
        {"Condition": "G"},
    ]


def test_dates_stay_texts_and_numbers_become_numbers() -> None:
    data = parse_template(b"AWSTemplateFormatVersion: 2010-09-09\nResources: {A: {n: 3, t: yes}}", "t").data
    assert data["AWSTemplateFormatVersion"] == "2010-09-09"
    assert data["Resources"]["A"] == {"n": 3, "t": True}


def test_every_key_has_its_line_in_yaml_and_json() -> None:
    template = parse_template(b"Resources:\n  A:\n    Type: X\n", "t")
    assert template.lines[("Resources", "A", "Type")] == 3
    template = parse_template(b'{\n\t"Resources": {\n\t\t"A": {"Type": "X"}\n\t}\n}', "t")
    assert template.lines[("Resources", "A")] == 3


def test_aliases_may_repeat_but_not_explode() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "too many values" in refused("\n".join([*lines, "Resources: {}"]).encode()).message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Resources: &a [*a]", "nested too deeply"),
        (b"Resources: " + b"[" * 900 + b"]" * 900, "nested too deeply"),
        (b"[" * 100_000, ""),
        (b"{" * 100_000, ""),
        (b"\n".join(b" " * n + b"- " for n in range(3000)), ""),
        (b"Resources: [", "neither YAML nor JSON"),
        (b"Resources: {}\n---\nResources: {}", "neither YAML nor JSON"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"", "no Resources"),
        (b"just words", "no Resources"),
        (b"Resources: [1]", "no Resources"),
        (b"x" * (MAX_BYTES + 1), "larger than"),
    ],
    ids=range(12),
)
def test_what_is_no_template_is_refused_with_a_reason(content: bytes, said: str) -> None:
    error = refused(content)
    assert said in error.message
    assert error.place.startswith("t.yaml")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTemplate, match="cannot be read"):
        read_template(tmp_path / "none.yaml")
    with pytest.raises(UnreadableTemplate, match="cannot be read"):
        read_template(tmp_path)


def test_a_number_that_is_no_number_stays_a_text() -> None:
    assert parse_template(b"Resources: {A: " + b"9" * 5000 + b"}", "t").data["Resources"]["A"] == "9" * 5000


def test_texts_do_not_grow_without_end_by_being_put_into_each_other() -> None:
    long = "x" * 500_000
    joined = {"Fn::Join": ["", [{"Ref": "P"}] * 400]}
    nested = {"Fn::Sub": ["${A}" * 400, {"A": {"Fn::Sub": ["${B}" * 400, {"B": joined}]}}]}
    template = {
        "Parameters": {"P": {"Type": "String", "Default": long}},
        "Resources": {
            "Mcp": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Handler": nested, "Runtime": joined, "Timeout": {"Ref": "P"}},
            }
        },
    }
    assert judge_template(parse_template(json.dumps(template).encode(), "t")).servers == ("Mcp",)


def test_conditions_that_mean_each_other_end() -> None:
    text = b"""
Conditions: {A: !Not [!Condition B], B: !And [!Condition A, !Equals [!Ref X, 1]]}
Resources: {Mcp: {Type: AWS::Lambda::Function, Condition: A, Properties: {Timeout: !If [B, 1, 2]}}}
"""
    judge_template(parse_template(text, "t"))


def test_many_conditions_are_not_all_combined() -> None:
    names = [f"C{n}" for n in range(30)]
    text = json.dumps(
        {
            "Conditions": {name: {"Fn::Equals": [{"Ref": f"P{name}"}, "x"]} for name in names},
            "Resources": {
                "Mcp": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {"Environment": {"Variables": {name: {"Fn::If": [name, 1, 2]} for name in names}}},
                }
            },
        }
    )
    told = judge_template(parse_template(text.encode(), "t"))
    assert any("conditions" in each for each in told.untold)
