"""What somebody on call does at the dashboard, from login to comment: by the keyboard alone, and without scripts."""

from typing import Any

from prober.storage.people import Role
from tests.e2e.conftest import PASSWORD, Dashboard, Open

AT = """() => {
  const at = document.activeElement;
  const name = (at.getAttribute("aria-label") || at.labels?.[0]?.innerText || at.innerText || "").trim();
  return {name, tag: at.tagName, outline: getComputedStyle(at).outlineStyle};
}"""


def test_the_keyboard_alone_is_enough_for_a_night_on_call(guarded_dashboard: Dashboard, visit: Open) -> None:
    guarded_dashboard.add_person("olaf", Role.OPERATOR)
    seen = visit(f"{guarded_dashboard.address}/login")
    page = seen.page
    _tab_to(page, "Name")
    page.keyboard.type("olaf")
    _tab_to(page, "Password")
    page.keyboard.type(PASSWORD)
    _press_enter(page)

    page.wait_for_selector("#live[data-state=on]")
    _tab_to(page, "Search")
    page.keyboard.type("adapter")
    page.wait_for_selector(".choosing .told:has-text('1 of 7 endpoints')")
    _tab_to(page, "billing adapter")
    _press_enter(page)

    _tab_to(page, "Probe now")
    _press_enter(page)
    page.wait_for_selector("#asked:has-text('olaf')")

    _tab_to(page, "The function behind the Function URL", backwards=True)
    _press_enter(page)
    _tab_to(page, "Acknowledge")
    _press_enter(page)
    page.wait_for_selector("text=olaf has it in hand")
    _tab_to(page, "Comment")
    page.keyboard.type("It is the layer.")
    _tab_to(page, "Comment")
    _press_enter(page)
    page.wait_for_selector(".comment:has-text('It is the layer.')")
    assert seen.complaints == []


def test_no_script_is_needed_for_a_night_on_call(guarded_dashboard: Dashboard, visit: Open) -> None:
    guarded_dashboard.add_person("olaf", Role.OPERATOR)
    page = visit(f"{guarded_dashboard.address}/login", java_script_enabled=False).page
    page.fill("input[name=name]", "olaf")
    page.fill("input[name=password]", PASSWORD)
    page.click("button.main")
    page.fill("#fleet-search", "adapter")
    page.click(".choosing button")
    page.click("a.name:has-text('billing adapter')")
    page.click("#probe-now")
    assert "olaf" in page.inner_text("#asked")
    page.click("a.incident-link")
    page.click("button:text-is('Acknowledge')")
    page.fill("#words", "It is the layer.")
    page.click("button:text-is('Comment')")
    assert "olaf has it in hand" in page.inner_text(".history")
    assert page.inner_text(".comment") == "It is the layer."


def test_the_link_of_the_first_start_makes_an_admin(guarded_dashboard: Dashboard, visit: Open) -> None:
    seen = visit(guarded_dashboard.setup_link())
    page = seen.page
    assert "#" not in page.url, "the code is in nobody's history"
    page.fill("input[name=name]", "ada")
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=again]", PASSWORD)
    page.click("button.main")
    assert page.inner_text(".self a") == "ada"
    page.click("text=Log out")
    assert page.url.partition("?")[0] == f"{guarded_dashboard.address}/login"
    assert seen.complaints == []


def _tab_to(page: Any, name: str, backwards: bool = False) -> None:
    """Go on by Tab to what begins with that name, and see each step where one is."""
    for _ in range(250):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        at = page.evaluate(AT)
        assert at["tag"] == "BODY" or at["outline"] != "none", at["name"]
        if at["name"].startswith(name):
            return
    raise AssertionError(f"Tab never comes to {name}")


def _press_enter(page: Any) -> None:
    with page.expect_navigation():
        page.keyboard.press("Enter")
