"""Builders for verdicts in a row."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from checks.model import Verdict
from prober.incidents.lifecycle import Seen

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def seen(number: int, verdict: Verdict, cause: str | None = None) -> Seen:
    """The probe with this number, a minute after the one before."""
    return Seen(
        verdict=verdict,
        cause_id=cause,
        cause_summary=f"what {cause} means" if cause else "",
        fix=f"mend {cause}" if cause else "",
        evidence=(f"proof of {cause}",) if cause else (),
        report_id=UUID(int=number),
        at=START + timedelta(minutes=number),
    )


@pytest.fixture(scope="session")
def probe() -> Callable[..., Seen]:
    return seen
