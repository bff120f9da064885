"""Ids and phases follow from names alone."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest

from prober.storage.identity import endpoint_id, phase_s, report_id

SHOP = endpoint_id("shop")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_an_endpoint_keeps_its_id_over_releases() -> None:
    """Rows in databases out there bear this id: a change would cut every endpoint off from its past."""
    assert str(SHOP) == "42913bec-321e-5d45-8761-ce83b5d19b98"


def test_a_report_is_its_endpoint_slot_and_location() -> None:
    here = report_id(SHOP, NOON, "local")
    assert here == report_id(SHOP, NOON.astimezone(timezone(timedelta(hours=5))), "local")
    others = {
        report_id(endpoint_id("other"), NOON, "local"),
        report_id(SHOP, NOON + timedelta(milliseconds=1), "local"),
        report_id(SHOP, NOON, "cellar"),
    }
    assert len(others | {here}) == 4


@pytest.mark.parametrize("interval_s", [1.0, 2.5, 60.0, 86_400.0])
def test_phases_spread_over_the_whole_interval_in_milliseconds(interval_s: float) -> None:
    phases = [phase_s(endpoint_id(f"e{number}"), interval_s) for number in range(1000)]
    assert all(0 <= phase < interval_s and phase == round(phase, 3) for phase in phases)
    tenths = Counter(int(phase / interval_s * 10) for phase in phases)
    assert set(tenths) == set(range(10))
    assert max(tenths.values()) < 150
