"""WWW-Authenticate as RFC 9110 writes it, as servers write it, and as nobody should."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.challenges import CHALLENGE_CAP, HEADER_REMAPPED, PARAMETER_CAP, Challenge, challenges_of, parse
from tests.unit.checks.conversations import exchange

TOKEN = "!#$%&'*+.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"

tokens = st.text(TOKEN, min_size=1, max_size=8)
texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12)
spaces = st.text(" \t", max_size=2)
with_parameters = st.builds(
    lambda scheme, parameters: Challenge(scheme=scheme, parameters=parameters),
    tokens,
    st.dictionaries(tokens.map(str.lower), texts, min_size=1, max_size=4),
)
opaque = st.builds(
    lambda scheme, token, padding: Challenge(scheme=scheme, token68=token + padding),
    tokens,
    st.text("abcXYZ019-._~+/", min_size=1, max_size=12),
    st.sampled_from(["", "=", "=="]),
)
bare = st.builds(lambda scheme: Challenge(scheme=scheme), tokens)
challenges = st.lists(with_parameters | opaque | bare, max_size=4)


def written(challenge: Challenge, space: str) -> str:
    """The challenge as the grammar has it, with optional white space wherever it may stand."""
    if challenge.token68 is not None:
        return f"{challenge.scheme} {space}{challenge.token68}"
    pairs = [f"{name}{space}={space}{quoted(value)}" for name, value in challenge.parameters.items()]
    return f"{challenge.scheme} {f'{space},{space}'.join(pairs)}" if pairs else challenge.scheme


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(challenges, spaces)
def test_what_is_written_by_the_grammar_is_read_back(given_challenges: list[Challenge], space: str) -> None:
    header = f"{space},{space}".join(written(each, space) for each in given_challenges)

    assert parse(header) == tuple(given_challenges)


@given(st.text(max_size=300) | st.text('Bearer ,="\\x', max_size=300))
def test_any_text_is_read_without_an_error_and_within_bounds(text: str) -> None:
    found = parse(text)

    assert len(found) <= CHALLENGE_CAP
    assert all(each.scheme and len(each.parameters) <= PARAMETER_CAP for each in found)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ()),
        (" , ,, ", ()),
        ("Bearer", (Challenge(scheme="Bearer"),)),
        (
            "Negotiate, Basic realm=x",
            (Challenge(scheme="Negotiate"), Challenge(scheme="Basic", parameters={"realm": "x"})),
        ),
        ("Negotiate YWJj==", (Challenge(scheme="Negotiate", token68="YWJj=="),)),
        ("bearer REALM = x", (Challenge(scheme="bearer", parameters={"realm": "x"}),)),
        (
            'Bearer realm="a, Basic realm=b", scope="x y"',
            (Challenge(scheme="Bearer", parameters={"realm": "a, Basic realm=b", "scope": "x y"}),),
        ),
        (r'Bearer realm="a \"b\" \\c"', (Challenge(scheme="Bearer", parameters={"realm": 'a "b" \\c'}),)),
        (
            "Bearer resource_metadata=https://a.example/x?y=1, scope=z",
            (Challenge(scheme="Bearer", parameters={"resource_metadata": "https://a.example/x?y=1", "scope": "z"}),),
        ),
        ('Bearer a="1" b="2"', (Challenge(scheme="Bearer", parameters={"a": "1", "b": "2"}),)),
        ('Bearer a="1', (Challenge(scheme="Bearer", parameters={"a": "1"}),)),
        ('Bearer a="1\\', (Challenge(scheme="Bearer", parameters={"a": "1"}),)),
        ('Bearer a=1, A=2, a="3"', (Challenge(scheme="Bearer", parameters={"a": "1"}, repeated=("a",)),)),
        ('"Basic realm=x", Bearer a=1', (Challenge(scheme="Bearer", parameters={"a": "1"}),)),
        ("é, Bearer a=1", (Challenge(scheme="Bearer", parameters={"a": "1"}),)),
    ],
)
def test_a_header_is_read_as_clients_read_it(header: str, expected: tuple[Challenge, ...]) -> None:
    assert parse(header) == expected


def test_every_field_of_an_answer_counts_whatever_its_spelling() -> None:
    answer = exchange(
        status=401,
        headers=(("WWW-Authenticate", "Basic realm=a"), ("www-authenticate", "Bearer"), (HEADER_REMAPPED, "Digest")),
    )

    assert [each.scheme for each in challenges_of(answer)] == ["Basic", "Bearer"]
    assert [each.scheme for each in challenges_of(answer, HEADER_REMAPPED)] == ["Digest"]


@pytest.mark.parametrize("unit", ['a="', "a,", "a=", "a b", '"', "\\", ", ", "a  ", 'a="\\"', "=", "a=b "])
def test_reading_takes_time_in_proportion_to_the_length_and_no_more(unit: str) -> None:
    began = process_time()
    for _ in range(10):
        parse("Bearer " + unit * 100_000)

    assert process_time() - began < 4.0
