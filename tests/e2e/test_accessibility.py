"""What axe-core finds on every page, light and dark, on a phone and on a wide screen: nothing."""

from typing import Any

import pytest

from prober.storage.people import Role
from tests.e2e.conftest import PASSWORD, Dashboard, Open
from tests.e2e.hostile_rows import seed
from tests.e2e.pages import every_page, log_in

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe is not installed: pip install -r tests/e2e/requirements.lock"
)

LOOKS = [("light", 1440), ("dark", 360)]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_axe_finds_nothing_to_complain_about(
    guarded_dashboard: Dashboard, visit: Open, scheme: str, width: int
) -> None:
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    set_up = guarded_dashboard.setup_link()
    page = visit(set_up, **options).page
    found = _complaints(page, set_up) | _complaints(page, f"{guarded_dashboard.address}/login")

    guarded_dashboard.add_person("ada", Role.ADMIN)
    guarded_dashboard.add_person("olaf", Role.OPERATOR)
    seed(guarded_dashboard.plain_url)
    log_in(page, guarded_dashboard, "ada", "a wrong password")
    found |= _found(page, "a refused login")
    log_in(page, guarded_dashboard, "ada", PASSWORD)
    for address in every_page(guarded_dashboard, probes=1):
        found |= _complaints(page, guarded_dashboard.address + address)
    assert found == {}


def _complaints(page: Any, address: str) -> dict[tuple[str, str], Any]:
    page.goto(address)
    return _found(page, address)


def _found(page: Any, place: str) -> dict[tuple[str, str], Any]:
    violations = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return {(place, each["id"]): [node["target"] for node in each["nodes"][:3]] for each in violations}
