"""Regular expressions that cost time in proportion to the text alone, whoever wrote pattern and text: RE2's.

RE2 knows no look-around and no back-references. Source: its syntax page, google/re2 wiki, Syntax.
"""

import re
from functools import lru_cache
from typing import Any, Final

LONGEST: Final = 1000
"""Characters of a pattern."""

MOST_STATES: Final = 300
"""Instructions of a compiled pattern. Where RE2's automaton outgrows its memory, each costs time at each character."""

_MEMORY: Final = 1 << 20
_DIFFERS: Final = re.compile(r"\\[sSbBpP]|\[\^|\.")
"""What means different sets of characters to RE2 and to ECMA-262, whose patterns JSON Schema has, outside of ASCII."""


class Unusable(ValueError):
    """A pattern that RE2 cannot run, or not cheaply. The text says why."""


class Pattern:
    """A compiled pattern."""

    __slots__ = ("_compiled", "_is_portable", "states")

    def __init__(self, text: str, compiled: Any) -> None:
        self._compiled = compiled
        self._is_portable = _DIFFERS.search(text) is None
        self.states: int = compiled.programsize

    def found_in(self, text: str) -> bool:
        """Whether some part of the text matches."""
        return self._compiled.search(_encodable(text)) is not None

    def means_the_same(self, text: str) -> bool:
        """Whether an engine of ECMA-262 certainly says of this text what `found_in` says."""
        return self._is_portable or (text.isascii() and "\r" not in text)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Pattern:
    """The pattern, ready to use. Raises Unusable."""
    if len(pattern) > LONGEST:
        raise Unusable(f"is longer than {LONGEST:,} characters")
    import re2  # here, so that a probe without a pattern does not wait for it

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        found = Pattern(pattern, re2.compile(pattern, options))
    except re2.error as error:
        raise Unusable(_said(error)) from None
    except UnicodeEncodeError:
        raise Unusable("holds half of a surrogate pair") from None
    if found.states > MOST_STATES:
        raise Unusable("is too large once its repetitions are written out")
    return found


def problem_with(pattern: str) -> str | None:
    """Why the pattern cannot be used, or None."""
    try:
        compiled(pattern)
    except Unusable as unusable:
        return str(unusable)
    return None


def _said(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return f"is refused by RE2 ({told.partition(':')[0]})"


def _encodable(text: str) -> str:
    """Lone surrogates, which JSON can spell and UTF-8 cannot, as question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
