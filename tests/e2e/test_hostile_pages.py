"""Five hundred hostile texts in everything that a page shows: the browser finds no element that is not ours."""

from itertools import cycle

import psycopg
from sqlalchemy.engine import make_url

from tests.e2e.conftest import Dashboard, Open
from tests.e2e.hostile_rows import fill
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


def pages_of(dashboard: Dashboard) -> list[str]:
    """Every page that there is to read."""
    url = make_url(dashboard.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        names = [name for (name,) in connection.execute("select name from endpoint order by name")]
        probes = [
            each
            for (each,) in connection.execute("select id from report where missed = 0 order by slot desc limit 120")
        ]
        incidents = [each for (each,) in connection.execute("select id from incident")]
    return [
        "/", "/?group=team", "/incidents", "/channels", "/status",
        "/settings", "/settings/audit",
        *(f"/endpoints/{name}" for name in names),
        *(f"/incidents/{each}" for each in incidents),
        *(f"/probes/{each}" for each in probes[::8]),
    ]  # fmt: skip


def test_five_hundred_hostile_texts_make_no_element_attribute_or_script(dashboard: Dashboard, visit: Open) -> None:
    url = make_url(dashboard.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    pages = pages_of(dashboard)
    fill(url, lambda: "a plain text")
    seen = visit(dashboard.address)
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
    answer = page.goto(address)  # type: ignore[attr-defined]
    assert answer.status == 200, address
    found: dict[str, list[str]] = page.evaluate(MARKUP)  # type: ignore[attr-defined]
    return found
