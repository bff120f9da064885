"""Numbers as people read them."""

import pytest

from checks.proofs import counted, milliseconds


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.42, "0.4 ms"),
        (9.96, "10 ms"),
        (84.4, "84 ms"),
        (999.6, "1.00 s"),
        (12_345, "12.3 s"),
        (75_000, "75 s"),
    ],
)
def test_a_duration_has_about_three_figures(ms: float | None, words: str) -> None:
    assert milliseconds(ms) == words


def test_words_follow_their_number() -> None:
    said = (counted(1, "tool"), counted(3, "tool"), counted(2, "entry", "entries"), counted(1200, "tool"))
    assert said == ("1 tool", "3 tools", "2 entries", "1,200 tools")
