"""What an endpoint's page shows of those who take care of it: who keeps it, and which probe somebody asked for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from checks.text import clean
from dashboard.views.audit import AUDIT_HREF
from dashboard.views.common import Moment, moment_of, probe_href
from dashboard.views.registry import href_of
from prober.storage.probe_requests import ProbeRequest, Stage
from prober.storage.queries import FleetRow

FILE: Final = "file"
_STAGES: Final = {
    Stage.WAITING: "waits for a worker",
    Stage.UNDER_WAY: "is under way",
    Stage.DONE: "is done",
    Stage.LOST: "was not made: no worker took it in time, or the one that did has ended",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptView:
    """Who keeps the endpoint, and how it is changed."""

    is_ours: bool
    """Whether people keep it here, and not the configuration file."""
    words: str
    resource: str
    """Its address in the API."""
    form: str
    """Where it is written."""
    audit: str
    """Where its changes are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedView:
    """The latest probe that somebody asked for."""

    words: str
    at: Moment
    is_open: bool
    """Whether it is still to come."""
    href: str
    """Its probe; empty until there is one."""


def kept_view(row: FleetRow) -> KeptView:
    name, key = quote(row.name, safe=""), clean(row.name, 80)
    is_ours = row.source != FILE
    by_file = f"The configuration file keeps this endpoint: change its entry named {key} there."
    words = "People keep this endpoint here; the configuration file does not name it." if is_ours else by_file
    return KeptView(
        is_ours=is_ours,
        words=words,
        resource=f"/api/endpoints/{name}",
        form=href_of(row.name),
        audit=f"{AUDIT_HREF}?subject={name}",
    )


def asked_view(request: ProbeRequest | None, now: datetime) -> AskedView | None:
    """None where nobody has asked lately."""
    if request is None:
        return None
    return AskedView(
        words=f"A {request.profile} probe that {clean(request.asked_by, 60)} asked for {_STAGES[request.stage]}",
        at=moment_of(request.asked_at, now),
        is_open=request.stage in (Stage.WAITING, Stage.UNDER_WAY),
        href=probe_href(request.report_id) if request.stage is Stage.DONE and request.report_id else "",
    )
