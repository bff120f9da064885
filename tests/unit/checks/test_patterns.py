"""Regular expressions: what RE2 takes, what it refuses, and that no text is too much for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.patterns import LONGEST, compiled, problem_with


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^order-\d+$", "order-7", True),
        (r"^order-\d+$", "order-7\n", False),
        (r"(?i)shipped|delivered", "It was SHIPPED.", True),
        (r"^total: \d+\.\d{2}$", "total: 5", False),
        (r"(?m)^b$", "a\nb", True),
        ("ö", "größe", True),
        ("a.c", "a\ud800c", True),
        ("a\x00c", "a\x00c", True),
    ],
)
def test_a_pattern_is_searched_for_anywhere(pattern: str, text: str, found: bool) -> None:
    assert compiled(pattern).found_in(text) is found


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?=a)b", "invalid perl operator"),
        (r"(a)\1", "invalid escape sequence"),
        ("(", "missing )"),
        ("a{1001}", "invalid repetition size"),
        ("((ab?){20}){20}", "too large once its repetitions are written out"),
        ("a" * (LONGEST + 1), "is longer than"),
        ("\ud800", "half of a surrogate pair"),
    ],
)
def test_what_cannot_be_run_in_linear_time_is_refused(pattern: str, said: str) -> None:
    problem = problem_with(pattern)

    assert problem is not None
    assert said in problem


def test_a_pattern_that_ruins_other_engines_is_run() -> None:
    assert not compiled(r"^(a+)+$").found_in("a" * 1_000_000 + "b")


@given(st.text(max_size=20) | st.text("ab(|)*+?[]{1,}\\^$.", max_size=12), st.text(max_size=20))
def test_whatever_is_written_is_a_pattern_or_refused(pattern: str, text: str) -> None:
    if problem_with(pattern) is None:
        compiled(pattern).found_in(text)
        compiled(pattern).means_the_same(text)
