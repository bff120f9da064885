"""The scorecard in the documents is what the figures say, and every line of it has its test."""

import json
import re
from pathlib import Path

from tests.reliability import table
from tests.reliability.scorecard import ELSEWHERE, LINES


def test_the_scorecard_is_made_from_the_figures() -> None:
    """Mend it with: python -m tests.reliability.table --write"""
    assert table.DOCUMENT.read_text() == table.rendered(json.loads(table.FIGURES.read_text()))


def test_every_line_of_the_scorecard_has_a_test() -> None:
    files = Path(table.__file__).parent.glob("test_*.py")
    here = {int(number) for path in files for number in re.findall(r"mark\.number\((\d+)\)", path.read_text())}
    assert here | {each.number for each in ELSEWHERE} == {line.number for line in LINES}


def test_a_short_figure_replaces_no_full_one() -> None:
    full, short = ({"number": 1, "test": "t", "size": size} for size in ("full", "short"))
    assert table.taken_over([full], [short]) == [full]
    assert table.taken_over([short], [full]) == [full]
