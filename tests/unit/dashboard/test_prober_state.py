"""What the fleet page says of the prober itself."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from dashboard.views.prober_state import prober_view
from prober.incidents.impairment import Trouble
from prober.storage.workers import Prober, WorkerRow

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WORKER = WorkerRow(name="host-1", location="fra", version="0.1.0", started_at=NOW, seen_at=NOW)
WELL = Prober(workers=(WORKER,), seen_at=NOW, troubles=(), unsent_since=None)
NEVER = Prober(workers=(), seen_at=None, troubles=(), unsent_since=None)


def trouble(reason: str, detail: str = "No network.") -> Trouble:
    return Trouble(id=UUID(int=1), worker="host-1", reason=reason, detail=detail, since=NOW - timedelta(minutes=3))


def test_a_prober_that_is_well_is_named_and_nothing_else() -> None:
    view = prober_view(WELL, NOW)
    assert (view.silent, view.alarms, view.workers) == ("", (), "Probed by host-1 at fra.")


def test_a_database_that_no_worker_has_met_yet_is_no_alarm() -> None:
    assert prober_view(NEVER, NOW) == prober_view(NEVER, NOW + timedelta(days=1))
    assert prober_view(NEVER, NOW).silent == ""


def test_results_are_stale_once_no_worker_has_been_seen_for_a_minute() -> None:
    gone = Prober(workers=(), seen_at=NOW - timedelta(seconds=61), troubles=(), unsent_since=None)
    assert prober_view(gone, NOW).silent.startswith(
        "Results are stale: no prober has been seen since 2026-11-21 11:58:59 UTC."
    )


def test_troubles_are_alarms_and_hostile_text_in_them_is_visible() -> None:
    reasons = ("no-connectivity", "secret", "trust", "observer-lag", "clock")
    view = prober_view(
        Prober(workers=(WORKER,), seen_at=NOW, troubles=tuple(map(trouble, reasons)), unsent_since=None), NOW
    )
    assert view.alarms[0] == "The prober is impaired since 2026-11-21 11:57:00 UTC (no-connectivity). No network."
    assert view.alarms[3] == "And 1 more trouble of the prober."
    hostile = Prober(workers=(WORKER,), seen_at=NOW, troubles=(trouble("trust", "a\x1bb"),), unsent_since=None)
    assert "\x1b" not in prober_view(hostile, NOW).alarms[0]


def test_notices_that_wait_for_minutes_are_an_alarm() -> None:
    def waiting(minutes: int) -> Prober:
        since = NOW - timedelta(minutes=minutes)
        return Prober(workers=(WORKER,), seen_at=NOW, troubles=(), unsent_since=since)

    assert prober_view(waiting(4), NOW).alarms == ()
    assert prober_view(waiting(6), NOW).alarms[0].startswith("Notices are late: the oldest has been waiting for 6 min.")
