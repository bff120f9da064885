"""Reading YAML: lines, variables, duplicates, and files that mean harm."""

import pytest

from prober.settings.document import MAX_BYTES, MAX_VALUES, Document, read
from prober.settings.problems import ConfigError


def document(text: str, **env: str) -> Document:
    return read(text.encode(), "f.yaml", env)


def test_every_value_knows_its_line() -> None:
    found = document("a: 1\nb:\n  - x\n  - y: 2\n    z: {w: 3}\n")
    assert found.data == {"a": 1, "b": ["x", {"y": 2, "z": {"w": 3}}]}
    assert found.place(("a",)) == "f.yaml:1"
    assert found.place(("b", 0)) == "f.yaml:3"
    assert found.place(("b", 1, "z", "w")) == "f.yaml:5"


def test_a_missing_value_is_placed_at_what_stands_around_it() -> None:
    assert document("a:\n  b: 1\n").place(("a", "gone", "deeper")) == "f.yaml:1"


def test_dates_stay_text_because_revisions_of_mcp_are_dates() -> None:
    assert document("protocol_version: 2025-06-18").data == {"protocol_version": "2025-06-18"}


def test_keys_stay_as_written() -> None:
    assert document("{on: 1, 2: b, null: c}").data == {"on": 1, "2": "b", "null": "c"}


def test_variables_are_replaced_in_values() -> None:
    found = document("url: https://${HOST}/${STAGE:-prod}/x", HOST="h")
    assert found.data == {"url": "https://h/prod/x"}
    assert not found.problems


def test_an_empty_variable_takes_the_default_and_a_default_may_be_empty() -> None:
    assert document('"a": "${X:-d}${Y:-}"', X="").data == {"a": "d"}


def test_a_doubled_dollar_sign_keeps_the_braces() -> None:
    assert document("a: $${HOME} $5 ${", HOME="x").data["a"].startswith("${HOME} $5 ")


def test_a_variables_text_is_never_read_as_yaml() -> None:
    assert document("a: ${X}", X="{b: 1}\n- c").data == {"a": "{b: 1}\n- c"}


def test_a_missing_variable_is_a_problem_at_its_line() -> None:
    found = document("a: 1\nb: ${GONE}\nc: ${ALSO-GONE}\nd: ${open\n")
    assert [(problem.place, problem.message) for problem in found.problems] == [
        ("f.yaml:2", "the environment variable GONE is not set"),
        ("f.yaml:3", "${ALSO-GONE} is not a variable"),
        ("f.yaml:4", "${open is not a variable"),
    ]
    assert found.unread == {("b",), ("c",), ("d",)}


def test_a_key_given_twice_is_a_problem_that_names_both_lines() -> None:
    found = document("a: 1\nb: 2\na: 3\n")
    (problem,) = found.problems
    assert problem.place == "f.yaml:3"
    assert "line 1" in problem.hint
    assert found.data["a"] == 1


def test_merges_bring_in_what_is_not_given() -> None:
    found = document("x: &c {a: 1, b: 2}\ny:\n  <<: *c\n  b: 3\nz:\n  <<: [{a: 5}, *c]\n")
    assert found.data["y"] == {"a": 1, "b": 3}
    assert found.data["z"] == {"a": 5, "b": 2}
    assert not found.problems


def test_a_value_that_is_not_of_its_type_is_a_problem() -> None:
    found = document("a: !!int x\nb: !!python/object:os.system x\nc: !!binary aGk=\n")
    assert [problem.place for problem in found.problems] == ["f.yaml:1", "f.yaml:2", "f.yaml:3"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1\nb: 2", "f.yaml:2"),
        ("a: b: c", "f.yaml:1"),
        ("a: 1\n\tb: 2", "f.yaml:2"),
        ("a: *gone", "f.yaml:1"),
        ("a: 1\n---\nb: 2", "f.yaml:2"),
        ("a: '\x00'", "f.yaml"),
        ("[" * 5000, "f.yaml"),
    ],
)
def test_what_is_no_yaml_is_one_problem_with_its_place(text: str, place: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        document(text)
    (problem,) = refusal.value.problems
    assert problem.place == place


def test_bytes_that_are_not_utf8_are_named_by_line() -> None:
    with pytest.raises(ConfigError, match=r"f.yaml:2: is not UTF-8"):
        read(b"a: 1\nb: \xff\n", "f.yaml", {})


BILLION_LAUGHS = "k0: &k0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"k{n}: &k{n} [{','.join([f'*k{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize("text", [BILLION_LAUGHS, "a: &a [*a]", "a: &a {<<: *a}", "a: " + "{b: " * 60 + "1" + "}" * 60])
def test_files_that_stand_for_endless_values_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="holds too many values"):
        document(text)


def test_a_file_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ConfigError, match="is larger than"):
        read(b"#" * (MAX_BYTES + 1), "f.yaml", {})


def test_an_overlaid_value_is_placed_where_it_comes_from() -> None:
    found = document("a: ${GONE:-x}\n")
    found.put(("s", "k"), "v", "environment variable V")
    assert found.data["s"] == {"k": "v"}
    assert found.place(("s", "k")) == "environment variable V"


def test_a_fleet_of_ten_thousand_endpoints_fits_into_one_file() -> None:
    """Only its size and its count of values: reading all of it takes seconds."""
    entry = (
        "  - name: endpoint-12345\n    url: https://endpoint-12345.example.com/mcp\n"
        "    labels: {team: checkout, stage: production}\n"
        "    sentinels:\n      - {tool: get_order, arguments: {id: 7}, expect: {text: shipped}}\n"
    )
    values = 13
    assert len(entry) * 10_000 < MAX_BYTES
    assert values * 10_000 < MAX_VALUES
