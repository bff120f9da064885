"""The table of the scorecard, with the figures of the newest runs.

    python -m tests.reliability.table            shows it
    python -m tests.reliability.table --write    takes over new figures, and writes docs/scorecard.md

A figure of a full run is replaced by that of a later full run alone.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.reliability.scorecard import LINES, Line

ROOT: Final = Path(__file__).parents[2]
FIGURES: Final = Path(__file__).parent / "figures.json"
RUNS: Final = ROOT / ".build" / "reliability"
DOCUMENT: Final = ROOT / "docs" / "scorecard.md"

HEAD: Final = """\
# Scorecard

What was done to real processes, what has to come of it, and what came of it: PostgreSQL, one or two workers, up to 500
scripted MCP servers that log every request (the truth that reports are held against), and receivers of notices that
fail a test on a message too many. No branch of the product knows of these tests.

`make reliability` runs short versions of all of them, and `make reliability ARGS="--size full"` the full ones; a long
run is `make reliability ARGS="--size soak --minutes 360"`. Each test is a function in `tests/reliability`, or is named
there. The table is written by `python -m tests.reliability.table --write` from the figures that the runs leave.

All figures are from one machine with two cores, on which other work ran meanwhile. **missed** is a mark that was not
met. *short* is a figure of the short version, whose conditions are smaller than those in the first column; what was
compressed or made smaller stands beside the figure.

| | fault | mark | figure of the last run | |
|---:|---|---|---|---|
"""


def taken_over(known: Iterable[Mapping[str, Any]], fresh: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One figure for each test: of the larger size, and then the newer one."""
    best: dict[tuple[int, str], dict[str, Any]] = {}
    for each in (*known, *fresh):
        key = each["number"], each["test"]
        before = best.get(key)
        if before is None or before["size"] == "short" or each["size"] != "short":
            best[key] = dict(each)
    return [best[key] for key in sorted(best)]


def rendered(figures: Iterable[Mapping[str, Any]]) -> str:
    """The document."""
    by_number: dict[int, list[Mapping[str, Any]]] = {}
    for each in figures:
        by_number.setdefault(each["number"], []).append(each)
    return HEAD + "".join(_row(line, by_number.get(line.number, [])) for line in LINES)


def _row(line: Line, figures: list[Mapping[str, Any]]) -> str:
    told = "<br>".join(f"{_safe(each['figure'])} ({_safe(each['conditions'])})" for each in figures) or "not run"
    words = [_word(each) for each in figures]
    word = "**missed**" if "**missed**" in words else " ".join(dict.fromkeys(words))
    return f"| {line.number} | {line.fault} | {line.mark} | {told} | {word} |\n"


def _word(figure: Mapping[str, Any]) -> str:
    if not figure["passed"]:
        return "**missed**"
    return "met, *short*" if figure["size"] == "short" else "met"


def _safe(text: str) -> str:
    return text.replace("|", "/").replace("<", "&lt;").replace("\n", " ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else []
    fresh = [
        json.loads(path.read_text()) for path in sorted(RUNS.glob("*.json"), key=lambda each: each.stat().st_mtime)
    ]
    figures = taken_over(known, fresh)
    if options.write:
        FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
        DOCUMENT.write_text(rendered(figures))
    else:
        print(rendered(figures))


if __name__ == "__main__":
    main()
