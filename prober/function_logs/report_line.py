"""Reads the report that Lambda writes into a function's log at the end of each invocation, as text or as JSON."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_START: Final = "REPORT RequestId: "
# Lambda developer guide, "Viewing CloudWatch logs for Lambda functions" and "Monitoring for Lambda SnapStart"
_TEXT_FIELDS: Final = {
    "Duration": "function_ms",
    "Init Duration": "init_ms",
    "Restore Duration": "restore_ms",
    "Max Memory Used": "memory_mb",
}
_FIELD: Final = re.compile(r"(?P<name>[A-Z][A-Za-z ]{0,40}): (?P<value>[0-9]{1,12}(?:\.[0-9]{1,6})?) (?:ms|MB)")
# Lambda developer guide, "Lambda Telemetry API Event schema reference", ReportMetrics; logs in JSON have the same
_JSON_FIELDS: Final = {
    "durationMs": "function_ms",
    "initDurationMs": "init_ms",
    "restoreDurationMs": "restore_ms",
    "maxMemoryUsedMB": "memory_mb",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationReport:
    """One invocation as Lambda accounts for it."""

    function_ms: float | None = None
    """How long the handler ran."""
    init_ms: float | None = None
    """How long the instance took to start, where this invocation was its first."""
    restore_ms: float | None = None
    """How long its snapshot took to be restored, in place of that (SnapStart)."""
    memory_mb: float | None = None
    """The most that the instance used so far."""
    function_version: str | None = None
    """The published version that ran, where the name of the log stream tells it."""

    def was_waited_for(self, wait_ms: float | None) -> bool:
        """Whether a client who waited so long for the answer can have waited for the start of the instance.

        Lambda also starts instances ahead of time, for provisioned concurrency and on its own account, and reports
        that with the first invocation all the same.
        """
        start_ms = self.init_ms if self.restore_ms is None else self.restore_ms
        return start_ms is not None and (wait_ms is None or start_ms <= wait_ms)


def report_of(event: str, request_id: str) -> InvocationReport | None:
    """The report in one event of a log, or None where it is another event or about another request."""
    text = event.strip()
    if text.startswith("{"):
        return _of_json(text, request_id)
    named, _, rest = text.removeprefix(_START).partition("\t")
    if not text.startswith(_START) or named.strip() != request_id:
        return None
    found = {match["name"]: float(match["value"]) for match in _FIELD.finditer(rest)}
    told: dict[str, Any] = {field: found[name] for name, field in _TEXT_FIELDS.items() if name in found}
    return InvocationReport(**told)


def _of_json(text: str, request_id: str) -> InvocationReport | None:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    record = event.get("record") if isinstance(event, Mapping) else None
    if not isinstance(record, Mapping) or event.get("type") != "platform.report":
        return None
    metrics = record.get("metrics")
    if record.get("requestId") != request_id or not isinstance(metrics, Mapping):
        return None
    found: dict[str, Any] = {field: _number(metrics.get(name)) for name, field in _JSON_FIELDS.items()}
    return InvocationReport(**found)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e12 and math.isfinite(value) else None
