"""Uptime counts what was observed, at the first attempt."""

import pytest

from prober.incidents.availability import Slots


def test_what_the_prober_could_not_observe_counts_for_nothing() -> None:
    assert Slots(up=90, degraded=5, down=5, unknown=900).uptime == pytest.approx(0.95)


def test_nothing_observed_is_no_uptime() -> None:
    assert (Slots(unknown=3).uptime, Slots().uptime) == (None, None)
