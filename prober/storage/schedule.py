"""The timetable of all probes, in PostgreSQL: any number of workers claim due slots from it under a lease.

An endpoint is due at its phase plus a multiple of its interval. Only the clock of the database counts. Every claim
raises the endpoint's fence by one: whoever holds an older one has lost the lease. What it found counts all the same
(see `recording`), unless another server has taken the endpoint's place: then its edition is another one.

A full probe takes the place of a standard one. At most once an hour comes an endpoint's turn for one, at a time that
follows from its id as its phase does; it takes it when `full_every_s` has passed since the last. So full probes are
spread over the hour after a start, an upgrade and a long stop as well, and one that could not look is tried again an
hour later. The first probe of an endpoint is never a full one.

Where `cold_every_s` is given, probes pause that often for `cool_down_s`, so that the next one finds no warm instance.
The pauses of different endpoints lie at different times, and one that is down is not left alone.

A probe that a person asks for is claimed at once, where it ends before the next slot of its endpoint begins, and moves
no slot. Otherwise that slot answers it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Final
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.baseline import Baseline
from checks.model import Endpoint, History, Opener, Profile, Verdict
from checks.sentinel_states import SentinelState
from checks.standing import FullDue, FullFindings
from prober.settings.model import EndpointOptions
from prober.settings.schema import LONGEST_CONFIRM_S
from prober.storage import probe_requests
from prober.storage.missed import Missed, MissedReason, MissedRun, save_missed
from prober.storage.probe_requests import WAITS_S
from prober.storage.specs import (
    baseline_of,
    cold_starts_of,
    endpoint_of,
    findings_of,
    inventory_of,
    opener_of,
    options_of,
    sentinels_of,
    tool_memory_of,
)

FIRST_WITHIN_S: Final = 30.0
"""A new endpoint with a longer interval is first probed within this time, and from then on at its phase."""

FIRST_EACH_S: Final = 0.15
"""A few that are new together do not wait for so long: each takes so much of the time in which they begin. Many are
spread, because a probe is dear to a cold function, and to the account whose concurrency it takes."""

FIRST_AT_LEAST_S: Final = 2.0
"""That time is no shorter than this: the worker that begins them looks every second or so."""

LATE_BY_S: Final = 5.0
"""A slot that nobody claimed for this long, or for a quarter of an interval, is missed. The next one keeps the phase,
so that a restart after a long stop does not start all probes at once."""

REPEATED_WITHIN_S: Final = 1.0
"""Room in the lease, beside pause and deadline, for a probe that is repeated to confirm what the first one found."""

LONGEST_TURN_S: Final = 3600.0
"""Turns for a full probe lie this far apart, or a little less, so that `full_every_s` is a multiple of it."""

SAVED_WITHIN_S: Final = 1.0
"""A probe out of turn is begun if so many seconds are left between its deadline and the next slot."""

AHEAD_SPARE_S: Final = 120.0
"""What lies further ahead than an endpoint's own times explain, by more than that, was written by another clock."""

