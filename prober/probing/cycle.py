"""One slot from the claim to the spool: probe, judge what was found, keep it. Nothing here waits for the database."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from checks.catalog import CHECKS, DETECTORS
from checks.model import Evidence, ProbeReport, Profile, Verdict
from checks.observing import Reviewed
from checks.standing import FullFindings, Told, tell
from checks.tool_lists import remembered as tools_after
from prober.clock import Clock
from prober.incidents.lifecycle import Seen, seen_of
from prober.net.client import Net
from prober.probing.apart import apart, bytes_of
from prober.probing.credentials import Credentials
from prober.probing.runner import Assignment, probe
from prober.secrets.allowance import AllowList
from prober.secrets.vault import Vault
from prober.storage.identity import report_id
from prober.storage.records import ReportRecord, record_of, remembered
from prober.storage.schedule import Claim
from prober.vitals import Vitals

log = logging.getLogger(__name__)

BAD: Final = frozenset({Verdict.DOWN, Verdict.DEGRADED})


class Observe(Protocol):
    """Judges whether *we* could observe, once a probe has ended."""

    async def __call__(self, report: ProbeReport, evidence: Evidence) -> Reviewed: ...


async def trust(report: ProbeReport, evidence: Evidence) -> Reviewed:
    """Takes every report as it is."""
    return Reviewed(report=report, evidence=evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the owner decided about probes that may change while the prober runs."""

    location: str
    net: Net
    credentials: Credentials | None = None
    """None: any secret may be used, and nothing is kept from one probe to the next."""
    named: Credentials | None = None
    """For endpoints that people keep, who need not be whoever runs the prober: with secrets that are allowed by name
    alone. None: with none."""
    confirm_after_s: float | None = None
    """A bad probe is repeated once after so many seconds, which decides about telling alone. None: never."""

    def credentials_of(self, claim: Claim, clock: Clock) -> Credentials | None:
        """Where the secrets of the endpoint come from."""
        if claim.options.written is None:
            return self.credentials
        return self.named or Credentials(Vault(allow=AllowList()), net=self.net, clock=clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Runs slots. `keep` puts a record where it outlives this process, and `published` hears of it after that."""

    clock: Clock
    worker: str
    policy: Callable[[], Policy]
    keep: Callable[[ReportRecord], Awaitable[None]]
    published: Callable[[Claim, ProbeReport], None]
    rest: Callable[[float], Awaitable[bool]]
    """Pauses for so many seconds; False where there is no time to go on."""
    vitals: Vitals
    observe: Observe = trust

    async def run(self, claim: Claim) -> Claim:
        """Probe the claimed endpoint and keep what was found. Returns the next slot, as it is known from here."""
        began = self.clock.monotonic()
        told, evidence = await self._probe(claim, claim.findings)
        tools = await apart(bytes_of(evidence.results), lambda: tools_after(evidence, claim.slot))
        again = await self._repeated(told, claim, began)
        record = record_of(
            told,
            claim,
            tools,
            self._seen(told.report, again, claim),
            worker=self.worker,
            confirmed=None if again is None else again.verdict,
        )
        await self.keep(record)
        self._note(told.report)
        self.published(claim, told.report)
        return remembered(told, claim, tools)

    async def _probe(self, claim: Claim, findings: FullFindings) -> tuple[Told, Evidence]:
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
            credentials=policy.credentials_of(claim, self.clock),
        )
        judged = await self.observe(report, _evidence(report, claim))
        return tell(judged.report, judged.evidence, findings, CHECKS, DETECTORS), judged.evidence

    async def _repeated(self, told: Told, claim: Claim, began: float) -> ProbeReport | None:
        """What the probe finds when it is repeated; None where it is not, there is no time before the next slot, or it
        could not observe, which neither confirms nor refutes anything.

        It is a standard one. What only a full probe can see is asked for again at the next slot anyway.
        """
        pause_s = self.policy().confirm_after_s
        if pause_s is None or told.report.verdict not in BAD:
            return None
        spent_s = self.clock.monotonic() - began
        room_s = (claim.next_slot - claim.slot).total_seconds() - spent_s
        if pause_s + claim.endpoint.deadline_s(Profile.STANDARD) > room_s or not await self.rest(pause_s):
            return None
        again, _ = await self._probe(replace(claim, profile=Profile.STANDARD), told.findings)
        return None if again.report.verdict is Verdict.UNKNOWN else again.report

    def _seen(self, first: ProbeReport, again: ProbeReport | None, claim: Claim) -> Seen:
        identity = report_id(claim.endpoint_id, claim.slot, first.location)
        seen = seen_of(again or first, identity)
        return replace(seen, first=first.verdict, interval_s=claim.endpoint.interval_s)

    def _note(self, report: ProbeReport) -> None:
        self.vitals.add("probes", label=report.verdict.value)
        self.vitals.happened("probe", self.clock.monotonic())


def _evidence(report: ProbeReport, claim: Claim) -> Evidence:
    """What the report was judged by."""
    return Evidence(endpoint=claim.endpoint, opening=report.opening, results=report.results, history=claim.history)
