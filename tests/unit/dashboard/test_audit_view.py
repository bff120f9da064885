"""What the page of the audit log makes of a row."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from dashboard.views.audit import AuditFilter, ChangeView, audit_view
from prober.storage.audit import AuditRow, Via

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


def change_of(**detail: Any) -> ChangeView:
    row = AuditRow(
        number=1, at=NOON, author="ann", via=Via.PAGE, action="maintenance.add", subject="shop", detail=detail
    )
    (change,) = audit_view([row], AuditFilter(), NOON).changes
    return change


def shown(**detail: Any) -> dict[str, str]:
    return dict(change_of(**detail).detail)


def test_details_stand_as_people_write_them() -> None:
    assert shown(until=NOON.isoformat(), lasts_s=300.0, scopes=["read", "operate"], expires=None) == {
        "until": "2026-01-31 12:00:00 UTC",
        "lasts_s": "300",
        "scopes": "read, operate",
        "expires": "none",
    }


def test_what_nobody_gave_is_not_named() -> None:
    assert shown(reason="", labels=[]) == {}


def test_the_way_is_not_said_twice_where_the_name_says_it() -> None:
    def who(author: str, via: Via) -> tuple[str, str]:
        row = AuditRow(number=1, at=NOON, author=author, via=via, action="token.add", subject="ci", detail={})
        (change,) = audit_view([row], AuditFilter(), NOON).changes
        return change.author, change.door

    assert who("ann, at the prompt", Via.COMMAND) == ("ann, at the prompt", "")
    assert who("somebody at the prompt", Via.COMMAND) == ("somebody at the prompt", "")
    assert who("night shift", Via.COMMAND) == ("night shift", "at the prompt")
    assert who("ann", Via.PAGE) == ("ann", "on a page")


def test_a_change_of_an_incident_leads_to_it() -> None:
    change = change_of(incident=str(UUID(int=7)), until=NOON.isoformat())
    assert (change.incident, [key for key, _ in change.detail]) == (f"/incidents/{UUID(int=7)}", ["until"])
    assert change_of(incident="javascript:alert(1)").incident == change_of(until="").incident == ""


@pytest.mark.parametrize("text", ["2026-19-39T29:00:00+00:00", "2026-01-31T12:00:00", "at noon"])
def test_a_text_that_is_no_time_stays_as_it_is(text: str) -> None:
    assert shown(reason=text) == {"reason": text}
