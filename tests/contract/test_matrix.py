"""The matrix of front doors, servers and states: the right diagnosis, no second one, and none where all is well."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.contract.matrix import DOCUMENT, DOORS, STATES, Cell, document, probe_all


@pytest.fixture(scope="module")
def cells() -> Sequence[Cell]:
    """Every combination, probed once, because time limits and cold starts take their time."""
    return asyncio.run(probe_all())


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("door", DOORS)
def test_the_state_is_named_behind_the_door_whatever_server_stands_there(
    door: str, state: str, cells: Sequence[Cell]
) -> None:
    here = [cell for cell in cells if (cell.door, cell.state) == (door, state)]

    assert here
    assert [str(cell) for cell in here if not cell.is_right] == []


def test_the_documented_matrix_is_the_one_that_is_probed() -> None:
    assert DOCUMENT.read_text() == document(), "run: make matrix ARGS=--write"
