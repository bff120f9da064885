"""Which pages there are, and the way in."""

from typing import Any
from urllib.parse import quote

from tests.e2e.conftest import Dashboard


def every_page(dashboard: Dashboard, probes: int) -> list[str]:
    """Every page that an admin can read, with so many of the last probes of each endpoint."""
    kept = dashboard.rows(
        "select id from (select id, row_number() over (partition by endpoint_id order by slot desc) from report"
        f" where missed = 0) last where row_number <= {probes}"
    )
    return [
        "/", "/?group=team", "/incidents", "/channels", "/status", "/account",
        "/settings", "/settings/audit", "/settings/people", "/settings/tokens", "/settings/new-endpoint",
        "/settings/baselines", "/settings/baselines/accept",
        *(f"/endpoints/{quote(name)}" for name in dashboard.rows("select name from endpoint order by name")),
        *(f"/incidents/{each}" for each in dashboard.rows("select id from incident")),
        *(f"/probes/{each}" for each in kept),
    ]  # fmt: skip


def log_in(page: Any, dashboard: Dashboard, name: str, password: str) -> None:
    """Say who is there, on the page for it."""
    page.goto(f"{dashboard.address}/login")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", password)
    page.click("button.main")
    page.wait_for_load_state()
