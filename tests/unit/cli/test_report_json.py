"""The report for machines: its form is a promise."""

import json
from collections.abc import Callable

from checks.model import Endpoint, ProbeReport
from prober.app.smoke import Run
from prober.cli.report_json import SCHEMA_VERSION, document, render, render_lines

Runs = Callable[..., Run]


def test_the_form_of_a_run_of_version_1(healthy: ProbeReport, endpoint: Endpoint, run_of: Runs) -> None:
    found = json.loads(render(run_of(healthy)))
    (of_endpoint,) = found.pop("endpoints")
    assert found == {
        "schema_version": SCHEMA_VERSION,
        "conclusion": "passed",
        "exit_code": 0,
        "prober": "9.9",
        "started_at": "2026-11-20T12:00:00+00:00",
        "ms": 130.0,
        "demands": {
            "profile": "standard",
            "passes": 1,
            "wait_s": None,
            "cold": 0,
            "tools": [],
            "version": None,
            "answer_within_s": None,
            "baseline": None,
            "fail_on": "degraded",
            "strict": False,
        },
    }
    assert of_endpoint.pop("report") == document(healthy, endpoint)
    assert of_endpoint == {
        "name": "orders.example.com",
        "url": "https://orders.example.com/mcp?[redacted]",
        "conclusion": "passed",
        "why": [],
        "demands": [],
        "attempts": [{"at_ms": 0.0, "ms": 122.4, "verdict": "up", "cause": None, "conclusion": "passed", "missed": []}],
    }


def test_each_endpoint_is_a_line_and_the_run_is_the_last(
    healthy: ProbeReport, broken: ProbeReport, run_of: Runs
) -> None:
    *endpoints, last = [json.loads(line) for line in render_lines(run_of(healthy, broken)).splitlines()]
    assert [(each["kind"], each["conclusion"]) for each in endpoints] == [
        ("endpoint", "passed"),
        ("endpoint", "failed"),
    ]
    assert (last["kind"], last["conclusion"], last["exit_code"]) == ("run", "failed", 1)
    assert "endpoints" not in last


def test_the_form_of_a_report_of_version_1(healthy: ProbeReport, endpoint: Endpoint) -> None:
    assert document(healthy, endpoint) == {
        "verdict": "up",
        "profile": "standard",
        "endpoint": {"name": "orders.example.com", "url": "https://orders.example.com/mcp?[redacted]"},
        "era": "stateless",
        "protocol_version": "2026-07-28",
        "transport": "streamable-http",
        "axes": {
            "era": "stateless",
            "protocol_version": "2026-07-28",
            "transport": "streamable-http",
            "session": "none",
            "replies": {"server/discover": ["json"], "tools/list": ["event-stream"]},
        },
        "server": {"name": "orders", "version": "1.2.0", "capabilities": ["prompts", "tools"], "has_session": False},
        "checks": [
            {
                "id": "lifecycle",
                "outcome": "pass",
                "ms": 81.3,
                "summary": "orders 1.2.0 speaks 2026-07-28",
                "findings": [],
                "facts": {},
                "exchanges": ["x1"],
            },
            {
                "id": "tools_list",
                "outcome": "pass",
                "ms": 40.0,
                "summary": "2 tools: find, list",
                "findings": [],
                "facts": {"tools": ["find", "list"], "tool_count": 2},
                "exchanges": ["x2"],
            },
            {
                "id": "sentinel_call",
                "outcome": "skip",
                "ms": 0.0,
                "summary": "no sentinel is configured",
                "findings": [],
                "facts": {},
                "exchanges": [],
            },
            {
                "id": "streaming",
                "outcome": "skip",
                "ms": 0.0,
                "summary": "not measured",
                "findings": [],
                "facts": {"first_event_ms": 61.23},
                "exchanges": [],
            },
        ],
        "diagnoses": [],
        "timings": {
            "total_ms": 122.4,
            "checks": {"lifecycle": 81.3, "tools_list": 40.0, "sentinel_call": 0.0, "streaming": 0.0},
            "dns_ms": 2.0,
            "connect_ms": 11.0,
            "tls_ms": 20.0,
            "first_byte_ms": 80.0,
            "first_event_ms": 61.2,
        },
        "exchanges": [
            {
                "id": "x1", "method": "POST", "rpc_method": "server/discover", "status": 200, "at_ms": 0.0,
                "ms": 81.3, "error": None, "irregularities": [],
            },
            {
                "id": "x2", "method": "POST", "rpc_method": "tools/list", "status": 200, "at_ms": 82.0, "ms": 40.0,
                "error": None,
                "irregularities": [{"code": "bom", "detail": "a byte order mark before the JSON"}],
            },
        ],
        "started_at": "2026-11-20T12:00:00+00:00",
        "location": "local",
    }  # fmt: skip


def test_a_failed_opening_has_no_era_and_says_why_in_its_diagnosis(broken: ProbeReport, endpoint: Endpoint) -> None:
    found = document(broken, endpoint)
    assert (found["era"], found["protocol_version"], found["transport"]) == (None, None, None)
    assert found["axes"] == {
        "era": None, "protocol_version": None, "transport": None, "session": None, "replies": {},
    }  # fmt: skip
    note, cause = found["diagnoses"]
    assert note["effect"] == "information"
    assert set(cause) == {
        "id", "effect", "confidence", "summary", "evidence", "fix", "reproduce", "alternatives", "facts",
    }  # fmt: skip
    assert cause["evidence"] == [{"text": "server/discover → nothing in 15 s", "exchange": "x1"}]
    assert found["exchanges"][0]["error"] == {"failure": "deadline", "reason": "read"}
    assert found["checks"][0]["findings"] == [
        {"text": "the answer never came", "rule": "https://spec.example/lifecycle"}
    ]


def test_what_a_server_says_arrives_as_plain_ascii(hostile: ProbeReport, run_of: Runs) -> None:
    text = render(run_of(hostile))
    assert text.isascii()
    assert all(character == "\n" or character.isprintable() for character in text)
    assert "\\ud800" not in text.replace("\\\\ud800", "")
    json.loads(text)
