"""Viewers see whom nobody is told about, until when, and who has an incident in hand."""

from datetime import timedelta

from dashboard.views.silence import hands_of, outage_view, silence_view
from prober.incidents.windows import MaintenanceWindow
from tests.unit.dashboard.rows import NOW, incident, mute, outage

NIGHT = MaintenanceWindow(name="night", zone="Europe/Berlin", at_minute=120, lasts_s=3600)
NOON = MaintenanceWindow(name="noon", zone="UTC", at_minute=720, lasts_s=1800, labels={"team": "find"})
LATER = mute(starts_at=NOW + timedelta(hours=2), ends_at=NOW + timedelta(hours=3), labels={}, reason="")


def test_what_mutes_now_and_what_comes_next_is_said_soonest_first() -> None:
    view = silence_view([LATER, mute()], [NIGHT, NOON], NOW)
    assert view.now == (
        "Maintenance noon until 2026-11-20 12:30:00 UTC, for whoever bears team=find",
        "Maintenance (move) by ada until 2026-11-20 13:00:00 UTC, for orders and whoever bears team=pay",
    )
    assert view.next == (
        "Maintenance by ada from 2026-11-20 14:00:00 UTC until 2026-11-20 15:00:00 UTC, for orders",
        "Maintenance night from 2026-11-21 01:00:00 UTC, for all endpoints",
        "Maintenance noon from 2026-11-21 12:00:00 UTC, for whoever bears team=find",
    )


def test_the_page_of_an_endpoint_has_only_what_is_for_it() -> None:
    view = silence_view([LATER, mute()], [NIGHT, NOON], NOW, of=("search", {"team": "find"}))
    assert [each.partition(" until")[0] for each in view.now] == ["Maintenance noon"]
    assert len(view.next) == 2


def test_who_has_an_incident_in_hand_and_why_nobody_is_told_is_said() -> None:
    row = incident(muted="snoozed", muted_until=NOW + timedelta(hours=1))
    assert hands_of(row, NOW) == (
        "acknowledged by ada 5 min ago",
        "nobody is told: snoozed, until 2026-11-20 13:00:00 UTC",
    )
    assert hands_of(incident(acknowledged_at=None, muted=None), NOW) == ()
    over = incident(acknowledged_at=None, ended_at=NOW, outage_id=row.id)
    assert hands_of(over, NOW) == ("was told as part of an outage",)


def test_an_outage_names_how_many_and_some_of_them() -> None:
    view = outage_view(outage())
    assert view.title == "12 endpoints (team=pay) are failing together"
    assert view.names == "orders, search and 10 more"
    assert (view.causes, view.is_open) == ("not-mcp (11)", True)
    over = outage_view(outage(ended_at=NOW, affected=2, counts=(12, 20)))
    assert over.title == "20 endpoints (team=pay) failed together"
    assert over.span.endswith("until 2026-11-20 12:00:00 UTC")
