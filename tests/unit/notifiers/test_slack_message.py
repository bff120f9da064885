"""What Slack is sent stays within its limits and mentions nobody, whatever a server wrote."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.incidents.notice import About, Notice, NoticeKind
from prober.incidents.rules import Severity
from prober.notifiers.slack import HEADER_LIMIT, SECTION_LIMIT, escaped, message


def by_block(payload: dict[str, Any]) -> list[str]:
    """The text of every block, in their order."""
    return [(block.get("text") or block["elements"][0])["text"] for block in payload["blocks"]]


def test_a_message_shows_title_cause_fix_and_link(make_notice: Callable[..., Notice]) -> None:
    payload = message(make_notice(), "https://prober.example")
    header, weight, cause, fix, footer = by_block(payload)
    assert header == "🔴 orders is down"
    assert weight == "*New incident · critical · down*"
    assert cause.splitlines()[:2] == ["It answers, but not with MCP (not-mcp)", "Evidence: a body of HTML"]
    assert fix == "*What to do*\nInstall the adapter:\n  layer: arn:aws:lambda:…"
    assert footer.startswith(
        "<https://prober.example/probes/00000000-0000-0000-0000-000000000009|Open the probe> · since 2026-11-20 12:00"
    )
    assert footer.endswith("notice 00000000-0000-0000-0000-000000000007")
    assert payload["text"] == "🔴 orders is down"


@pytest.mark.parametrize(
    ("changes", "mark", "words"),
    [
        ({"severity": Severity.WARNING}, "🟠", "New incident · warning · down"),
        ({"severity": Severity.INFO}, "🔵", "New incident · info · down"),
        ({"kind": NoticeKind.REMINDER}, "🔴", "Reminder: nobody has acknowledged it · critical · down"),
        ({"kind": NoticeKind.CLOSED}, "🟢", "Resolved"),
        (
            {"kind": NoticeKind.OUTAGE_OPENED, "about": About.OUTAGE, "verdict": None},
            "🔴",
            "Outage of many endpoints · critical",
        ),
        ({"kind": NoticeKind.OUTAGE_CLOSED, "about": About.OUTAGE}, "🟢", "The outage is over"),
        (
            {"kind": NoticeKind.IMPAIRED, "about": About.PROBER, "verdict": None},
            "🟣",
            "The prober itself cannot observe · critical",
        ),
        ({"kind": NoticeKind.RESTORED, "about": About.PROBER}, "🟢", "The prober observes again"),
        ({"kind": NoticeKind.TEST, "about": About.CHANNEL}, "⚪", "Test of this channel"),
    ],
)
def test_colour_and_words_show_what_it_is(
    make_notice: Callable[..., Notice], changes: dict[str, Any], mark: str, words: str
) -> None:
    header, weight, *_ = by_block(message(make_notice(**changes), None))
    assert header.startswith(f"{mark} ")
    assert weight == f"*{words}*"


def test_an_end_has_nothing_to_do(make_notice: Callable[..., Notice]) -> None:
    assert len(message(make_notice(kind=NoticeKind.CLOSED, fix=""), None)["blocks"]) == 4


def test_without_a_public_address_there_is_no_link(make_notice: Callable[..., Notice]) -> None:
    assert "<" not in by_block(message(make_notice(), None))[-1]


@pytest.mark.parametrize("attempt", ["<!channel>", "<@U012345>", "<https://evil.example|Click>", "<!here|x>"])
def test_remote_text_makes_no_mention_and_no_link(make_notice: Callable[..., Notice], attempt: str) -> None:
    payload = message(make_notice(title=attempt, lines=(attempt,), fix=attempt), None)
    assert "<" not in json.dumps(payload)
    assert f"&lt;{attempt[1:-1]}&gt;" in by_block(payload)[2]
    sections = [block["text"] for block in payload["blocks"] if block["type"] == "section"]
    assert all(each["verbatim"] for each in sections), "or Slack would look for names and addresses by itself"


@given(title=st.text(max_size=400), line=st.text(max_size=4000), fix=st.text(alphabet="&<>é🔴 \n", max_size=4000))
def test_no_limit_is_exceeded(make_notice: Callable[..., Notice], title: str, line: str, fix: str) -> None:
    payload = message(make_notice(title=title, lines=(line,), fix=fix), None)
    for block in payload["blocks"]:
        if "text" in block:
            limit = HEADER_LIMIT if block["type"] == "header" else SECTION_LIMIT
            assert 0 < len(block["text"]["text"].encode("utf-16-le", "surrogatepass")) // 2 <= limit
            assert block["text"]["text"].strip()


@given(text=st.text(alphabet="&<>a🔴"), limit=st.integers(2, 30))
def test_a_cut_never_falls_into_an_entity(text: str, limit: int) -> None:
    shown = escaped(text, limit)
    assert re.fullmatch(r"(?:&amp;|&lt;|&gt;|[^&<>])*", shown)
    assert len(shown.encode("utf-16-le")) // 2 <= limit
