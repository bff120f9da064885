"""The forms that channels share: bounded, safe, and as the schema says."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from prober.incidents.notice import About, Notice, NoticeKind
from prober.incidents.rules import Severity
from prober.notifiers.forms import LINE_LIMIT, ROOM, bounded, colour, page, plain_text, short, versioned

SCHEMA = json.loads(files("prober.notifiers").joinpath("notice.v1.schema.json").read_text())


def test_the_schema_that_is_shipped_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    data = SCHEMA["properties"]["data"]["properties"]
    assert data["kind"]["enum"] == [each.value for each in NoticeKind]
    assert data["about"]["enum"] == [each.value for each in About]
    assert {*data["severity"]["enum"]} == {each.value for each in Severity}


@pytest.mark.parametrize("kind", NoticeKind)
def test_the_json_of_every_kind_is_as_the_schema_says(make_notice: Callable[..., Notice], kind: NoticeKind) -> None:
    told = versioned(make_notice(kind=kind, labels={"team": "shop"}), "https://prober.example")
    Draft202012Validator(SCHEMA).validate(told)
    assert told["data"].keys() == SCHEMA["properties"]["data"]["properties"].keys(), "every field is described"
    assert told["data"]["over"] == (kind in (NoticeKind.CLOSED, NoticeKind.OUTAGE_CLOSED, NoticeKind.RESTORED))


def test_moments_are_told_in_utc(make_notice: Callable[..., Notice]) -> None:
    notice = make_notice()
    elsewhere = replace(notice, at=notice.at.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert versioned(elsewhere, None)["timestamp"] == "2026-11-20T12:03:00.000Z"
    assert versioned(elsewhere, None)["type"] == "endpoint.opened"
    assert versioned(elsewhere, None)["data"]["link"] is None


def test_the_text_holds_everything_and_says_what_the_link_opens(make_notice: Callable[..., Notice]) -> None:
    text = plain_text(make_notice(), "https://prober.example")
    assert text.splitlines()[:3] == ["orders is down", "", "New incident · critical · down"]
    assert "What to do:\nInstall the adapter" in text
    assert "Open the probe: https://prober.example/probes/" in text
    assert text.splitlines()[-2:] == [
        "Incident 00000000-0000-0000-0000-000000000008, since 2026-11-20 12:00:00 UTC",
        "Notice 00000000-0000-0000-0000-000000000007",
    ]
    outage = plain_text(
        make_notice(about=About.OUTAGE, kind=NoticeKind.OUTAGE_OPENED, fix=""), "https://prober.example"
    )
    assert "Open the outage: https://prober.example/" in outage
    assert "\nOutage 00000000" in outage
    assert "What to do" not in outage


def test_the_page_shows_text_and_never_acts_on_it(make_notice: Callable[..., Notice]) -> None:
    hostile = "<script>alert('x')</script>&amp;\""
    shown = page(make_notice(title=hostile, lines=(hostile, "a\nb"), fix=hostile), 'https://prober.example/"><b>')
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;amp;&quot;") == 4
    assert "a<br>\nb" in shown
    assert 'href="https://prober.example/&quot;&gt;&lt;b&gt;/probes' in shown


def test_ends_and_impairments_have_a_colour_of_their_own(make_notice: Callable[..., Notice]) -> None:
    found = {
        colour(make_notice(severity=severity, kind=kind, about=about))
        for severity, kind, about in (
            *((each, NoticeKind.OPENED, About.ENDPOINT) for each in Severity),
            (Severity.CRITICAL, NoticeKind.CLOSED, About.ENDPOINT),
            (Severity.CRITICAL, NoticeKind.IMPAIRED, About.PROBER),
        )
    }
    assert len(found) == 5


def test_few_words_are_title_and_cause(make_notice: Callable[..., Notice]) -> None:
    assert short(make_notice(), 30) == "orders is down. It answers, b…"
    assert short(make_notice(lines=()), 30) == "orders is down."


@given(
    lines=st.lists(st.text(max_size=30) | st.just("x" * 5000), max_size=60),
    fix=st.text(max_size=50) | st.just("y\n" * 9000),
    room=st.sampled_from([40, 500, ROOM]),
)
def test_a_bounded_notice_keeps_to_its_room_and_stays_as_it_is(
    make_notice: Callable[..., Notice], lines: list[str], fix: str, room: int
) -> None:
    notice = bounded(make_notice(lines=tuple(lines), fix=fix), room)
    assert len("\n".join([*notice.lines, notice.fix])) <= room + 1
    assert all(len(line) <= LINE_LIMIT for line in notice.lines)
    assert bounded(notice, room) == notice


def test_what_is_blank_is_shown_as_such(make_notice: Callable[..., Notice]) -> None:
    notice = bounded(make_notice(title=" \n", endpoint="", diagnosis="  "))
    assert (notice.title, notice.endpoint, notice.diagnosis) == ("-", "-", None)
