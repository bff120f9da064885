"""Five hundred hostile texts in everything that a page shows: the browser finds no element that is not ours."""

from itertools import cycle

from prober.storage.people import Role
from tests.e2e.conftest import PASSWORD, Dashboard, Open
from tests.e2e.hostile_rows import fill
from tests.e2e.pages import every_page, log_in
from tests.e2e.payloads import PAYLOADS

MARKUP = """() => {
  const all = [...document.querySelectorAll("*")];
  const outward = all.flatMap((each) => ["href", "src", "action", "formaction", "xlink:href"]
    .map((name) => each.getAttribute(name)).filter(Boolean));
  return {
    elements: [...new Set(all.map((each) => each.namespaceURI + " " + each.localName))],
    attributes: [...new Set(all.flatMap((each) => [...each.attributes].map((one) => one.name)))],
    schemes: [...new Set(outward.map((each) => new URL(each, location).protocol))],
    scripts: [...document.scripts].map((each) => each.src.split("?")[0].split("/").pop()),
    stolen: Boolean(window.stolen) || document.title === "stolen",
  };
}"""


def test_five_hundred_hostile_texts_make_no_element_attribute_or_script(
    guarded_dashboard: Dashboard, visit: Open
) -> None:
    dashboard = guarded_dashboard
    dashboard.add_person("ada", Role.ADMIN)
    seen = visit(f"{dashboard.address}/login")
    log_in(seen.page, dashboard, "ada", PASSWORD)
    pages, url = every_page(dashboard, probes=2), dashboard.plain_url
    fill(url, lambda: "a plain text")
    known = [_markup(seen.page, dashboard.address + each) for each in pages]

    shown, texts = 0, cycle(PAYLOADS)

    def next_text() -> str:
        nonlocal shown
        shown += 1
        return next(texts)

    fill(url, next_text)
    assert shown >= len(PAYLOADS)
    for address, plain in zip(pages, known, strict=True):
        found = _markup(seen.page, dashboard.address + address)
        assert not found["stolen"], address
        for kind in ("elements", "attributes", "schemes", "scripts"):
            assert set(found[kind]) <= set(plain[kind]) | ALLOWED.get(kind, set()), (address, kind)
    assert seen.complaints == []


ALLOWED = {"schemes": {"http:", "https:"}}
"""A link into the specification may be there for one text and not for another."""


def _markup(page: object, address: str) -> dict[str, list[str]]:
    answer = page.goto(address)
    assert answer.status == 200, address
    found: dict[str, list[str]] = page.evaluate(MARKUP)
    return found
