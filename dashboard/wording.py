"""Times in the words of the pages: spans, ages, moments."""

from datetime import UTC, datetime
from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def span(seconds: float) -> str:
    """A span of time in its largest one or two units: `12 s`, `3 min`, `2 h 5 min`, `41 d`."""
    left = max(int(seconds), 0)
    if left < 60:
        return f"{left} s"
    for position, (size, unit) in enumerate(_UNITS):
        if left >= size:
            whole, rest = divmod(left, size)
            smaller = _UNITS[position + 1 : position + 2]
            if smaller and whole < 10 and rest >= smaller[0][0]:
                return f"{whole} {unit} {rest // smaller[0][0]} {smaller[0][1]}"
            return f"{whole} {unit}"
    raise AssertionError("a span of a minute or more has a unit")


def ago(moment: datetime, now: datetime) -> str:
    """How long ago `moment` was. A moment ahead of our clock by a little is `just now`, by more `in 3 min`."""
    seconds = (now - moment).total_seconds()
    if seconds < -5:
        return f"in {span(-seconds)}"
    return "just now" if seconds < 2 else f"{span(seconds)} ago"


def absolute(moment: datetime) -> str:
    """The moment in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def short(moment: datetime) -> str:
    """The moment in UTC without the year, for lists: `Nov 20, 14:05:09`."""
    utc = moment.astimezone(UTC)
    return f"{_MONTHS[utc.month - 1]} {utc.day}, {utc:%H:%M:%S}"
