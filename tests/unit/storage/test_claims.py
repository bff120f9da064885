"""What a claim carries from the question to the record of its probe."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from checks.model import Endpoint, Opening, ProbeReport, Profile, Verdict
from checks.standing import FullFindings, Told
from checks.tool_memory import ToolMemory
from prober.incidents.lifecycle import seen_of
from prober.storage.records import ReportRecord, record_of, remembered
from prober.storage.schedule import Claim

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
NEXT = NOON + timedelta(seconds=17)
"""Of the endpoint's grid, on which the request does not lie."""

ASKED = Claim(
    endpoint_id=uuid4(),
    endpoint=Endpoint(name="shop", url="https://shop.example/mcp", interval_s=60.0),
    slot=NOON,
    next_slot=NEXT,
    fence=1,
    profile=Profile.FULL,
    request=uuid4(),
    out_of_turn=True,
)
TOLD = Told(
    report=ProbeReport(
        endpoint="shop",
        slot=NOON,
        started_at=NOON,
        duration_ms=1.0,
        verdict=Verdict.UP,
        opening=Opening(),
        profile=Profile.FULL,
    ),
    findings=FullFindings(),
    is_full=True,
)


def test_the_slot_after_a_request_is_one_of_the_timetable_and_answers_nobody() -> None:
    following = remembered(TOLD, ASKED, ToolMemory())
    assert (following.slot, following.next_slot) == (NEXT, NEXT + timedelta(seconds=60))
    assert (following.request, following.out_of_turn, following.profile) == (None, False, Profile.STANDARD)


def test_the_record_of_a_request_says_which_it_answers() -> None:
    seen = seen_of(TOLD.report, uuid4())
    record = record_of(TOLD, ASKED, ToolMemory(), seen, worker="one")
    assert ReportRecord.from_bytes(record.to_bytes()).request == ASKED.request
    usual = record_of(TOLD, replace(ASKED, request=None), ToolMemory(), seen, worker="one")
    assert ReportRecord.from_bytes(usual.to_bytes(slim=True)).request is None
