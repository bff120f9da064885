"""Where the specification says what each check asks for."""

import pytest

from checks.catalog import CHECKS
from checks.spec import REVISIONS, Chapter, chapter_link


def test_every_check_names_the_page_that_it_measures_by_in_every_revision() -> None:
    links = [
        chapter_link(check.chapters, revision) for check in CHECKS for revision in (*REVISIONS, None, "2099-01-01")
    ]
    assert all(link is not None and link.startswith("https://") for link in links)


@pytest.mark.parametrize(
    ("revision", "page"),
    [
        ("2024-11-05", "2025-03-26/basic/transports#session-management"),
        ("2025-06-18", "2025-06-18/basic/transports#session-management"),
        ("2026-07-28", "2025-11-25/basic/transports#session-management"),
        ("<b>", "2025-11-25/basic/transports#session-management"),
    ],
)
def test_a_revision_without_the_page_is_answered_by_the_nearest_that_has_it(revision: str, page: str) -> None:
    chapter = Chapter(page="basic/transports", anchor="session-management", since="2025-03-26", until="2025-11-25")
    assert chapter_link((chapter,), revision) == f"https://modelcontextprotocol.io/specification/{page}"


def test_without_a_chapter_there_is_no_link() -> None:
    assert chapter_link((), "2025-11-25") is None
