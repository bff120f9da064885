"""The dashboard as a person meets it: in light and dark, on a phone, with the keyboard, without scripts."""

from dataclasses import replace

import pytest

from tests.e2e.conftest import Dashboard, Open
from tests.integration.dashboard.stories import FLEET

ORDERS = FLEET[0]
BILLING = FLEET[1]
PAGES = ("/", "/endpoints/orders", "/endpoints/billing%20adapter", "/incidents")

CONTRAST = """() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = rgb(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest("svg, [aria-hidden=true]")) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${node.className || node.tagName}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(poor)];
}"""
SCROLLED_SIDEWAYS = """[...document.querySelectorAll("[data-scroll]")]
  .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.getAttribute("aria-label"))"""
"""A reader on a phone does not find what lies beyond the edge of a table."""
TOP_OF_HISTORY = "document.getElementById('history').getBoundingClientRect().top"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_every_screen_with_enough_contrast_and_no_complaint(
    read_dashboard: Dashboard, visit: Open, scheme: str
) -> None:
    for width in (360, 768, 1440):
        for address in PAGES:
            seen = visit(
                read_dashboard.address + address, color_scheme=scheme, viewport={"width": width, "height": 900}
            )
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= width, (address, width)
            assert seen.page.evaluate(SCROLLED_SIDEWAYS) == [], (address, width)
            assert seen.page.evaluate(CONTRAST) == [], address
            assert seen.complaints == [], address


def test_a_name_as_long_as_may_be_without_a_blank_fits_a_phone(dashboard: Dashboard, visit: Open) -> None:
    name = "n" * 250
    dashboard.rename("billing adapter", name)
    dashboard.publish(name, "t" * 60)
    (incident,) = dashboard.rows("select incident.id from incident join endpoint on endpoint.id = endpoint_id"
                                 f" where name = '{name}'")  # fmt: skip
    (probe,) = dashboard.rows("select report.id from report join endpoint on endpoint.id = endpoint_id"
                              f" where name = '{name}' order by slot desc limit 1")  # fmt: skip
    page = visit(dashboard.address, viewport={"width": 360, "height": 900}).page
    places = ("/", "/incidents", "/status", f"/endpoints/{name}", f"/incidents/{incident}", f"/probes/{probe}")
    for place in places:
        page.goto(dashboard.address + place)
        assert page.locator("h1").count() == 1, place
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, place


def test_the_contents_of_an_endpoints_page_lead_to_its_sections(read_dashboard: Dashboard, visit: Open) -> None:
    page = visit(f"{read_dashboard.address}/endpoints/orders", java_script_enabled=False).page
    page.focus("#to-cold")
    page.keyboard.press("Enter")
    page.wait_for_url("**#cold")
    top = page.locator("#cold").bounding_box()["y"]
    assert 0 <= top < 200
    assert page.locator("#contents").bounding_box()["y"] >= 0, "it stays in sight"


def test_a_new_verdict_appears_by_itself_and_leaves_the_reader_where_he_was(dashboard: Dashboard, visit: Open) -> None:
    seen = visit(f"{dashboard.address}/endpoints/billing%20adapter")
    page = seen.page
    page.wait_for_selector("#live[data-state=on]")
    page.click("text=Reproduce without this tool")
    page.evaluate(f"window.scrollBy(0, {TOP_OF_HISTORY} - 200)")
    read = page.evaluate(TOP_OF_HISTORY)
    assert read == pytest.approx(200, abs=1)
    dashboard.add_probe(replace(BILLING, diagnosis=None), "u")
    page.wait_for_selector("h1:has-text('billing adapter is up')")
    assert page.evaluate(TOP_OF_HISTORY) == pytest.approx(read, abs=1), "the diagnosis above it is gone"
    dashboard.add_probe(BILLING, "d")
    page.wait_for_selector("h1:has-text('billing adapter is down')")
    assert page.evaluate(TOP_OF_HISTORY) == pytest.approx(read, abs=1), "and has come back"
    assert page.title().startswith("down · billing adapter")
    assert seen.complaints == []


def test_whoever_sees_the_head_of_a_page_sees_the_news_in_it(dashboard: Dashboard, visit: Open) -> None:
    page = visit(f"{dashboard.address}/endpoints/orders").page
    page.wait_for_selector("#live[data-state=on]")
    page.evaluate("window.scrollTo(0, 40)")
    dashboard.add_probe(replace(ORDERS, diagnosis=BILLING.diagnosis), "d")
    page.wait_for_selector("h1:has-text('orders is down')")
    assert page.evaluate("window.scrollY") == 40


