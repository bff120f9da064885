"""One slot from the claim to the alert: probe, then save, step and word the change in one transaction."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.catalog import CHECKS, DETECTORS
from checks.model import Evidence, ProbeReport, Profile
from checks.observing import Reviewed
from checks.standing import Told, tell
from checks.tool_lists import remembered
from checks.tool_memory import ToolMemory
from prober.clock import Clock
from prober.incidents.lifecycle import seen_of
from prober.incidents.policy import AlertPolicy
from prober.net.client import Net
from prober.probing.credentials import Credentials
from prober.probing.runner import Assignment, probe
from prober.storage import accepted_tools, incidents, reports, standing
from prober.storage.incidents import Observed
from prober.storage.schedule import Claim

log = logging.getLogger(__name__)

SAVE_PAUSES_S: Final = (0.5, 2.0, 5.0)
"""Waits between the attempts to save a report. A report that cannot be saved leaves its slot to be recorded as
interrupted, so that the gap shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the owner decided that may change while the prober runs."""

    location: str
    alerts: AlertPolicy
    net: Net
    credentials: Credentials | None = None
    """None: any secret may be used, and nothing is kept from one probe to the next."""


Judge = Callable[[ProbeReport, Evidence], Awaitable[Reviewed]]


async def _as_found(report: ProbeReport, evidence: Evidence) -> Reviewed:
    return Reviewed(report=report, evidence=evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Runs claimed slots. `published` hears of every report that was saved and its claim, after the commit; `judge`
    says whether we could observe (see `prober.probing.observer`), by default we always could."""

    db: AsyncEngine
    clock: Clock
    policy: Callable[[], Policy]
    published: Callable[[Claim, ProbeReport], None]
    judge: Judge = _as_found
    save_pauses_s: tuple[float, ...] = SAVE_PAUSES_S

    async def run(self, claim: Claim) -> None:
        """Probe the claimed endpoint and save what was found. Failures to save are tried again, then logged."""
        policy = self.policy()
        report = await probe(
            Assignment(
                endpoint=claim.endpoint,
                endpoint_id=claim.endpoint_id,
                slot=claim.slot,
                location=policy.location,
                profile=claim.profile,
                remembered=claim.remembered,
                history=claim.history,
            ),
            net=policy.net,
            clock=self.clock,
            credentials=policy.credentials,
        )
        seen = await self.judge(report, _evidence(report, claim))
        told = tell(seen.report, seen.evidence, claim.findings, CHECKS, DETECTORS)
        if await self._save_patiently(told, remembered(seen.evidence, claim.slot), claim):
            self.published(claim, told.report)

    async def _save_patiently(self, told: Told, tools: ToolMemory, claim: Claim) -> bool:
        for pause in (*self.save_pauses_s, None):
            try:
                return await self._save(told, tools, claim)
            except (SQLAlchemyError, OSError) as failure:
                # The driver's text may quote the report, and with it what a server sent: the kind says enough.
                log.warning("a report on %s could not be saved: %s", claim.endpoint.name, type(failure).__name__)
                if pause is not None:
                    await asyncio.sleep(pause)
        log.error("a report on %s is lost; its slot will be recorded as interrupted", claim.endpoint.name)
        return False

    async def _save(self, told: Told, tools: ToolMemory, claim: Claim) -> bool:
        """Save the report, the endpoint's new state and the notices of its change, all or nothing.

        False when the claim has gone to another worker meanwhile: then nothing is written.
        """
        policy = self.policy()
        report = told.report
        try:
            async with self.db.begin() as connection:
                saved = await reports.save(connection, report, claim=claim)
                if not saved.is_new:
                    return True  # the first attempt was committed, and only the reply to it was lost
                if report.profile is Profile.FULL:
                    await standing.save(
                        connection,
                        claim.endpoint_id,
                        told.findings,
                        report_id=saved.report_id,
                        is_full=told.is_full,
                    )
                await accepted_tools.remember(connection, claim.endpoint_id, tools, claim.history)
                observed = Observed(endpoint_id=claim.endpoint_id, seen=seen_of(report, saved.report_id))
                changes = await incidents.record(connection, [observed], policy.alerts, self.clock.now())
        except reports.StaleClaim as stale:
            log.warning("%s", stale)
            return False
        for change in changes:
            cause = change.transition.incident.shown.cause_id or "no known cause"
            log.info("%s: incident %s (%s)", change.endpoint, change.transition.kind, cause)
        return True


def _evidence(report: ProbeReport, claim: Claim) -> Evidence:
    """What the report was judged by."""
    return Evidence(endpoint=claim.endpoint, opening=report.opening, results=report.results, history=claim.history)
