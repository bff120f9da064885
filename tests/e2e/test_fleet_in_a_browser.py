"""What is asked above the fleet: shown while it is typed, or after a press on the button where there are no scripts."""

import pytest

from tests.e2e.conftest import Dashboard, Open


@pytest.mark.parametrize("scripts", [True, False])
def test_the_fleet_is_searched_and_grouped_and_shown_whole_again(
    read_dashboard: Dashboard, visit: Open, scripts: bool
) -> None:
    seen = visit(f"{read_dashboard.address}/", java_script_enabled=scripts)
    page = seen.page
    if scripts:
        page.wait_for_selector("#live[data-state=on]")
    page.locator("#fleet-search").press_sequentially("adapter")
    if not scripts:
        page.click(".choosing button")
    page.wait_for_selector(".choosing .told:has-text('1 of 7 endpoints')")
    assert page.locator("a.name").all_inner_texts() == ["billing adapter"]
    assert page.input_value("#fleet-search") == "adapter"
    if scripts:
        assert page.evaluate("document.activeElement.id") == "fleet-search"
        assert page.url == f"{read_dashboard.address}/?q=adapter"

    page.select_option("#fleet-group", "env")
    if not scripts:
        page.click(".choosing button")
    page.wait_for_selector("tr.group:has-text('env staging')")
    page.click("a:text-is('Show all')")
    page.wait_for_selector("tr.group:has-text('env production')")
    assert page.locator("a.name").count() == 7
    assert seen.complaints == []
