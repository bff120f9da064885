"""What PagerDuty is told."""

from collections.abc import Callable

import pytest

from prober.incidents.notice import Notice, NoticeKind
from prober.incidents.rules import Severity
from prober.notifiers.pagerduty import PagerDutySettings, event

KEY = "0123456789abcdef0123456789abcdef"


def test_an_opening_triggers_an_alert_with_what_is_known(make_notice: Callable[..., Notice]) -> None:
    found = event(make_notice(labels={"team": "shop"}), KEY, "https://prober.example")
    details = found["payload"].pop("custom_details")
    link = "https://prober.example/probes/00000000-0000-0000-0000-000000000009"
    assert found == {
        "routing_key": KEY,
        "dedup_key": "00000000-0000-0000-0000-000000000008",
        "event_action": "trigger",
        "payload": {
            "summary": "orders is down",
            "source": "orders",
            "severity": "critical",
            "timestamp": "2026-11-20T12:03:00+00:00",
            "component": "orders",
            "class": "not-mcp",
        },
        "client": "mcp-prober",
        "client_url": link,
        "links": [{"href": link, "text": "Open the probe"}],
    }
    assert details["what"] == "New incident · critical · down"
    assert details["lines"][0] == "It answers, but not with MCP (not-mcp)"
    assert details["fix"].startswith("Install the adapter")
    assert details["labels"] == {"team": "shop"}


@pytest.mark.parametrize("kind", [NoticeKind.CLOSED, NoticeKind.OUTAGE_CLOSED, NoticeKind.RESTORED])
def test_an_end_resolves_the_alert_of_its_thread(make_notice: Callable[..., Notice], kind: NoticeKind) -> None:
    assert event(make_notice(kind=kind), KEY, None) == {
        "routing_key": KEY,
        "dedup_key": "00000000-0000-0000-0000-000000000008",
        "event_action": "resolve",
    }


@pytest.mark.parametrize("severity", Severity)
def test_severities_have_the_same_names(make_notice: Callable[..., Notice], severity: Severity) -> None:
    found = event(make_notice(severity=severity, diagnosis=None), KEY, None)
    assert found["payload"]["severity"] == severity.value
    assert found["payload"]["class"] == "opened"
    assert "links" not in found


def test_a_test_says_that_nothing_else_will_resolve_it(make_notice: Callable[..., Notice]) -> None:
    sent = event(make_notice(kind=NoticeKind.TEST, title="Test of the channel pager"), KEY, None)
    assert sent["payload"]["summary"] == "Test of the channel pager: resolve it by hand, a test has no end"


def test_each_region_has_its_own_address() -> None:
    assert PagerDutySettings(routing_key="env:KEY").url == "https://events.pagerduty.com/v2/enqueue"
    assert PagerDutySettings(routing_key="env:KEY", region="eu").url == "https://events.eu.pagerduty.com/v2/enqueue"
    elsewhere = PagerDutySettings(routing_key="env:KEY", region="eu", endpoint_url="https://proxy.example/pd")
    assert elsewhere.url == "https://proxy.example/pd"
