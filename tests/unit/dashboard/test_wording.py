"""Times as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.wording import absolute, ago, short, span

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
        (41 * 86_400, "41 d"),
    ],
)
def test_a_span_is_told_in_its_largest_units(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_an_age_is_told_from_both_sides_of_now() -> None:
    assert ago(NOON - timedelta(minutes=3), NOON) == "3 min ago"
    assert ago(NOON, NOON) == "just now"
    assert ago(NOON + timedelta(seconds=90), NOON) == "in 1 min"


def test_moments_are_shown_in_utc() -> None:
    elsewhere = datetime.fromisoformat("2026-11-20T14:05:09+02:00")
    assert absolute(elsewhere) == "2026-11-20 12:05:09 UTC"
    assert short(elsewhere) == "Nov 20, 12:05:09"
