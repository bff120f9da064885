"""Conditions on many values at once, in words that do not depend on how many there are."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, any_, literal


def among(column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Whether the column holds one of these, which are sent as one array.

    `column.in_(values)` would make a statement of its own for every number of values. The driver keeps what it has
    parsed of each, and prepares each on every connection, so that both would fill up with as many as they hold.
    """
    return column == any_(literal([*values], ARRAY(column.type)))
