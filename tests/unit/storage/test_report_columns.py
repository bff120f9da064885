"""What the columns say that reports and states share."""

from dataclasses import replace
from typing import Any

import pytest

from checks.model import CheckResult, Outcome
from prober.storage.reports import shape_of
from tests.unit.metrics.reports import silent


@pytest.mark.parametrize(
    ("facts", "count"),
    [
        ({"tool_count": 3, "complete": True}, 3),
        ({"tool_count": 2, "complete": False}, 2),
        ({"tool_count": 0, "complete": True}, 0),
        ({"tool_count": 0, "complete": False}, None),
        ({}, None),
    ],
)
def test_a_list_that_could_not_be_read_is_not_an_empty_one(facts: dict[str, Any], count: int | None) -> None:
    listed = CheckResult(check="tools_list", outcome=Outcome.FAIL, summary="", facts=facts)
    assert shape_of(replace(silent(), results=(listed,)))["tool_count"] == count