_NO_BASELINE: Final = Baseline()
_NO_OPTIONS: Final = EndpointOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One slot of one endpoint that this worker alone may probe, until its lease ends."""

    endpoint_id: UUID
    endpoint: Endpoint
    options: EndpointOptions = _NO_OPTIONS
    edition: int = 0
    slot: datetime
    next_slot: datetime
    """The one after it."""
    fence: int | None
    """None: it stands for no lease. The database does not answer, and what is known of the endpoint is from before."""
    missed: tuple[Missed, ...] = ()
    """Slots before this one that have no report; the claim has recorded them."""
    profile: Profile = Profile.STANDARD
    """Which profile is due at this slot."""
    remembered: Opener | None = None
    history: History = History()
    baseline: Baseline = _NO_BASELINE
    """From which the `usual_wait_ms` of the history are."""
    sentinels: tuple[SentinelState, ...] = ()
    findings: FullFindings = FullFindings()
    """What full probes found before."""
    is_down: bool = False
    """By the latest verdict."""
    request: UUID | None = None
    """Of the person who asked for this probe."""
    out_of_turn: bool = False
    """The slot is none of the endpoint's grid, but the moment in which the request was taken."""

    @property
    def key(self) -> UUID:
        """Whose slot it is."""
        return self.endpoint_id

    def following(self) -> "Claim":
        """The slot after it, for which there is no lease; a full probe waits until the database says so."""
        return replace(
            self,
            slot=self.next_slot,
            next_slot=slot_after(self.next_slot, self.endpoint, is_down=self.is_down),
            fence=None,
            missed=(),
            profile=Profile.STANDARD,
            request=None,
            out_of_turn=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The answer to one question for slots."""

    now: datetime
    """By the clock of the database."""
    claims: tuple[Claim, ...]


def first_within_s(count: int, at_most_s: float = FIRST_WITHIN_S) -> float:
    """The seconds in which so many new endpoints are first probed."""
    return min(at_most_s, max(FIRST_AT_LEAST_S, FIRST_EACH_S * count))


def slot_after(slot: datetime, endpoint: Endpoint, *, is_down: bool) -> datetime:
    """The slot that follows one of the endpoint's grid, as the statement that claims slots computes it."""
    interval_s, cold_every_s = endpoint.interval_s, endpoint.cold_every_s
    usual = slot + timedelta(seconds=interval_s)
    if cold_every_s is None or is_down:
        return usual
    at = usual.timestamp()
    phase = at % interval_s
    cold_phase = cold_every_s * phase / interval_s
    ends = cold_phase + cold_every_s * ceil((at - cold_phase) / cold_every_s - 1e-6)
    if not ends - endpoint.cool_down_s < at < ends - 1e-3:
        return usual
    left_out = ceil((ends - at) / interval_s - 1e-6)
    return usual + timedelta(seconds=interval_s * left_out)


async def claim(
    db: AsyncEngine,
    *,
    worker: str,
    limit: int,
    ahead_s: float = 1.1,
    lease_margin_s: float = 5.0,
    late_s: float = LATE_BY_S,
    confirm_after_s: float | None = None,
    location: str = "local",
    busy: Collection[UUID] = (),
) -> Round:
    """Up to `limit` slots that begin within `ahead_s` seconds, the longest overdue first, without endpoints in `busy`;
    and probes that somebody asked for, as far as `limit` leaves room.

    No endpoint is claimed while a lease on it holds. The lease ends `lease_margin_s` seconds after the deadline of a
    probe of the profile that is due, and leaves time to repeat it after `confirm_after_s`. Slots found without a report
    are recorded for `location` in the same transaction, and so are those that are later than `late_s`.
    """
    limits = {"ahead": ahead_s, "late": late_s, "turn": LONGEST_TURN_S}
    again = None if confirm_after_s is None else confirm_after_s + REPEATED_WITHIN_S
    asked = {"worker": worker, "again": again, "margin": lease_margin_s, "busy": [*busy], **_DUE}
    async with db.begin() as connection:
        rows = (await connection.execute(_CLAIM, {"limit": limit, **asked, **limits})).mappings().all()
        claims = tuple(_claim_of(row) for row in rows if row["id"] is not None)
        left = limit - len(claims)
        if left > 0:
            wished = (await connection.execute(_CLAIM_ASKED, {"limit": left, **asked})).mappings().all()
            claims += tuple(_claim_of(row, out_of_turn=True) for row in wished)
        await probe_requests.take(connection, [each.request for each in claims if each.request is not None])
        runs = [
            MissedRun(endpoint_id=each.endpoint_id, location=location, missed=missed)
            for each in claims
            for missed in each.missed
        ]
        await save_missed(connection, runs)
    return Round(now=rows[0]["asked_at"], claims=claims)


async def release(db: AsyncEngine, claim: Claim) -> None:
    """Hand a slot back that has not been probed, so that another worker can take it at once.

    Does nothing when the lease has gone to somebody else, or there was none.
    """
    if claim.fence is None:
        return
    async with db.begin() as connection:
        released = await connection.execute(
            text(
                "update endpoint set lease_owner = null, lease_until = null, claimed_slot = null,"
                " next_due = case when :out_of_turn then next_due else :slot end"
                " where id = :id and fence = :fence and lease_owner is not null"
            ),
            {"id": claim.endpoint_id, "fence": claim.fence, "slot": claim.slot, "out_of_turn": claim.out_of_turn},
        )
        if claim.request is not None and released.rowcount:
            await probe_requests.give_back(connection, claim.request)


async def release_all(db: AsyncEngine, workers: Collection[str]) -> int:
    """Take back the leases of workers that are known to be dead; returns how many there were.

    Their slots count as interrupted until a report on them turns up.
    """
    async with db.begin() as connection:
        released = await connection.execute(
            text("update endpoint set lease_until = now() where lease_owner = any(:workers) and lease_until > now()"),
            {"workers": [*workers]},
        )
    return int(released.rowcount)


async def realign(db: AsyncEngine) -> int:
    """Let endpoints be probed whose next slot or lease lies further ahead than one can; returns how many there were.

    The clock of the database was set back: without this nothing would be done until it shows the former time again.
    Their grids move by a millisecond, so that no slot is one that has its report from before.
    """
    async with db.begin() as connection:
        realigned = await connection.execute(_REALIGN, {"spare": AHEAD_SPARE_S, "confirm": LONGEST_CONFIRM_S})
    return int(realigned.rowcount)


# `grid.begun` is the newest slot of the grid that has begun. It is probed unless it is too late: then the one after it.
# A first `next_due` may lie off the grid. PostgreSQL checks the conditions again on the row that it locked, so that two
# workers never take the same slot. `turn.is_mine` is whether the endpoint's turn lies nearer to this slot than to
# another one; a full probe is due at the turn that is nearest to `full_every_s` after the last one was saved.
# `cold.ends` is the next end of a cooling pause; slots within the pause before it are left out, and are not missed.
# `asked` is the request that this slot answers: nobody works on it, as nobody holds a lease on the endpoint. Of one
# whose worker died, no slot is missed.
_EARLIER: Final = """
    case when endpoint.lease_owner is not null and not exists (select from probe_request as asked_before
        where asked_before.endpoint_id = endpoint.id and asked_before.taken_at = endpoint.claimed_slot)
        then endpoint.lease_owner end as earlier_owner, endpoint.claimed_slot as earlier_slot"""
_DEADLINE_S: Final = "case when kind.is_full then endpoint.full_timeout_s else endpoint.timeout_s end"
_LEASE_S: Final = f"{_DEADLINE_S} + :margin + coalesce(cast(:again as double precision) + endpoint.timeout_s, 0)"
_IS_ASKED: Final = f"asked.report_id is null and asked.asked_at > now() - interval '{WAITS_S} seconds'"
_KNOWN: Final = """
    endpoint.id, endpoint.spec, endpoint.options, endpoint.edition, endpoint.fence, endpoint.next_due as next_slot,
    kind.is_full, coalesce(state.verdict = :down, false) as is_down, state.opener, state.warm_wait_ms,
    state.full_findings, state.baseline, state.cold_starts, state.log_streams, state.answered_at, state.tool_memory,
    state.sentinels, accepted.fingerprint as accepted_fingerprint, accepted.tools as accepted_tools"""
_DUE: Final = {
    "next_slot": FullDue.NEXT_SLOT.value,
    "next_turn": FullDue.NEXT_TURN.value,
    "down": Verdict.DOWN.value,
    "full": Profile.FULL.value,
}
_CLAIM: Final = text(
    f"""
    with due as (
        select endpoint.id, endpoint.next_due, endpoint.interval_s, endpoint.phase_s, choice.slot,
               endpoint.full_every_s, endpoint.full_every_s / ceil(endpoint.full_every_s / :turn) as turn_s,
               {_EARLIER},
               cycle.cold_every_s, cycle.cold_every_s * endpoint.phase_s / endpoint.interval_s as cold_phase_s,
               (endpoint.spec->>'cool_down_s')::double precision as cool_down_s
        from endpoint
        cross join lateral (
            select (endpoint.spec->>'cold_every_s')::double precision as cold_every_s) as cycle
        cross join lateral (select to_timestamp(endpoint.phase_s + endpoint.interval_s * floor(
            (extract(epoch from now())::double precision - endpoint.phase_s) / endpoint.interval_s)) as begun) as grid
        cross join lateral (select case
            when greatest(endpoint.next_due, grid.begun) > now() - make_interval(
                secs => least(:late, endpoint.interval_s / 4)) then greatest(endpoint.next_due, grid.begun)
            else grid.begun + make_interval(secs => endpoint.interval_s) end as slot) as choice
        where endpoint.enabled and endpoint.removed_at is null
          and endpoint.next_due <= now() + make_interval(secs => :ahead)
          and choice.slot <= now() + make_interval(secs => :ahead)
          and (endpoint.lease_until is null or endpoint.lease_until <= now())
          and not endpoint.id = any(cast(:busy as uuid[]))
        order by endpoint.next_due
        limit :limit
        for update of endpoint skip locked
    ), claimed as (
    update endpoint
    set next_due = to_timestamp(case when cooling.is_on
            then due.phase_s + due.interval_s * ceil((cooling.ends - due.phase_s) / due.interval_s - 1e-6)
            else usual.next end),
        lease_owner = :worker,
        lease_until = greatest(now(), due.slot) + make_interval(secs => {_LEASE_S}),
        claimed_slot = due.slot,
        fence = endpoint.fence + 1
    from due left join endpoint_state as state on state.endpoint_id = due.id
    cross join lateral (select due.phase_s + due.interval_s * (1 + floor(
        (extract(epoch from due.slot)::double precision - due.phase_s) / due.interval_s + 1e-6)) as next) as usual
    cross join lateral (select due.cold_phase_s + due.cold_every_s * ceil(
        (usual.next - due.cold_phase_s) / due.cold_every_s - 1e-6) as ends) as cold
    cross join lateral (select cold.ends, coalesce(state.verdict <> :down
        and usual.next > cold.ends - due.cool_down_s and usual.next < cold.ends - 1e-3, false) as is_on) as cooling
    left join accepted_tools as accepted on accepted.endpoint_id = due.id
    left join probe_request as asked on asked.endpoint_id = due.id and {_IS_ASKED}
    cross join lateral (select extract(epoch from due.slot)::double precision / due.turn_s
        - due.phase_s / due.interval_s as middle, due.interval_s / due.turn_s / 2 as half) as place
    cross join lateral (select floor(place.middle + place.half) > floor(place.middle - place.half) as is_mine) as turn
    cross join lateral (select coalesce(asked.profile = :full, false)
        or coalesce(state.endpoint_id is not null and due.full_every_s is not null and (
        state.full_due = :next_slot or turn.is_mine and (state.full_due = :next_turn or state.full_at is null
            or state.full_at <= due.slot - make_interval(secs => due.full_every_s - due.turn_s / 2))
        ), false) as is_full) as kind
    where endpoint.id = due.id
    returning {_KNOWN}, due.slot, due.next_due as first_missed, due.earlier_owner, due.earlier_slot,
              asked.id as request,
              floor(extract(epoch from due.slot - due.next_due)::double precision / due.interval_s + 1e-6)::integer
                  as missed
    )
    select clock_timestamp() as asked_at, claimed.* from (values (1)) as always left join claimed on true
    """  # noqa: S608 - parts of this module
)
_CLAIM_ASKED: Final = text(
    f"""
    with wished as (
        select endpoint.id, asked.id as request, asked.profile = :full as is_full, {_EARLIER}
        from probe_request as asked join endpoint on endpoint.id = asked.endpoint_id
        cross join lateral (select asked.profile = :full as is_full) as kind
        where {_IS_ASKED} and endpoint.enabled and endpoint.removed_at is null
          and (endpoint.lease_until is null or endpoint.lease_until <= now())
          and endpoint.next_due > now() + make_interval(secs => {_DEADLINE_S} + {SAVED_WITHIN_S})
          and not endpoint.id = any(cast(:busy as uuid[]))
        order by asked.asked_at
        limit :limit
        for update of asked, endpoint skip locked
    )
    update endpoint
    set lease_owner = :worker, lease_until = now() + make_interval(secs => {_LEASE_S}), claimed_slot = now(),
        fence = endpoint.fence + 1
    from wished left join endpoint_state as state on state.endpoint_id = wished.id
    left join accepted_tools as accepted on accepted.endpoint_id = wished.id
    cross join lateral (select wished.is_full) as kind
    where endpoint.id = wished.id
    returning {_KNOWN}, now() as slot, wished.earlier_owner, wished.earlier_slot, wished.request, 0 as missed
    """  # noqa: S608 - parts of this module
)

_REALIGN: Final = text(
    """
    with far as (
        select id, case when phase_s + 0.001 < interval_s then phase_s + 0.001 else 0 end as phase_s
        from endpoint
        where enabled and removed_at is null and (
            next_due > now() + make_interval(secs => :spare + 2 * interval_s)
                and next_due > now() + make_interval(
                    secs => :spare + 2 * interval_s + coalesce((spec->>'cool_down_s')::double precision, 0))
            or lease_until > now() + make_interval(secs => :spare + :confirm + full_timeout_s + 2 * timeout_s))
        order by id for update
    )
    update endpoint
    set phase_s = far.phase_s, lease_owner = null, lease_until = null, claimed_slot = null, fence = endpoint.fence + 1,
        next_due = to_timestamp(far.phase_s + endpoint.interval_s * ceil(
            (extract(epoch from now())::double precision - far.phase_s) / endpoint.interval_s))
    from far where endpoint.id = far.id
    """
)


def _claim_of(row: RowMapping, *, out_of_turn: bool = False) -> Claim:
    baseline = baseline_of(row["baseline"])
    return Claim(
        endpoint_id=row["id"],
        endpoint=endpoint_of(row["spec"]),
        options=options_of(row["options"]),
        edition=row["edition"],
        slot=row["slot"],
        next_slot=row["next_slot"],
        fence=row["fence"],
        missed=tuple(_missed(row)),
        profile=Profile.FULL if row["is_full"] else Profile.STANDARD,
        remembered=opener_of(row["opener"]),
        history=History(
            warm_wait_ms=tuple(row["warm_wait_ms"] or ()),
            usual_wait_ms=baseline.medians,
            cold_starts=cold_starts_of(row["cold_starts"]),
            log_streams=tuple(row["log_streams"] or ()),
            answered_at=row["answered_at"],
            tools=tool_memory_of(row["tool_memory"]),
            accepted=inventory_of(row["accepted_fingerprint"], row["accepted_tools"]),
        ),
        baseline=baseline,
        sentinels=sentinels_of(row["sentinels"]),
        findings=findings_of(row["full_findings"]),
        is_down=row["is_down"],
        request=row["request"],
        out_of_turn=out_of_turn,
    )


def _missed(row: RowMapping) -> Iterator[Missed]:
    if row["earlier_owner"] is not None:
        yield Missed.one(row["earlier_slot"], MissedReason.INTERRUPTED)
    if row["missed"] == 1:
        yield Missed.one(row["first_missed"], MissedReason.MISSED)
    elif row["missed"] > 1:
        last = row["slot"] - timedelta(seconds=endpoint_of(row["spec"]).interval_s)
        yield Missed(first_slot=row["first_missed"], last_slot=last, count=row["missed"], reason=MissedReason.MISSED)
