"""Lines of the scorecard that tests of other directories prove: run from here, and counted."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.reliability.conftest import Score
from tests.reliability.scorecard import ELSEWHERE, Elsewhere

ROOT = Path(__file__).parents[2]


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("line", ELSEWHERE, ids=lambda line: f"line{line.number}")
def test_what_is_proven_elsewhere_holds(line: Elsewhere, score: Score) -> None:
    """`make test` runs all of them as well, in their short versions."""
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-rP", *line.tests],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **dict(line.full)},
    )
    took_s = time.monotonic() - began
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error|skipped)", ran.stdout)}
    said = [text for text in ran.stdout.splitlines() if re.search(r"\blost\b.*\bduplicates\b", text)]
    counted = f"{counts.get('passed', 0)} tests passed, {counts.get('failed', 0)} failed in {took_s:.0f} s"
    if counts.get("failed"):
        print(ran.stdout[-4000:])
    places = sorted({each.partition("::")[0].removeprefix("tests/") for each in line.tests})
    figure = "; ".join([*(text.strip() for text in said[:1]), counted])
    score(", ".join(places), figure, ran.returncode == 0 and counts.get("passed", 0) > 0, number=line.number)
