"""The latest verdicts of an endpoint as one letter each, newest last, in a single column."""

from typing import Final

from checks.model import Verdict

MARKS_KEPT: Final = 60

_LETTERS: Final = {Verdict.UP: "u", Verdict.DEGRADED: "g", Verdict.DOWN: "d", Verdict.UNKNOWN: "?"}
_VERDICTS: Final = {letter: verdict for verdict, letter in _LETTERS.items()}


def mark_of(verdict: Verdict) -> str:
    """The letter that stands for a verdict."""
    return _LETTERS[verdict]


def verdicts_of(marks: str) -> tuple[Verdict, ...]:
    """The verdicts behind the letters, oldest first."""
    return tuple(_VERDICTS[mark] for mark in marks)
