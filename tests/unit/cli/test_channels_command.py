"""What became of a test notice, in words and as an exit code."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prober.cli.channels import said_of
from prober.cli.errors import CommandError, ExitCode
from prober.storage.channels import Fate

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Clock:
    """Stands still."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def fate(**changes: Any) -> Fate:
    plain = {"attempts": 0, "sent_at": None, "failed_at": None, "last_error": None, "resting_until": None}
    return Fate(**{**plain, **changes})


def test_what_was_sent_is_delivered() -> None:
    assert said_of("pager", fate(attempts=1, sent_at=NOW), Clock()) == "pager: delivered"


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        (fate(attempts=1, failed_at=NOW, last_error="HTTP 404"), ExitCode.NOT_UP, "did not take the notice: HTTP 404"),
        (fate(resting_until=NOW + timedelta(minutes=2)), ExitCode.UNOBSERVED, "until 2026-11-20 12:02:00Z"),
        (fate(), ExitCode.UNOBSERVED, "no prober has sent the notice"),
        (fate(failed_at=NOW, last_error="too late"), ExitCode.UNOBSERVED, "no prober has sent the notice"),
        (None, ExitCode.UNOBSERVED, "no prober has sent the notice"),
    ],
)
def test_anything_else_is_an_error_that_says_who_is_to_blame(found: Fate | None, code: ExitCode, words: str) -> None:
    with pytest.raises(CommandError, match=words) as caught:
        said_of("pager", found, Clock())
    assert caught.value.code is code
