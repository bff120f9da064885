"""What settings may make of the limits."""

from dataclasses import fields

import pytest

from prober.limits import ABOUT, BOUNDS, Limits


def test_every_limit_has_bounds_and_a_default_between_them() -> None:
    assert [field.name for field in fields(Limits)] == list(BOUNDS) == list(ABOUT)
    assert not [name for name, (least, most) in BOUNDS.items() if not least <= getattr(Limits(), name) <= most]


@pytest.mark.parametrize("name", BOUNDS)
def test_no_bound_switches_a_protection_off(name: str) -> None:
    least, most = BOUNDS[name]
    assert 0 <= least < most < float("inf")
