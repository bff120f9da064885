"""How long a probe may take."""

import pytest

from checks.model import Endpoint, Profile


@pytest.mark.parametrize(
    ("timeout_s", "interval_s", "full_s"),
    [(10, 60, 30), (10, 20, 20), (10, 10, 10), (30, 60, 60), (90, 60, 90), (0.5, 3600, 1.5)],
)
def test_a_full_probe_has_three_times_the_time_but_leaves_the_next_slot_alone(
    timeout_s: float, interval_s: float, full_s: float
) -> None:
    endpoint = Endpoint(name="shop", url="https://shop.example/mcp", timeout_s=timeout_s, interval_s=interval_s)
    assert endpoint.deadline_s(Profile.FULL) == full_s
    assert endpoint.deadline_s(Profile.STANDARD) == endpoint.deadline_s(Profile.QUICK) == timeout_s
