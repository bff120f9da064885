"""A run for machines. The form is versioned: keys may be added, none changes its meaning within a version."""

import json
from collections.abc import Mapping
from typing import Any, Final

from checks.axes import axes_of
from checks.encode import as_json
from checks.model import CheckResult, Diagnosis, Endpoint, Exchange, ProbeReport
from checks.text import shown_url
from prober.app.smoke import Examined, Run
from prober.cli.outcome import exit_of

SCHEMA_VERSION: Final = 1


def render(run: Run) -> str:
    """The run as one JSON document."""
    return plain(run_document(run), indent=2)


def render_lines(run: Run) -> str:
    """The run as one line for each endpoint, and a last one without `report` for the run."""
    lines = [plain({"schema_version": SCHEMA_VERSION, "kind": "endpoint", **_examined(each)}) for each in run.examined]
    return "\n".join([*lines, plain({"schema_version": SCHEMA_VERSION, "kind": "run", **_head(run)})])


def plain(value: Any, *, indent: int | None = None) -> str:
    """JSON in ASCII, in which what a server says is no command to the build that shows it: some act on `##[…]` anywhere
    in a line."""
    return json.dumps(value, indent=indent, allow_nan=False).replace("##", "#\\u0023")


def run_document(run: Run) -> dict[str, Any]:
    """The run as JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        **_head(run),
        "endpoints": [_examined(each) for each in run.examined],
    }


def _head(run: Run) -> dict[str, Any]:
    demands = run.demands
    return {
        "conclusion": run.conclusion.value,
        "exit_code": int(exit_of(run)),
        "prober": run.version,
        "started_at": run.started_at.isoformat(),
        "ms": _ms(run.duration_ms),
        "demands": {
            "profile": demands.profile.value,
            "passes": demands.passes,
            "wait_s": demands.wait_s,
            "cold": demands.cold,
            "tools": as_json(demands.tools),
            "version": as_json(demands.version),
            "answer_within_s": demands.answer_within_s,
            "baseline": None if demands.baseline is None else demands.baseline.saved_at,
            "fail_on": demands.fail_on.value,
            "strict": demands.strict,
        },
    }


def _examined(examined: Examined) -> dict[str, Any]:
    report = examined.report
    return {
        "name": as_json(examined.endpoint.name),
        "url": shown_url(examined.endpoint.url),
        "conclusion": examined.conclusion.value,
        "why": as_json(examined.judged.why),
        "demands": [_check(each) for each in examined.judged.demands],
        "attempts": [
            {
                "at_ms": _ms(each.at_ms),
                "ms": _ms(each.ms),
                "verdict": each.verdict.value,
                "cause": each.cause,
                "conclusion": each.conclusion.value,
                "missed": as_json(each.missed),
            }
            for each in examined.attempts
        ],
        "report": None if report is None else document(report, examined.endpoint),
    }


def document(report: ProbeReport, endpoint: Endpoint) -> dict[str, Any]:
    """The report of one probe as JSON values."""
    opener = report.opening.opener
    return {
        "verdict": report.verdict.value,
        "profile": report.profile.value,
        "endpoint": {"name": as_json(report.endpoint), "url": shown_url(endpoint.url)},
        "era": None if opener is None else opener.era.value,
        "protocol_version": None if opener is None else as_json(opener.protocol_version),
        "transport": None if opener is None else opener.transport.value,
        "axes": as_json(axes_of(report)),
        "server": {
            "name": as_json(report.opening.server_name),
            "version": as_json(report.opening.server_version),
            "capabilities": sorted(as_json(dict(report.opening.capabilities))),
            "has_session": report.opening.has_session,
        },
        "checks": [_check(result) for result in report.results],
        "diagnoses": [_diagnosis(diagnosis) for diagnosis in report.diagnoses],
        "timings": _timings(report),
        "exchanges": [_exchange(exchange) for exchange in report.exchanges],
        "started_at": report.started_at.isoformat(),
        "location": report.location,
    }


def _check(result: CheckResult) -> dict[str, Any]:
    return {
        "id": result.check,
        "outcome": result.outcome.value,
        "ms": _ms(result.ms),
        "summary": as_json(result.summary),
        "findings": [{"text": as_json(finding.text), "rule": as_json(finding.rule)} for finding in result.findings],
        "facts": as_json(result.facts),
        "exchanges": [exchange.id for exchange in result.exchanges],
    }


def _diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "id": diagnosis.id,
        "effect": diagnosis.effect.value,
        "confidence": diagnosis.confidence,
        "summary": as_json(diagnosis.summary),
        "evidence": [{"text": as_json(proof.text), "exchange": proof.exchange} for proof in diagnosis.evidence],
        "fix": as_json(diagnosis.fix),
        "reproduce": as_json(diagnosis.reproduce),
        "alternatives": as_json(diagnosis.alternatives),
        "facts": as_json(diagnosis.facts),
    }


def _timings(report: ProbeReport) -> dict[str, Any]:
    """Where the time went: the whole probe, each check, and the phases of the first exchange."""
    phases = report.exchanges[0].timings if report.exchanges else None
    names = ("dns_ms", "connect_ms", "tls_ms", "first_byte_ms")
    streaming: Mapping[str, Any] = next((each.facts for each in report.results if each.check == "streaming"), {})
    return {
        "total_ms": _ms(report.duration_ms),
        "checks": {result.check: _ms(result.ms) for result in report.results},
        **{name: None if phases is None else _ms(getattr(phases, name)) for name in names},
        "first_event_ms": _ms(streaming.get("first_event_ms")),
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    error = exchange.transport_error
    return {
        "id": exchange.id,
        "method": exchange.method,
        "rpc_method": as_json(exchange.rpc_method),
        "status": exchange.status,
        "at_ms": _ms(exchange.offset_ms),
        "ms": _ms(exchange.timings.total_ms),
        "error": None if error is None else {"failure": error.failure.value, "reason": as_json(error.reason)},
        "irregularities": as_json(exchange.irregularities),
    }


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
