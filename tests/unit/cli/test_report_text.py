"""The report for people."""

from dataclasses import replace

import pytest

from checks.model import CheckResult, Diagnosis, Endpoint, Outcome, ProbeReport, Verdict
from prober.cli.report_text import render


def test_a_healthy_server_takes_one_line_per_check_and_one_for_the_verdict(
    healthy: ProbeReport, endpoint: Endpoint
) -> None:
    assert render(healthy, endpoint).splitlines() == [
        "https://orders.example.com/mcp?[redacted]",
        "",
        "  pass  lifecycle        81 ms  orders 1.2.0 speaks 2026-07-28",
        "  pass  tools_list       40 ms  2 tools: find, list",
        "      - tools/list: a byte order mark before the JSON (bom)",
        "  skip  sentinel_call        -  no sentinel is configured",
        "  skip  streaming            -  not measured",
        "",
        "UP after 122 ms: 2026-07-28 over streamable-http, stateless era",
        "  no session; JSON to server/discover; events to tools/list",
    ]


def test_a_broken_server_gets_its_diagnosis_with_evidence_fix_and_curl(broken: ProbeReport, endpoint: Endpoint) -> None:
    assert render(broken, endpoint) == (
        "https://orders.example.com/mcp?[redacted]\n"
        "\n"
        "  fail  lifecycle       15.0 s  no conversation could be opened: server/discover\n"
        "                                → deadline (read): nothing came\n"
        "      - the answer never came\n"
        "        https://spec.example/lifecycle\n"
        "  skip  tools_list           -  not asked\n"
        "\n"
        "DOWN after 15.0 s: no conversation could be opened\n"
        "\n"
        "diagnosis: response-timeout (very likely, 90%)\n"
        "  No answer came within the deadline, although the connection stood. No answer\n"
        "  came within the deadline, although the connection stood.\n"
        "  evidence:\n"
        "    - server/discover → nothing in 15 s\n"
        "  fix:\n"
        "    Give the function more time:\n"
        "      aws lambda update-function-configuration --timeout 30 --function-name"
        " a-name-that-makes-this-line-longer-than-eighty-columns\n"
        "    and look at its log.\n"
        "  could also be:\n"
        "    - A security group drops packets: then no connection stands.\n"
        "  reproduce:\n"
        "    curl -sS -i -N --globoff -H 'X-Api-Key: ${API_KEY}' --url https://orders.example.com/mcp\n"
        "\n"
        "note: cold-start (possible, 60%)\n"
        "  The first request waited for a new instance.\n"
        "  evidence:\n"
        "    - the first wait was long"
    )


def test_prose_keeps_to_the_width_and_the_curl_line_stays_whole(broken: ProbeReport, endpoint: Endpoint) -> None:
    lines = render(broken, endpoint, width=60).splitlines()
    assert all(len(line) <= 60 for line in lines if "aws lambda" not in line and "curl" not in line)
    assert any(line.startswith("    curl") and line.endswith("/mcp") for line in lines)


@pytest.mark.parametrize("width", [40, 59, 60, 100])
def test_only_what_is_copied_is_wider_than_the_terminal(broken: ProbeReport, endpoint: Endpoint, width: int) -> None:
    lines = render(broken, endpoint, width=width).splitlines()
    wide = [line.strip() for line in lines if len(line) > width and " " in line.strip()]
    assert all(line.startswith(("curl ", "aws ")) for line in wide), wide


def test_unknown_says_that_it_says_nothing_about_the_endpoint(healthy: ProbeReport, endpoint: Endpoint) -> None:
    unknown = render(replace(healthy, verdict=Verdict.UNKNOWN), endpoint)
    assert "UNKNOWN after 122 ms: we could not observe" in unknown


@pytest.mark.parametrize("colour", [False, True])
def test_nothing_that_a_server_says_can_act_on_the_terminal(
    hostile: ProbeReport, endpoint: Endpoint, colour: bool
) -> None:
    text = render(hostile, endpoint, colour=colour)
    ours = text.replace("\x1b[0m", "")
    for code in ("1", "2", "31", "32", "33", "36", "1;31", "1;32"):
        ours = ours.replace(f"\x1b[{code}m", "")
    assert not [character for character in ours if not character.isprintable() and character != "\n"]
    assert "\nverdict" not in text.replace("    verdict: UP", "")
    assert "\u202e" not in text
    text.encode("utf-8")


def test_colours_come_only_when_asked_for_and_change_no_word(broken: ProbeReport, endpoint: Endpoint) -> None:
    plain, coloured = render(broken, endpoint), render(broken, endpoint, colour=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31mDOWN\x1b[0m" in coloured
    assert "\x1b[31mfail " in coloured


def test_a_long_summary_takes_two_lines_where_a_diagnosis_says_the_rest(
    broken: ProbeReport, endpoint: Endpoint
) -> None:
    wordy = replace(broken.results[0], summary="many words " * 30, findings=())
    explained = render(replace(broken, results=(wordy,)), endpoint).splitlines()
    assert explained[3].strip().endswith("…")
    assert explained[4] == ""
    unexplained = render(replace(broken, results=(wordy,), diagnoses=()), endpoint)
    assert unexplained.count("many") == 30


def test_a_finding_that_is_the_summary_is_said_once(broken: ProbeReport, endpoint: Endpoint) -> None:
    (finding,) = broken.results[0].findings
    said = render(replace(broken, results=(replace(broken.results[0], summary=finding.text),)), endpoint)
    assert said.count(finding.text) == 1
    assert finding.rule in said


def test_texts_without_bounds_are_cut(broken: ProbeReport, endpoint: Endpoint) -> None:
    endless: Diagnosis = replace(broken.diagnoses[1], fix="x" * 1_000_000, summary="y " * 1_000_000)
    assert len(render(replace(broken, diagnoses=(endless,)), endpoint)) < 30_000


def test_the_full_profile_ends_in_which_clients_can_connect(healthy: ProbeReport, endpoint: Endpoint) -> None:
    clients = (
        {"clients": "of the stateless era", "connect": "yes", "detail": "served"},
        {
            "clients": "of the handshake era",
            "connect": "no",
            "detail": "no revision of the handshake is answered, says\x1b",
        },
    )
    offers = {
        "2026-07-28": {"answer": "served", "said": "served"},
        "2025-11-25": {"answer": "refused", "said": "refused: JSON-RPC error -32022"},
        "2025-06-18": {"answer": "refused", "said": "refused: JSON-RPC error -32022"},
    }
    eras = CheckResult(check="eras", outcome=Outcome.PASS, summary="", facts={"clients": clients, "revisions": offers})
    lines = render(replace(healthy, results=(*healthy.results, eras)), endpoint).splitlines()
    assert lines[lines.index("which clients can connect") :] == [
        "which clients can connect",
        "  yes     of the stateless era: served",
        "  no      of the handshake era: no revision of the handshake is answered,",
        "          says\\u{1b}",
        "  offered: 2025-06-18 and 2025-11-25 refused: JSON-RPC error -32022; 2026-07-28",
        "    served",
    ]
