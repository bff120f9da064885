"""Decides in a transaction who is told of incidents, from all that people and the rest of the fleet have to say."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from prober.incidents.lifecycle import Incident
from prober.incidents.notice import NoticeKind
from prober.incidents.policy import AlertPolicy
from prober.incidents.telling import Circumstances, Considered, Mute, Telling, Thing, consider
from prober.incidents.wording import incident_notice
from prober.storage import outages, tables
from prober.storage.membership import among
from prober.storage.mutes import Quiet, quiet
from prober.storage.outages import Joining
from prober.storage.outbox import put

log = logging.getLogger(__name__)

OUTAGE: Final = "told as one outage"
RECOVERING: Final = "its newest probe found nothing wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An incident as it is at one moment, with what is known of its endpoint."""

    incident: Incident
    endpoint_id: UUID
    name: str
    labels: Mapping[str, str]
    depends_on: tuple[str, ...] = ()
    seen_at: datetime | None = None
    """The slot of its newest report."""
    is_recovering: bool = False
    """Whether the newest verdict was good, and too few were to end the incident."""
    transition: UUID | None = None
    """What has just happened to it."""
    watched: bool = True
    """False where it ends because nobody looks at the endpoint any more."""
    held_s: float = 0.0
    """Seconds for which all but an end is kept back, because newer reports of the endpoint are about to be saved."""


@dataclass(slots=True)
class _Known:
    """What is stored of an incident, and what has been decided about it in this transaction."""

    acknowledged: bool
    snoozed_until: datetime | None
    telling: Telling
    outage: UUID | None
    outage_lasts: bool
    considered: Considered | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Explained:
    """What those have to do with it that incidents depend on."""

    ill: Collection[str]
    well_since: Mapping[str, datetime]

    def is_unseen_since(self, name: str, seen_at: datetime | None) -> bool:
        """Whether the newest report is from before this one was well again."""
        return seen_at is not None and name in self.well_since and seen_at < self.well_since[name]


async def tell(connection: AsyncConnection, subjects: Sequence[Subject], policy: AlertPolicy, now: datetime) -> None:
    """Write a notice for everybody who is to hear of these incidents, which must be saved already, and remember it.

    One incident may come several times, as it was after each of its changes.
    """
    if not subjects:
        return
    known = await _known(connection, {each.incident.id for each in subjects})
    joining = Joining(policy=policy, quiet=await quiet(connection, policy.windows, now))
    parents = {name for each in subjects for name in each.depends_on}
    explained = _Explained(
        ill=await outages.not_well(connection, parents, now),
        well_since=await outages.well_since(connection, parents, now),
    )
    for subject in subjects:
        about = known[subject.incident.id]
        about.considered = considered = await _considered(connection, subject, about, joining, explained)
        about.telling = considered.telling
        for each in considered.tells:
            notice = incident_notice(each, subject.incident, subject.name, subject.labels, now, watched=subject.watched)
            await put(
                connection,
                notice,
                channel=each.channel,
                endpoint=subject.endpoint_id,
                transition=subject.transition,
                held_s=subject.held_s,
            )
    await _save(connection, known)


async def _considered(
    connection: AsyncConnection,
    subject: Subject,
    about: _Known,
    joining: Joining,
    explained: _Explained,
) -> Considered:
    thing = _thing(subject)
    mutes = tuple(_mutes(subject, about, joining.quiet, explained))
    is_first = about.telling == Telling() and not thing.ended
    if is_first and not mutes and not about.outage_lasts:
        incident = subject.incident
        outage = await joining.join(connection, incident.id, incident.since, subject.labels, held_s=subject.held_s)
        if outage is not None:
            about.outage, about.outage_lasts = outage, True
    circumstances = Circumstances(acknowledged=about.acknowledged, mutes=mutes)
    if not about.outage_lasts or thing.ended:
        return consider(about.telling, thing, circumstances, joining.policy.routes, joining.quiet.now)
    # The end of the outage has it considered anew.
    return Considered(telling=about.telling, muted=Mute(OUTAGE))


def _thing(subject: Subject) -> Thing:
    incident = subject.incident
    return Thing(
        id=incident.id,
        news=tuple(NoticeKind(each.value) for each in incident.news),
        end=NoticeKind.CLOSED,
        ended=incident.ended_at is not None,
        severity=incident.severity,
        labels=subject.labels,
    )


def _mutes(subject: Subject, about: _Known, silence: Quiet, explained: _Explained) -> Iterator[Mute]:
    if about.snoozed_until is not None and about.snoozed_until > silence.now:
        yield Mute("snoozed", about.snoozed_until)
    yield from silence.of(subject.name, subject.labels)
    if subject.is_recovering:
        yield Mute(RECOVERING)
    for name in subject.depends_on:
        if name in explained.ill:
            yield Mute(f"it depends on {name}, which is not well or was not until just now")
        elif explained.is_unseen_since(name, subject.seen_at):
            yield Mute(f"it depends on {name}, and was not probed since that is well again")


async def _known(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, _Known]:
    incident, outage = tables.incident, tables.outage
    rows = await connection.execute(
        select(
            incident.c.id,
            incident.c.acknowledged_at,
            incident.c.snoozed_until,
            incident.c.telling,
            incident.c.outage_id,
            outage.c.ended_at.label("outage_ended_at"),
        )
        .outerjoin(outage, outage.c.id == incident.c.outage_id)
        .where(among(incident.c.id, ids))
        .with_for_update(of=incident)
    )
    return {row["id"]: _known_of(row) for row in rows.mappings()}


def _known_of(row: RowMapping) -> _Known:
    return _Known(
        acknowledged=row["acknowledged_at"] is not None,
        snoozed_until=row["snoozed_until"],
        telling=_telling_of(row["telling"]),
        outage=row["outage_id"],
        outage_lasts=row["outage_id"] is not None and row["outage_ended_at"] is None,
    )


def _telling_of(stored: Any) -> Telling:
    """What is stored, or that nobody was told anything for what this release cannot read: rather twice than never."""
    try:
        return Telling.from_json(stored)
    except ValueError:
        log.error("who was told of an incident cannot be read, and it is told anew")  # noqa: TRY400 - says no more
        return Telling()


async def _save(connection: AsyncConnection, known: Mapping[UUID, _Known]) -> None:
    rows: list[dict[str, Any]] = []
    for identity, about in known.items():
        if about.considered is None:
            continue
        muted = about.considered.muted
        rows.append(
            {
                "incident": identity,
                "telling": about.telling.to_json(),
                "reconsider_at": about.considered.reconsider_at,
                "muted": muted.why if muted else None,
                "muted_until": muted.until if muted else None,
                "outage_id": about.outage,
            }
        )
    await connection.execute(update(tables.incident).where(tables.incident.c.id == bindparam("incident")), rows)
