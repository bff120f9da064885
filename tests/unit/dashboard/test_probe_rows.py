"""The table of an endpoint's probes."""

from collections.abc import Sequence
from datetime import timedelta

from checks.model import Profile, Verdict
from dashboard.views.probe_rows import LISTED, ListedProbe, listed_probes, older_view, probe_row
from prober.storage.queries import ReportRow
from tests.unit.dashboard.rows import NOW, report_row


def past(letters: str) -> list[ReportRow]:
    """Probes, newest first, one a minute: u up, d down, c after a cold start, f in full, - a slot without a probe."""
    return [_one(letter, minutes) for minutes, letter in enumerate(letters)]


def _one(letter: str, minutes: int) -> ReportRow:
    return report_row(
        slot=NOW - timedelta(minutes=minutes),
        verdict=Verdict.DOWN if letter == "d" else Verdict.UP,
        cause="adapter-missing" if letter == "d" else "",
        cause_summary="",
        cold=letter == "c",
        profile=Profile.FULL if letter == "f" else Profile.STANDARD,
        missed=int(letter == "-"),
        duration_ms=100.0 + minutes,
        wait_ms=40.0,
    )


def listed(reports: Sequence[ReportRow]) -> tuple[tuple[ListedProbe, ...], ReportRow | None]:
    return listed_probes(reports, [probe_row(each, NOW) for each in reports])


def test_probes_that_found_the_same_are_told_as_the_newest_and_a_line() -> None:
    rows, oldest = listed(past("uuuuudd"))
    assert [(each.row.verdict, each.alike.words if each.alike else "") for each in rows] == [
        (Verdict.UP, "4 more like it, whole 101 ms to 104 ms, wait 40 ms"),
        (Verdict.DOWN, ""),
        (Verdict.DOWN, ""),
    ]
    assert rows[0].alike is not None
    assert rows[0].alike.oldest.at.iso == (NOW - timedelta(minutes=4)).isoformat()
    folded_last = past("dduuuuu")
    assert oldest is not None
    assert oldest.slot == NOW - timedelta(minutes=6)
    assert listed(folded_last)[1] == folded_last[-1]


def test_cold_starts_full_probes_and_slots_without_a_probe_stand_for_themselves() -> None:
    rows, _ = listed(past("cccccfffff-----"))
    assert len(rows) == 15
    assert not any(each.alike for each in rows)


def test_there_is_an_end_to_the_table_and_a_way_to_what_is_older() -> None:
    reports = past("ud" * 50)
    rows, oldest = listed(reports)
    assert len(rows) == LISTED
    assert oldest == reports[LISTED - 1]
    older = older_view("a/b", oldest, len(reports))
    assert older is not None
    assert older.href == "/endpoints/a%2Fb?day=2026-11-20&hour=11#hour"
    assert older.words == "Older ones hour by hour, from 2026-11-20 11:00 back"


def test_a_short_past_has_nothing_older() -> None:
    reports = past("uuu")
    assert older_view("orders", listed(reports)[1], len(reports)) is None
    assert listed([]) == ((), None)
