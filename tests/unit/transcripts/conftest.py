"""Every transcript, and its replay, which is made once."""

from collections.abc import Callable
from functools import cache

import pytest

from tests.unit.transcripts.replay import Replayed, replayed
from tests.unit.transcripts.transcript import Transcript, path_of, read

Recorded = Callable[[str], Transcript]
Played = Callable[[str], Replayed]


@cache
def recorded(name: str) -> Transcript:
    return read(path_of(name).read_text("utf-8"))


@cache
def played(name: str) -> Replayed:
    return replayed(recorded(name))


@pytest.fixture(name="recorded")
def recorded_fixture() -> Recorded:
    """The transcript of this name."""
    return recorded


@pytest.fixture(name="played")
def played_fixture() -> Played:
    """The replay of the transcript of this name."""
    return played
