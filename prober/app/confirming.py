"""Asks the function's log, a few seconds after a probe, whether it was a cold start, and completes the saved report.

It changes no verdict. What cannot be asked is said in the log once; the cold start then stays a suspicion.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.front_door import FrontDoor, front_door_of
from checks.instances import IDLE_AFTER_S, idle_s
from checks.model import ProbeReport
from checks.timing import first_wait_ms
from prober import values
from prober.function_logs.cloudwatch_logs import Invocation, LogsUnavailable, is_request_id
from prober.function_logs.report_line import InvocationReport
from prober.storage import accepted_tools, reports
from prober.storage.reports import LogEntry
from prober.storage.schedule import Claim

log = logging.getLogger(__name__)

DELAYS_S: Final = (4.0, 8.0, 16.0, 32.0, 60.0)
"""Waits before each search. A report is there some seconds after the invocation; after two minutes it will not come."""

MOST_AT_ONCE: Final = 200
"""Probes that wait for their report. Those beyond it stay without one, so that a slow AWS does not fill the memory."""

REQUEST_ID: Final = "x-amzn-requestid"

_NO_ID: Final = "behind {} no header tells the id of the invocation"
_UNTOLD: Final = {FrontDoor.WEB_FUNCTION: "the log of a {} has no report of single requests"}


class Log(Protocol):
    """Where reports of invocations are."""

    async def report(self, invocation: Invocation) -> InvocationReport | None:
        """None where it is not there yet. Raises LogsUnavailable."""
        ...


class Confirming:
    """Follows saved reports, each in a task of its own, so that no probe waits for AWS."""

    def __init__(self, db: AsyncEngine, logs: Log, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._db = db
        self._logs = logs
        self._sleep = sleep
        self._tasks: set[asyncio.Task[None]] = set()
        self._said: set[tuple[str, str]] = set()

    def follow(self, claim: Claim, report: ProbeReport) -> None:
        """Begin to look for the report of this probe's first request, where that may tell something."""
        invocation = self._invocation(claim, report)
        if invocation is None or len(self._tasks) >= MOST_AT_ONCE:
            return
        task = asyncio.get_running_loop().create_task(self._confirm(claim, report, invocation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up what is still looked for: these cold starts stay suspicions."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _invocation(self, claim: Claim, report: ProbeReport) -> Invocation | None:
        endpoint = claim.endpoint
        if endpoint.function is None or not report.opening.established or not _may_be_cold(claim, report):
            return None
        first = report.opening.exchanges[0]
        door, request_id = front_door_of(first), first.header(REQUEST_ID) or ""
        if door is not FrontDoor.FUNCTION_URL:
            self._say(endpoint.name, f"cold starts stay suspicions: {_UNTOLD.get(door, _NO_ID).format(door.value)}")
            return None
        if not is_request_id(request_id):
            return None
        group, region = values.log_group(endpoint.function, endpoint.url)
        return Invocation(group, region, request_id, first.started_at)

    async def _confirm(self, claim: Claim, report: ProbeReport, invocation: Invocation) -> None:
        for delay in DELAYS_S:
            await self._sleep(delay)
            try:
                found = await self._logs.report(invocation)
            except LogsUnavailable as unavailable:
                self._say(claim.endpoint.name, f"cold starts stay suspicions: {unavailable}")
                return
            if found is not None:
                await self._complete(claim, report, found)
                return
        self._say(claim.endpoint.name, f"{invocation.log_group} holds no report of our requests: is it its log group?")

    async def _complete(self, claim: Claim, report: ProbeReport, found: InvocationReport) -> None:
        entry = LogEntry(
            cold=found.was_waited_for(first_wait_ms(report.opening)),
            init_ms=found.init_ms,
            restore_ms=found.restore_ms,
            function_ms=found.function_ms,
            memory_mb=found.memory_mb,
        )
        try:
            async with self._db.begin() as connection:
                await reports.complete(connection, claim.endpoint_id, report, entry)
                if found.function_version is not None:
                    await accepted_tools.note_version(
                        connection, claim.endpoint_id, found.function_version, report.slot
                    )
        except (SQLAlchemyError, OSError) as failure:
            log.warning("what the function's log says could not be saved: %s", type(failure).__name__)

    def _say(self, name: str, text: str) -> None:
        if (name, text) not in self._said:
            self._said.add((name, text))
            log.warning("%s: %s", name, text)


def _may_be_cold(claim: Claim, report: ProbeReport) -> bool:
    """Whether a cold start is suspected, or could have passed unnoticed because nothing kept an instance awake."""
    if any(each.id == reports.COLD_START for each in report.diagnoses):
        return True
    idle = idle_s(claim.history, report.opening.exchanges[0])
    return idle is None or idle >= IDLE_AFTER_S
