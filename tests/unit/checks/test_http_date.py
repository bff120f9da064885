"""Dates of headers: whatever stands there, a moment comes out or nothing."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.http_date import read_date

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["Fri, 20 Nov 2026 12:00:00 GMT", "Fri, 20 Nov 2026 12:00:00 -0000"])
def test_a_date_is_read_with_its_zone_or_as_utc(text: str) -> None:
    assert read_date(text) == NOON


@pytest.mark.parametrize("text", [None, "", "soon", "Fri, 20 Nov 99999999999999999999 12:00:00 GMT"])
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert read_date(text) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    found = read_date(text)
    assert found is None or found.tzinfo is not None
