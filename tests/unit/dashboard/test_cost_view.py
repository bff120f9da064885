"""What probing costs a month."""

from dataclasses import replace

import pytest

from checks.costs import Kind
from checks.front_door import FrontDoor
from checks.model import Endpoint
from dashboard.views.costs import MONTH_S, cost_of, cost_view, probes_a_month
from prober.storage.cold_starts import FirstAnswers
from tests.unit.dashboard.rows import endpoint_page, first_answers

MINUTELY = Endpoint(name="orders", url="https://orders.example/mcp", full_every_s=None)
WARM = first_answers(warm_ms=(50.0, 90.0, 140.0), cold_ms=(), probes_cold=0, confirmed=0, start_ms=())


def test_a_probe_every_minute_of_three_requests_costs_what_it_is_known_to() -> None:
    cost = cost_of(MINUTELY, Kind.HANDSHAKE, FrontDoor.FUNCTION_URL, WARM)
    assert cost.requests == pytest.approx(131_500, rel=0.001)
    assert cost.gb_s == pytest.approx(131_500 * 0.05 * 0.5, rel=0.001)
    assert cost.whole == pytest.approx(0.026 + 0.055, abs=0.001)
    behind_rest = cost_of(MINUTELY, Kind.HANDSHAKE, FrontDoor.REST_API, WARM)
    assert behind_rest.for_door == pytest.approx(0.46, abs=0.01)


def test_a_month_behind_an_http_api_with_full_probes_and_cold_starts_comes_to_what_it_does_by_hand() -> None:
    """30.44 days of one probe in five minutes are 8,766.72, of which 121.76 are full ones: one in six hours. These make
    8,644.96 * 3 + 121.76 * 16 = 27,883.04 requests. A quarter of the probes, 2,191.68, begins cold, with 1.2 s; the
    other 25,691.36 requests take 0.04 s. With half a GB that is (2,630.016 + 1,027.6544) / 2 = 1,828.8352 GB-seconds.
    """
    some = replace(WARM, warm=75, probes_cold=25, warm_ms=(40.0, 60.0, 90.0), cold_ms=(1100.0, 1200.0, 1900.0))
    cost = cost_of(replace(MINUTELY, interval_s=300.0, full_every_s=21_600.0), Kind.HANDSHAKE, FrontDoor.HTTP_API, some)
    assert (cost.requests, cost.gb_s) == (pytest.approx(27_883.04), pytest.approx(1_828.8352))
    assert cost.for_requests == pytest.approx(0.0055766, rel=1e-5)  # 0.20 dollars a million
    assert cost.for_time == pytest.approx(0.0304807, rel=1e-5)  # 0.0000166667 dollars each
    assert cost.for_door == pytest.approx(0.0278830, rel=1e-5)  # 1.00 dollar a million
    assert cost.whole == pytest.approx(0.0639403, rel=1e-5)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://abc.lambda-url.eu-central-1.on.aws/mcp", "in eu-central-1, which may ask for more"),
        ("https://abc.execute-api.ap-east-1.amazonaws.com/mcp", "in ap-east-1, which may ask for more"),
        ("https://abc.lambda-url.us-east-1.on.aws/mcp", None),
        ("https://orders.example/mcp", "other regions may ask for more"),
    ],
)
def test_prices_are_dated_with_their_source_and_say_where_they_may_not_hold(url: str, said: str | None) -> None:
    view = cost_view(replace(MINUTELY, url=url), Kind.HANDSHAKE, WARM, None)
    assert "List prices of us-east-1 for x86 as of November 2026" in view.assumptions
    assert (said or "may ask for more") in view.assumptions if said else "may ask for more" not in view.assumptions
    assert [href for _, href in view.sources] == [
        "https://aws.amazon.com/lambda/pricing/",
        "https://aws.amazon.com/api-gateway/pricing/",
    ]


def test_cold_starts_are_billed_as_often_as_they_were_met() -> None:
    always: FirstAnswers = replace(WARM, warm=0, warm_ms=None, cold_ms=(2000.0,) * 10, probes_cold=10)
    rarely = replace(MINUTELY, interval_s=1800.0)
    cost = cost_of(rarely, Kind.STATELESS, FrontDoor.FUNCTION_URL, always)
    assert cost.gb_s == pytest.approx(cost.requests * 2.0 * 0.5)


def test_pauses_and_full_probes_are_counted_and_a_paused_endpoint_costs_nothing() -> None:
    standard, full = probes_a_month(replace(MINUTELY, full_every_s=86_400.0))
    assert (standard + full, full) == (pytest.approx(MONTH_S / 60), pytest.approx(30.44))
    cooled, _ = probes_a_month(replace(MINUTELY, cold_every_s=5400.0, cool_down_s=1800.0))
    assert cooled == pytest.approx(MONTH_S / 60 * 0.75)
    assert probes_a_month(replace(MINUTELY, enabled=False)) == (0.0, 0.0)


def test_what_is_taken_for_granted_is_said() -> None:
    latest = endpoint_page().latest
    assert latest is not None
    view = cost_view(MINUTELY, Kind.HANDSHAKE, WARM, latest.detail)
    assert view.summary == "About $0.08 a month."
    assert dict(view.facts)["Requests"] == "131,500 a month: $0.03"
    assert "512 MB of memory, and 50 ms for a request" in view.assumptions
    assert "that a Lambda function is behind it" not in view.assumptions
    unknown = cost_view(MINUTELY, Kind.HANDSHAKE, WARM, None)
    assert "that a Lambda function is behind it" in unknown.assumptions
