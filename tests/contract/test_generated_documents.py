"""The documents say what the code has."""

from tests.contract.documents.all import outdated


def test_what_is_made_of_the_code_is_current() -> None:
    assert sorted(path.name for path in outdated()) == [], "run: python -m tests.contract.documents --write"
