"""Lambda's report of an invocation is read in both spellings, and nothing else is taken for it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.function_logs.report_line import InvocationReport, report_of

ID = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
WARM = (
    f"REPORT RequestId: {ID}\tDuration: 15.74 ms\tBilled Duration: 16 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 56 MB\t\n"
)
COLD = WARM.replace("\t\n", "\tInit Duration: 130.49 ms\t\nXRAY TraceId: 1-5e34a614-xmpl\tSegmentId: 07f5xmpl\n")
RESTORED = WARM.replace("\t\n", "\tRestore Duration: 412.6 ms\tBilled Restore Duration: 87 ms\t\n")


def in_json(kind: str = "platform.report", request_id: str = ID, **metrics: Any) -> str:
    record = {"requestId": request_id, "metrics": {"durationMs": 15.74, "billedDurationMs": 16, **metrics}}
    return json.dumps({"time": "2026-11-20T12:00:00.000Z", "type": kind, "record": record})


@pytest.mark.parametrize(
    ("event", "report"),
    [
        (WARM, InvocationReport(function_ms=15.74, memory_mb=56)),
        (COLD, InvocationReport(function_ms=15.74, memory_mb=56, init_ms=130.49)),
        (RESTORED, InvocationReport(function_ms=15.74, memory_mb=56, restore_ms=412.6)),
        (in_json(), InvocationReport(function_ms=15.74)),
        (
            in_json(initDurationMs=130.49, maxMemoryUsedMB=56),
            InvocationReport(function_ms=15.74, memory_mb=56, init_ms=130.49),
        ),
        (in_json(restoreDurationMs=412), InvocationReport(function_ms=15.74, restore_ms=412)),
        (in_json(initDurationMs="soon", durationMs=True), InvocationReport()),
    ],
)
def test_both_spellings_say_the_same(event: str, report: InvocationReport) -> None:
    assert report_of(event, ID) == report


@pytest.mark.parametrize(
    "event",
    [
        "",
        f"START RequestId: {ID} Version: $LATEST",
        f"END RequestId: {ID}",
        f"the application says: {WARM}",
        WARM.replace("8f507cfc", "00000000"),
        f"REPORT RequestId: {ID}0\tDuration: 15.74 ms",
        in_json(kind="platform.start"),
        in_json(request_id="other"),
        "{",
        "{}",
        "[1]",
        json.dumps({"type": "platform.report", "record": {"requestId": ID, "metrics": 5}}),
        "{" * 100_000,
    ],
)
def test_other_events_are_no_report(event: str) -> None:
    assert report_of(event, ID) is None


@given(st.text(), st.text())
def test_whatever_a_log_holds_is_read_without_harm(event: str, request_id: str) -> None:
    report_of(event, request_id)
    report_of(f"REPORT RequestId: {request_id}\t{event}", request_id)


def test_a_start_ahead_of_time_was_not_waited_for() -> None:
    cold = InvocationReport(init_ms=800.0)
    assert cold.was_waited_for(1100.0)
    assert cold.was_waited_for(None)
    assert not cold.was_waited_for(40.0)
    assert not InvocationReport(function_ms=900.0).was_waited_for(1100.0)
    assert InvocationReport(restore_ms=300.0).was_waited_for(500.0)
