"""What a rule between values is said to break, and how rules read the raw data of a file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prober.settings.document import Path


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that does not hold, and the value that it is best mended at."""

    path: Path
    message: str
    hint: str


def mapping_of(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The section of that key, empty where there is none."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def entries_of(data: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The sections in the list of that key, each with its place in it."""
    entries = data.get(key)
    if isinstance(entries, list):
        yield from ((index, entry) for index, entry in enumerate(entries) if isinstance(entry, dict))