def test_what_was_opened_stays_open_when_news_arrive(dashboard: Dashboard, visit: Open) -> None:
    page = visit(f"{dashboard.address}/endpoints/orders").page
    page.wait_for_selector("#live[data-state=on]")
    page.click("summary:has-text('What is listed')")
    assert page.evaluate("document.getElementById('tools').open") is False
    before = page.locator("table.probes tbody tr a").first.inner_text()
    dashboard.add_probe(ORDERS, "u")
    page.wait_for_function("old => document.querySelector('table.probes a').innerText !== old", arg=before)
    assert page.evaluate("document.getElementById('tools').open") is False


def test_what_was_begun_to_write_is_still_there_when_news_arrive(dashboard: Dashboard, visit: Open) -> None:
    page = visit(f"{dashboard.address}/endpoints/billing%20adapter").page
    page.wait_for_selector("#live[data-state=on]")
    page.locator("#deploy-reason").press_sequentially("1.5 rolls")
    page.keyboard.press("ArrowLeft")
    dashboard.add_probe(replace(BILLING, diagnosis=None), "u")
    page.wait_for_selector("h1:has-text('billing adapter is up')")
    page.keyboard.type("out, fully, and recal")
    assert page.input_value("#deploy-reason") == "1.5 rollout, fully, and recals"


@pytest.mark.parametrize("scripts", [True, False])
def test_the_list_that_an_endpoint_has_now_is_accepted_by_its_button(
    dashboard: Dashboard, visit: Open, scripts: bool
) -> None:
    seen = visit(f"{dashboard.address}/endpoints/orders", java_script_enabled=scripts)
    assert "find_customers tool removed" in seen.page.inner_text("ul.changes")

    seen.page.click("text=Accept this list")

    seen.page.wait_for_selector("text=accepted by somebody at the dashboard")
    assert seen.page.url == f"{dashboard.address}/endpoints/orders#tool-lists"
    assert seen.page.locator("#accept-tools").count() == 0
    assert seen.complaints == []


def test_when_the_database_is_gone_a_red_bar_says_so_and_goes_when_it_is_back(
    dashboard: Dashboard, visit: Open
) -> None:
    page = visit(f"{dashboard.address}/").page
    page.wait_for_selector("#live[data-state=on]")
    dashboard.break_tables()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector("#trouble:has-text('What you see is from the last time it did')")
    page.wait_for_selector("#live[data-state=off]:has-text('nothing is live')")
    assert page.locator("table.fleet tbody tr").count() == len(FLEET)
    dashboard.mend_tables()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector("#trouble", state="hidden")
    page.wait_for_selector("#live[data-state=on]:text-is('live')")


def test_a_page_that_cannot_be_shown_does_not_say_that_it_is_live_until_it_is(
    dashboard: Dashboard, visit: Open
) -> None:
    dashboard.break_tables()
    page = visit(f"{dashboard.address}/").page
    with page.expect_response("**/?fragment=1"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.inner_text("#live") == "nothing is live"
    assert page.locator("#trouble").is_hidden(), "the page itself says it"
    dashboard.mend_tables()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector("#live[data-state=on]:text-is('live')")
    assert page.locator("table.fleet tbody tr").count() == len(FLEET)


def test_evidence_leads_to_the_exchange_and_opens_it(read_dashboard: Dashboard, visit: Open) -> None:
    page = visit(f"{read_dashboard.address}/endpoints/billing%20adapter").page
    page.click("text=in x1 >> nth=0")
    page.wait_for_selector("#in-x1:visible")
    assert "Hello from Lambda!" in page.locator("#in-x1").inner_text()


def test_pages_read_without_scripts(read_dashboard: Dashboard, visit: Open) -> None:
    page = visit(f"{read_dashboard.address}/", java_script_enabled=False).page
    page.click("a.name:has-text('billing adapter')")
    page.click("text=See what was sent and what came back")
    page.click(".exchange summary")
    assert "Hello from Lambda!" in page.locator(".exchange-body").inner_text()


def test_the_keyboard_reaches_every_endpoint_with_a_visible_focus(read_dashboard: Dashboard, visit: Open) -> None:
    page = visit(f"{read_dashboard.address}/").page
    focused = set()
    while True:
        page.keyboard.press("Tab")
        element, name, outline = page.evaluate(
            "() => { const at = document.activeElement; "
            "return [at.tagName, at.innerText, getComputedStyle(at).outlineStyle]; }"
        )
        if element == "BODY":
            break
        assert outline != "none", name
        focused.add(name)
    assert {story.endpoint.name for story in FLEET} <= focused


def test_a_verdict_shows_without_its_colour(read_dashboard: Dashboard, visit: Open) -> None:
    page = visit(f"{read_dashboard.address}/").page
    shown = page.evaluate(
        """() => [...document.querySelectorAll(".cell-verdict .verdict")].map((each) =>
             [each.innerText, each.querySelector("use").getAttribute("href")])"""
    )
    assert {tuple(pair) for pair in shown} >= {("down", "#i-down"), ("degraded", "#i-degraded"), ("up", "#i-up")}
