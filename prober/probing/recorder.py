"""Brings reports from the spool into the database: in their order, many at once, each once.

A database that is away, slow or restarting is waited for, and so is one that refuses everything. A report whose content
it refuses while it takes others is set aside, so that it holds up none of them.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from checks.text import clean
from prober.clock import Clock
from prober.incidents.policy import AlertPolicy
from prober.storage import incidents, recording
from prober.storage.incidents import Change, Observed
from prober.storage.recording import Fate, Saved
from prober.storage.records import ReportRecord, UnreadableRecord
from prober.storage.spool import Spool
from prober.storage.spool_format import Entry, Stored
from prober.vitals import Vitals

log = logging.getLogger(__name__)

BATCH: Final = 100
GATHERED_S: Final = 0.1
"""Batches begin this far apart at least, so that many probes share a transaction."""

LOOKED_FOR_S: Final = 1.0
LAST_LOOK_S: Final = 0.2
PAUSES_S: Final = (0.25, 0.5, 1.0, 2.0)
"""Waits between attempts while the database does not take a batch; the last one lasts."""

TAKES_OTHERS_S: Final = 600.0
"""A database that has saved a report within this time is not at fault when it refuses those of one endpoint."""

ENDED_WITHIN_S: Final = 0.5
FOLLOWED: Final = 1000
"""Reports in memory of which somebody waits for the commit."""

ASIDE: Final = 100
"""Files of reports that were set aside; more are counted alone."""

DATABASE: Final = "database"
"""The trouble of a database that takes no reports."""

HELD_S: Final = 2.0
HELD_AT_MOST_S: Final = 45.0
SAVED_PER_S: Final = 500
"""What a replay saves at least: by that the time is reckoned in which newer reports follow."""

_OF_CONTENT: Final = ("22", "23", "54")
"""Classes of SQLSTATE (PostgreSQL, appendix A) by which it refuses what is to be saved: data exceptions, violated
constraints, and what is too long or too deep. What else it says may pass."""


class Recorder:
    """Keeps records of probes in the spool, and saves them from there. Belongs to one event loop."""

    def __init__(
        self,
        *,
        db: AsyncEngine,
        spool: Spool,
        policy: Callable[[], AlertPolicy],
        clock: Clock,
        vitals: Vitals,
        aside: Path,
        saved: Callable[[], None] = lambda: None,
    ) -> None:
        """What cannot be saved is written into the directory `aside`. `saved` is called after each commit."""
        self._db = db
        self._spool = spool
        self._policy = policy
        self._clock = clock
        self._vitals = vitals
        self._aside = aside
        self._saved = saved
        self._unsaved: dict[UUID, datetime] = {}
        self._followed: OrderedDict[UUID, Callable[[], None]] = OrderedDict()
        self._limit = BATCH
        self._begun_at = float("-inf")
        self._has_caught_up = False
        self._saved_at = float("-inf")
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def unsaved(self) -> Collection[UUID]:
        """Ids of the endpoints of which reports of this process wait to be saved."""
        return self._unsaved.keys()

    @property
    def has_caught_up(self) -> bool:
        """Whether everything is saved that was in the spool at the start: until then, the database does not know which
        slots were probed."""
        return self._has_caught_up

    def start(self) -> None:
        """Begin to save, in a task of its own."""
        self._note_rest()
        self._task = asyncio.create_task(self._keep_saving())

    async def stop(self, within_s: float) -> None:
        """Save what can be saved within so many seconds; the rest waits in the spool for the next start."""
        self._stopping = True
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=within_s)
        if not self._task.done():
            log.warning("the database has not taken all reports: those in the spool are saved after the next start")
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=ENDED_WITHIN_S)

    async def keep(self, record: ReportRecord) -> None:
        """Put a record into the spool: from then on it outlives this process."""
        self._unsaved[record.endpoint_id] = record.slot
        verdict, cause = record.row["verdict"], record.row["cause"]
        tone = f"{record.row['confirmed'] or ''}:{verdict}:{cause or ''}:{record.edition}:{record.request or ''}"
        await self._spool.append(
            Entry(
                key=str(record.endpoint_id),
                slot=record.slot,
                tone=tone,
                is_up=verdict == Verdict.UP,
                payload=record.to_bytes(),
                slim=record.to_bytes(slim=True),
            )
        )

    def after_commit(self, report_id: UUID, then: Callable[[], None]) -> None:
        """Call `then` once this report is saved, if this process lives to see it."""
        self._followed[report_id] = then
        if len(self._followed) > FOLLOWED:
            self._followed.popitem(last=False)

    async def _keep_saving(self) -> None:
        failures = 0
        while True:
            try:
                is_taken = await self._save_next()
            except Exception:  # a bug of ours after a commit must not end recording for good
                log.exception("saving reports failed, and goes on: please report this")
                self._vitals.add("reports_stumbled")
                is_taken = False
            if is_taken is None:
                return
            if is_taken:
                failures = 0
            else:
                await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
                failures += 1

    async def _save_next(self) -> bool | None:
        """Save what waits longest, if anything does. False: it is to be tried again; None: that was all."""
        self._vitals.happened("writer", self._clock.monotonic())
        await self._gather()
        stored = await self._spool.next(self._limit, LAST_LOOK_S if self._stopping else LOOKED_FOR_S)
        if not stored:
            self._unsaved.clear()  # except for what is counted in a run and comes later, nothing waits
            return None if self._stopping else True
        if not await self._take(stored):
            return False
        self._note_rest()
        return True

    async def _gather(self) -> None:
        now = self._clock.monotonic()
        if not self._stopping and self._limit == BATCH:
            await asyncio.sleep(max(0.0, min(GATHERED_S, self._begun_at + GATHERED_S - now)))
        self._begun_at = self._clock.monotonic()

    def _note_rest(self) -> None:
        self._has_caught_up = self._has_caught_up or self._spool.status.records == 0

    async def _take(self, stored: Sequence[Stored]) -> bool:
        """Save a batch, or set aside what cannot be saved. False: the database does not take anything now."""
        try:
            readable = [(each, record) for each in stored if (record := await self._read(each)) is not None]
            refused = await self._save(readable)
        except (SQLAlchemyError, OSError) as failure:
            self._note_failure(failure)
            return False
        if refused and len(refused) == len(readable) and self._is_at_fault(refused):
            self._note_refusal(refused[0][1])
            self._limit = min(BATCH, self._limit * 2)  # or the others behind them would not be seen
            return False
        for each, why in refused:
            await self._set_aside(each, _told(why))
        self._vitals.trouble(DATABASE, None)
        self._limit = min(BATCH, self._limit * 2)
        return True

    async def _read(self, stored: Stored) -> ReportRecord | None:
        try:
            record = ReportRecord.from_bytes(stored.payload)
        except UnreadableRecord as unreadable:
            await self._set_aside(stored, str(unreadable))
            return None
        return record.standing_for(stored.last_slot, stored.count)

    def _is_at_fault(self, refused: Sequence[tuple[Stored, Exception]]) -> bool:
        """Whether the database is, and not what it refuses, which is all of a batch: by several endpoints in it, or
        because it has not saved any other report lately."""
        is_of_one = len({stored.key for stored, _ in refused}) == 1
        return not is_of_one or self._clock.monotonic() - self._saved_at > TAKES_OTHERS_S

    async def _save(self, batch: Sequence[tuple[Stored, ReportRecord]]) -> Sequence[tuple[Stored, Exception]]:
        """Save all of it, except for records that are refused for what they hold: they are found by halving."""
        if not batch:
            return ()
        try:
            saved, changes = await self._transact([record for _, record in batch])
        except Exception as refusal:  # a bug of ours that one record triggers must not hold up the others
            if not _is_of_content(refusal):
                raise
            if len(batch) == 1:
                return [(batch[0][0], refusal)]
            middle = len(batch) // 2
            return [*await self._save(batch[:middle]), *await self._save(batch[middle:])]
        await self._conclude([stored for stored, _ in batch], saved, changes)
        return ()

    async def _transact(self, records: Sequence[ReportRecord]) -> tuple[Sequence[Saved], Sequence[Change]]:
        async with self._db.begin() as connection:
            saved = await recording.save(connection, records)
            backlog = self._spool.status.records - len(records)
            news = [
                Observed(
                    endpoint_id=each.record.endpoint_id,
                    seen=each.record.seen,
                    held_s=self._held_s(each.record, backlog),
                )
                for each in saved
                if each.fate is Fate.SAVED
            ]
            changes = await incidents.record(connection, news, self._policy(), self._clock.now()) if news else ()
        return saved, changes

    def _held_s(self, record: ReportRecord, backlog: int) -> float:
        """For how long nobody is told what this one opens: reports that wait may end it, and one message says both.

        `backlog` is how many records wait beside those that are being saved.
        """
        newest = self._unsaved.get(record.endpoint_id)
        is_followed = newest is not None and newest > record.newest_slot
        if backlog <= 0 or (self._has_caught_up and not is_followed):
            return 0.0
        return min(HELD_S + backlog / SAVED_PER_S, HELD_AT_MOST_S)

    async def _conclude(self, stored: Sequence[Stored], saved: Sequence[Saved], changes: Sequence[Change]) -> None:
        """After the commit."""
        await self._spool.done(stored)
        self._saved_at = self._clock.monotonic()
        self._vitals.happened("commit", self._saved_at)
        for each in changes:
            cause = each.transition.incident.shown.cause_id
            log.info("%s: incident %s (%s)", each.endpoint, each.transition.kind, cause or "no known cause")
        for one in saved:
            self._settle(one.record)
            if one.fate is Fate.OUTDATED:
                log.warning("%s was removed or replaced before it was probed; the report is dropped", one.record.name)
                self._vitals.add("reports_outdated", 1 + one.record.coalesced)
        self._saved()

    def _settle(self, record: ReportRecord) -> None:
        newest = self._unsaved.get(record.endpoint_id)
        if newest is not None and newest <= record.newest_slot:
            del self._unsaved[record.endpoint_id]
        then = self._followed.pop(record.report_id, None)
        if then is not None:
            then()

    def _note_failure(self, failure: Exception) -> None:
        # The driver's text may quote the report, and with it what a server sent: the kind says enough.
        kind = type(failure).__name__
        if DATABASE not in self._vitals.troubles:
            log.warning("reports wait in the spool, because the database takes none now: %s", kind)
        self._vitals.trouble(DATABASE, f"The database takes no reports: {kind}")
        if getattr(getattr(failure, "orig", None), "sqlstate", None) == "57014":  # the statement took too long
            self._limit = max(1, self._limit // 2)

    def _note_refusal(self, refusal: Exception) -> None:
        """Everything is refused: the database is not as this release wants it. It is told nothing new until it is."""
        kind = _told(refusal)
        if DATABASE not in self._vitals.troubles:
            log.error("reports wait in the spool, because the database refuses every one of them: %s", kind)
        self._vitals.trouble(DATABASE, f"The database refuses every report: {kind}")
        self._has_caught_up = True  # it never will, and probing goes on meanwhile

    async def _set_aside(self, stored: Stored, why: str) -> None:
        """Let the spool forget a record that cannot be saved, and keep it for whoever mends that."""
        self._vitals.add("reports_refused")
        path = self._aside / f"refused-{stored.key}-{stored.first_slot:%Y%m%dT%H%M%S.%f}.report"
        log.error("a report cannot be saved and is set aside in %s: %s; please report this", path.name, why)
        with suppress(OSError):
            await asyncio.to_thread(_write_aside, path, stored.payload)
        await self._spool.done([stored])


def _write_aside(path: Path, payload: bytes) -> None:
    if len(list(path.parent.glob("refused-*"))) < ASIDE:
        path.touch(mode=0o600)
        path.write_bytes(payload)


def _is_of_content(refusal: Exception) -> bool:
    """Whether this very batch is what cannot be saved, and not any other one now."""
    if isinstance(refusal, DBAPIError):
        return (getattr(refusal.orig, "sqlstate", None) or "").startswith(_OF_CONTENT)
    return not isinstance(refusal, SQLAlchemyError | OSError)


def _told(refusal: Exception) -> str:
    """The kind of the refusal: its text may quote what a server sent."""
    kind = type(refusal.orig) if isinstance(refusal, DBAPIError) else type(refusal)
    return clean(kind.__name__, 100)
