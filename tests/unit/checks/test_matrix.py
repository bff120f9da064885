"""Which clients can connect, read from what `eras` found, whoever wrote it."""

from typing import Any

import pytest

from checks.matrix import Clients, Matrix, Offered, matrix_of

FACTS: dict[str, Any] = {
    "revisions": {
        "2026-07-28": {"answer": "served", "said": "served", "instead": None, "exchange": "x1"},
        "2025-11-25": {"answer": "refused", "said": "refused: no\x1b[2J", "instead": None, "exchange": None},
    },
    "clients": [{"clients": "stateless-era clients (2026-07-28)", "connect": "yes", "detail": "served"}],
    "transport": "streamable-http",
}


def test_the_matrix_is_read_with_its_texts_cleaned() -> None:
    assert matrix_of(FACTS) == Matrix(
        clients=(Clients("stateless-era clients (2026-07-28)", "yes", "served"),),
        revisions=(
            Offered("2025-11-25", "refused", "refused: no\\u{1b}[2J"),
            Offered("2026-07-28", "served", "served"),
        ),
    )


@pytest.mark.parametrize("facts", [None, {}, [], {"clients": 3}, {"clients": [1]}, {"revisions": FACTS["revisions"]}])
def test_what_holds_no_matrix_gives_none(facts: Any) -> None:
    assert matrix_of(facts) is None


def test_what_cannot_be_read_of_a_matrix_is_left_out() -> None:
    found = matrix_of({"clients": [{}, 3], "revisions": {"a": 1, "b": {}}})
    assert found == Matrix(clients=(Clients("", "", ""),), revisions=(Offered("b", "", ""),))
