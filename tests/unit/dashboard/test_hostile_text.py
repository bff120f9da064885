"""Whatever a watched server or a careless file puts into a text, the pages show it as text."""

from html.parser import HTMLParser
from typing import Any

import pytest
from starlette.requests import Request

from checks.text import clean
from dashboard.rendering import page
from dashboard.views.channels import channels_view
from dashboard.views.endpoint import endpoint_view
from dashboard.views.fleet import fleet_view
from dashboard.views.incident import IncidentPageView, incident_page
from dashboard.views.incidents import incidents_view
from dashboard.views.probe import probe_view
from prober.storage.decisions import What
from tests.unit.dashboard.rows import (
    ID,
    NOW,
    Say,
    attempt,
    channel,
    comment,
    decision,
    endpoint_page,
    fleet_row,
    incident,
    notice,
    outage,
    probe_page,
    silence,
    transition,
)

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></code></pre><svg onload=alert(1)>",
    "--><!--<script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    "javascript:alert(1)",
    "//evil.example/x",
    'https://modelcontextprotocol.io.evil.example/"><script>',
    "&lt;script&gt;&#60;script&#62;",
    "\u202e\u200b\x00\x1b[31m<b>bold</b>",
)


class Seen(HTMLParser):
    """The elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def one_incident(say: Say) -> IncidentPageView:
    return incident_page(
        incident(say, outage_id=ID),
        NOW,
        transitions=[transition(say)],
        comments=[comment(say)],
        decisions=[decision(say), decision(say, what=What.SNOOZE)],
        notices=[notice(say)],
        tries={ID: [attempt(say)]},
        outage=outage(say),
    )


def rendered(say: Say) -> dict[str, Seen]:
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})
    questions = {"lifecycle": "?"}
    pages: dict[str, dict[str, Any]] = {
        "fleet.html": {"fleet": fleet_view([fleet_row(say, incident=incident(say))], NOW, silence=silence(say))},
        "endpoint.html": {"endpoint": endpoint_view(endpoint_page(say), questions, NOW, silence(say))},
        "probe.html": {"probe": probe_view(probe_page(say), questions, NOW, incident=incident(say))},
        "incidents.html": {
            "incidents": incidents_view(
                [incident(say), incident(say, acknowledged_at=None)],
                [notice(say)],
                NOW,
                outages=[outage(say)],
                silence=silence(say),
            )
        },
        "incident.html": {"incident": one_incident(say)},
        "channels.html": {"channels": channels_view([channel(say)], [attempt(say)], NOW)},
    }
    return {name: Seen(bytes(page(request, name, live=None, **values).body).decode()) for name, values in pages.items()}


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_adds_no_element_no_attribute_and_no_address(payload: str) -> None:
    harmless, hostile = rendered(lambda _: "a plain word"), rendered(lambda _: payload)
    for name, seen in hostile.items():
        assert seen.elements == harmless[name].elements, name
        assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in seen.links), name


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_is_shown_as_it_is(payload: str) -> None:
    for name, seen in rendered(lambda _: payload).items():
        assert clean(payload) in seen.text, name


def test_no_page_has_inline_style_script_or_handlers() -> None:
    for name, seen in rendered(lambda text: text).items():
        for tag, attributes in seen.elements:
            assert tag not in ("style", "script"), name
            assert not [each for each in attributes if each == "style" or each.startswith("on")], name
