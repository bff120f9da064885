"""What axe-core finds on every page, light and dark, on a phone and on a wide screen: nothing."""

import pytest

from tests.e2e.conftest import Dashboard, Open
from tests.e2e.test_hostile_pages import pages_of

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe is not installed: pip install -r tests/e2e/requirements.lock"
)


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_complain_about(dashboard: Dashboard, visit: Open, scheme: str, width: int) -> None:
    page = visit(dashboard.address, color_scheme=scheme, viewport={"width": width, "height": 900}).page
    found = {}
    for address in pages_of(dashboard)[:24]:
        page.goto(dashboard.address + address)
        for each in axe.Axe().run(page).response["violations"]:
            found[address, each["id"]] = [node["target"] for node in each["nodes"][:3]]
    assert found == {}
