"""Cursors, conditions, and entries as YAML: each read back to what it was made of, and nothing else taken."""

from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from dashboard.api.bodies import names
from dashboard.api.paging import after_of, cursor_of, cursor_of_number, number_of
from dashboard.operations.refusals import sentence
from dashboard.views.registry import text_of
from prober.settings.document import read
from prober.storage.listings import After

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


def test_a_cursor_leads_back_to_its_row() -> None:
    assert after_of(cursor_of(NOON, UUID(int=7))) == After(at=NOON, id=UUID(int=7))
    assert number_of(cursor_of_number(2**40)) == 2**40
    assert after_of(None) is None
    assert number_of(None) is None


@given(st.text(max_size=80))
def test_what_is_no_cursor_is_refused_and_breaks_nothing(text: str) -> None:
    for read_by in (after_of, number_of):
        with suppress(HTTPException):
            read_by(text)


def test_a_number_is_no_moment_and_a_moment_no_number() -> None:
    for read_by, cursor in ((after_of, cursor_of_number(3)), (number_of, cursor_of(NOON, UUID(int=7)))):
        with pytest.raises(HTTPException):
            read_by(cursor)
    with pytest.raises(HTTPException):
        number_of(cursor_of_number(1 << 63))


@pytest.mark.parametrize(
    ("condition", "is_meant"),
    [('W/"a"', True), ('"a"', True), ("*", True), ('"b", W/"a"', True), ('"b"', False), ("", False), ("a", False)],
)
def test_a_tag_is_compared_weakly(condition: str, is_meant: bool) -> None:
    assert names(condition, 'W/"a"') is is_meant


@given(
    st.dictionaries(
        st.sampled_from(["name", "url", "labels", "headers", "fail_after"]),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30) | st.integers(0, 99),
    )
)
def test_an_entry_as_text_is_read_back_to_the_same(entry: dict[str, object]) -> None:
    document = read(text_of(entry).encode(), "entry", {})
    assert (document.data or {}, document.problems) == (entry, [])


def test_an_entry_as_text_begins_with_its_name() -> None:
    text = text_of({"url": "https://a.example/", "labels": {}, "name": "a"})
    assert list(yaml.safe_load(text)) == ["name", "url", "labels"]


def test_a_problem_is_said_as_a_sentence() -> None:
    assert sentence("no endpoint of that name is watched") == "No endpoint of that name is watched."
    assert sentence("For which endpoints?") == "For which endpoints?"
