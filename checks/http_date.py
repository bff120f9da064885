"""Dates as HTTP headers have them."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def read_date(value: str | None) -> datetime | None:
    """The moment that a header names, or None where it names none. Raises nothing: the header is somebody else's.

    A date without a zone is read as UTC, in which all of them are (RFC 9110 section 5.6.7).
    """
    try:
        at = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):  # a year of many digits overflows
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
