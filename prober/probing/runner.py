"""One probe: opens a wire to an endpoint, lets every check ask its question, and has the answers judged."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from checks.catalog import CHECKS, DETECTORS
from checks.judgement import diagnose, verdict_of
from checks.model import (
    CheckResult,
    Endpoint,
    Evidence,
    Exchange,
    Failure,
    History,
    Opener,
    Opening,
    Outcome,
    ProbeReport,
    Profile,
    TransportError,
)
from checks.unit import Check, CheckContext, ListCaps
from checks.wire import Wire
from prober.clock import Clock
from prober.net.client import Net
from prober.probing.apart import apart, bytes_of
from prober.probing.credentials import Access, Credentials, Unavailable
from prober.secrets.vault import Vault
from prober.storage.identity import report_id
from prober.wire.connect import HttpWire, connect
from prober.wire.redact import Redactor
from prober.wire.tracing import Trace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What is to be probed, for which slot, and what is remembered from earlier probes."""

    endpoint: Endpoint
    slot: datetime
    endpoint_id: UUID | None = None
    location: str = "local"
    profile: Profile = Profile.STANDARD
    remembered: Opener | None = None
    history: History = History()
    checks: tuple[Check, ...] = CHECKS
    """What may be asked; the profile chooses of it."""

    @property
    def trace_id(self) -> str | None:
        """The id of the report as the id of the trace that its requests make; None where the report has no id."""
        if self.endpoint_id is None:
            return None
        return report_id(self.endpoint_id, self.slot, self.location).hex


async def probe(
    assignment: Assignment, *, net: Net, clock: Clock, credentials: Credentials | None = None
) -> ProbeReport:
    """Run every check of the profile over one wire, all under the endpoint's one deadline, and judge the answers.

    Without `credentials`, any secret may be used, and nothing is kept for the next probe. Never raises for what the
    network, the server or a check does: the report says it. Cancellation passes through.
    """
    endpoint = assignment.endpoint
    started_at, began = clock.now(), clock.monotonic()
    deadline = asyncio.get_running_loop().time() + endpoint.deadline_s(assignment.profile)
    found = credentials or Credentials(Vault(), net=net, clock=clock)
    entrance = _Entrance(assignment, net, clock, found, deadline, Trace(assignment.trace_id))
    try:
        open_wire = await entrance.open()
    except Unavailable as unavailable:
        wire: Wire = _Unopened(_observer_failure(endpoint, started_at, unavailable))
        results = await run_checks(endpoint, wire, assignment.profile, assignment.checks)
    else:
        wire = open_wire
        try:
            caps = ListCaps(pages=net.limits.pages, items=net.limits.items, bytes=net.limits.listed)
            results = await run_checks(endpoint, wire, assignment.profile, assignment.checks, caps=caps)
        finally:
            await open_wire.close()
    took_ms = (clock.monotonic() - began) * 1000
    return await apart(bytes_of(results), lambda: _report(assignment, wire.opening, results, started_at, took_ms))


@dataclass(frozen=True, slots=True)
class _Entrance:
    """The way into an endpoint: with credentials, and where these are outdated with others."""

    assignment: Assignment
    net: Net
    clock: Clock
    credentials: Credentials
    deadline: float
    trace: Trace

    async def open(self) -> HttpWire:
        """A wire to the endpoint. What a refusal of outdated credentials brought is not kept: it was ours.

        Raises Unavailable.
        """
        endpoint = self.assignment.endpoint
        access = await self.credentials.access(endpoint, deadline=self.deadline)
        wire = await self._connect(access)
        if not self.credentials.may_be_outdated(endpoint, access, wire.opening):
            return wire
        try:
            renewed = await self.credentials.renewed(endpoint, access, deadline=self.deadline)
        except BaseException:  # nobody else has the wire yet
            await wire.close()
            raise
        if renewed is None:
            self.credentials.note_futility(endpoint)
            return wire
        await wire.close()
        log.info("%s refused its credentials, which are renewed", endpoint.name)
        again = await self._connect(renewed)
        if not again.opening.established:
            self.credentials.note_futility(endpoint)
        return again

    async def _connect(self, access: Access) -> HttpWire:
        return await connect(
            self.assignment.endpoint,
            net=self.net,
            clock=self.clock,
            headers=access.headers,
            remembered=self.assignment.remembered,
            deadline=self.deadline,
            signer=access.signer,
            trace=self.trace,
        )


async def run_checks(
    endpoint: Endpoint,
    wire: Wire,
    profile: Profile,
    checks: Sequence[Check] = CHECKS,
    *,
    caps: ListCaps | None = None,
) -> tuple[CheckResult, ...]:
    """The results of the profile's checks, in catalog order. A bug in a check is a result of its own."""
    results: tuple[CheckResult, ...] = ()
    for check in checks:
        if profile not in check.profiles:
            continue
        try:
            result = await check.run(
                CheckContext(endpoint=endpoint, wire=wire, results=results, caps=caps or ListCaps(), apart=apart)
            )
        except Exception as bug:  # a check is our own code: its bug must cost one result, not the probe
            log.exception("check %s failed on endpoint %s: please report this", check.id, endpoint.name)
            result = CheckResult(
                check=check.id,
                outcome=Outcome.ERROR,
                summary=f"the prober itself failed in this check ({type(bug).__name__}); see its log",
            )
        results = (*results, result)
    return results


def _report(
    assignment: Assignment,
    opening: Opening,
    results: tuple[CheckResult, ...],
    started_at: datetime,
    duration_ms: float,
) -> ProbeReport:
    evidence = Evidence(endpoint=assignment.endpoint, opening=opening, results=results, history=assignment.history)
    diagnoses, broken = diagnose(evidence, DETECTORS)
    for each in broken:
        log.error(
            "detector %s failed on endpoint %s: please report this",
            each.id,
            assignment.endpoint.name,
            exc_info=each.exception,
        )
    return ProbeReport(
        endpoint=assignment.endpoint.name,
        endpoint_id=assignment.endpoint_id,
        slot=assignment.slot,
        location=assignment.location,
        profile=assignment.profile,
        started_at=started_at,
        duration_ms=duration_ms,
        verdict=verdict_of(results, diagnoses),
        opening=opening,
        results=results,
        diagnoses=diagnoses,
        labels=assignment.endpoint.labels,
    )


class _Unopened:
    """Stands in for a wire that we could not even try to open, so that the checks say so in their own words."""

    def __init__(self, failed: Exchange) -> None:
        self.opening = Opening(exchanges=(failed,))
        self._failed = failed

    async def request(self, *_: Any, **__: Any) -> Exchange:
        return self._failed

    async def at_once(self, *_: Any) -> tuple[Exchange, ...]:
        return ()

    async def end_session(self) -> None:
        return None

    async def open_beside(self, *_: Any) -> Opening:
        return self.opening

    async def pause(self, *_: Any) -> bool:
        return False

    listen = preflight = fetch = request


def _observer_failure(endpoint: Endpoint, at: datetime, unavailable: Unavailable) -> Exchange:
    return Exchange(
        id="x1",
        method="POST",
        url=Redactor((), endpoint.url).text(endpoint.url),
        started_at=at,
        transport_error=TransportError(failure=Failure.OBSERVER, reason=unavailable.reason, detail=str(unavailable)),
    )
