"""Probes at the prompt or in a pipeline: no database, and nothing is remembered beyond the run."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from checks.catalog import CHECKS
from checks.model import CheckResult, Endpoint, Evidence, History, Opener, ProbeReport, Profile, Verdict
from checks.proofs import counted
from checks.protocol.cold_starts import burst_of
from checks.unit import Check, CheckContext
from prober.app.background import DaemonExecutor
from prober.app.smoke import PASSING, Attempt, Conclusion, Demands, Examined, Judged, Run, concluded, in_brief, judge
from prober.clock import Clock, SystemClock
from prober.net.client import VERSION, Net
from prober.net.guard import GuardPolicy
from prober.probing.credentials import Credentials
from prober.probing.loop_lag import LoopLag
from prober.probing.runner import Assignment, probe
from prober.secrets.vault import Vault
from prober.vitals import Vitals

if TYPE_CHECKING:  # settings bring in pydantic, which a probe of one address does not wait for
    from prober.probing.observer import Vantage
    from prober.settings import Settings

THREADS: Final = 2
"""For secrets; none is started where none is needed."""

AT_ONCE: Final = 8
"""Probes at once: more would measure the prober's own machine."""

AGAIN_AFTER_S: Final = 2.0
"""Pause after a probe that did not pass, while there is time to wait."""
AGAIN_AFTER_SHARE: Final = 0.1
"""The pause is no longer than this share of all the time: who waits for few seconds wants more than one look."""
IN_A_ROW_S: Final = 1.0
"""Pause between two that must pass in a row: not the same burst of traffic, and not another deploy either."""
LEAST_S: Final = 1.0
"""With less time left, no further probe begins: it would fail for want of time."""

Tell = Callable[[Endpoint, str], None]
Sleep = Callable[[float], Awaitable[None]]


class Prober:
    """Probes endpoints as the scheduler does: the same checks, guard, limits and credentials."""

    def __init__(
        self,
        settings: "Settings | None" = None,
        *,
        canaries: tuple[str, ...] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """With the rules of a configuration. Without one, loopback and private addresses are allowed and so is every
        secret, because a person names them; metadata and link-local addresses never are. `canaries` stand over those of
        the configuration; none of them, and every failure is taken for the endpoint's."""
        self.clock = clock or SystemClock()
        executor = DaemonExecutor(THREADS, "secrets")
        if settings is None:
            self._net = Net(GuardPolicy(allow_private=True), clock=self.clock)
            vault = Vault(executor)
        else:
            network = settings.network
            policy = GuardPolicy(allow_cidrs=network.allow_cidrs, allow_private=network.allow_private)
            self._net = Net(policy, clock=self.clock, limits=settings.limits)
            vault = Vault(executor, allow=settings.secrets)
        self._settings = settings
        self._canaries = canaries
        self._credentials = Credentials(vault, net=self._net, clock=self.clock, executor=executor)
        self._vitals = Vitals()
        self._lag = LoopLag(self.clock, self._vitals)
        self._measuring: asyncio.Task[None] | None = None
        self._vantage: Vantage | None = None

    async def probe(
        self,
        endpoint: Endpoint,
        *,
        profile: Profile = Profile.STANDARD,
        history: History = History(),
        remembered: Opener | None = None,
        checks: tuple[Check, ...] = CHECKS,
    ) -> ProbeReport:
        """Probe `endpoint` now. `history` and `remembered` are what is known of earlier probes."""
        assignment = Assignment(
            endpoint=endpoint,
            slot=self.clock.now(),
            profile=profile,
            history=history,
            remembered=remembered,
            checks=checks,
        )
        return await probe(assignment, net=self._net, clock=self.clock, credentials=self._credentials)

    async def doubted(self, endpoint: Endpoint, report: ProbeReport) -> ProbeReport:
        """The report of a probe that has just ended, with doubts about our own network and machine where it is bad.

        A good one speaks for our network, where others are asked as well.
        """
        if report.verdict is Verdict.UNKNOWN or (report.verdict is Verdict.UP and self._vantage is None):
            return report
        evidence = Evidence(endpoint=endpoint, opening=report.opening, results=report.results)
        return (await (await self.observer()).judge(report, evidence)).report

    async def observer(self) -> "Vantage":
        """Who judges whether it was our own network or machine that failed. The first call imports much, which must not
        look like a delay of ours while the probe ran."""
        if self._vantage is None:
            was_measuring = self._measuring is not None
            await self.stop_measuring()
            from prober.probing.observer import Vantage
            from prober.settings import ObserverSettings

            observer = ObserverSettings() if self._settings is None else self._settings.observer
            if self._canaries is not None:
                observer = replace(observer, canaries=self._canaries)
            self._vantage = Vantage(
                settings=lambda: observer, reach=self._reach, lag=self._lag, clock=self.clock, vitals=self._vitals
            )
            if was_measuring:
                self.measure()
        return self._vantage

    def measure(self) -> None:
        """Begin to note how late our own event loop is."""
        self._measuring = asyncio.create_task(self._lag.keep_measuring())

    async def stop_measuring(self) -> None:
        """End that."""
        if self._measuring is not None:
            self._measuring.cancel()
            await asyncio.gather(self._measuring, return_exceptions=True)
            self._measuring = None

    async def _reach(self, host: str, port: int) -> None:
        (await self._net.open_socket(host, port, confidential=False)).close()


async def probe_once(
    endpoint: Endpoint, *, profile: Profile = Profile.STANDARD, history: History = History()
) -> ProbeReport:
    """One probe of one endpoint that a person names."""
    return await Prober().probe(endpoint, profile=profile, history=history)


async def examine(
    endpoints: Sequence[Endpoint],
    demands: Demands,
    *,
    settings: "Settings | None" = None,
    canaries: tuple[str, ...] | None = None,
    tell: Tell = lambda _, __: None,
    sleep: Sleep = asyncio.sleep,
) -> Run:
    """Ask all that is demanded of all endpoints, and conclude. `tell` hears what is done at the moment.

    With `demands.wait_s`, all of it ends by then. Without, each probe ends by the endpoint's own deadline.
    """
    prober = Prober(settings, canaries=canaries)
    started_at, began = prober.clock.now(), prober.clock.monotonic()
    if len(endpoints) > 1 or demands.wait_s is not None or demands.answer_within_s is not None:
        await prober.observer()  # now, because later it would hold up the others, or take of the time to wait
    examination = _Examination(prober, demands, began, tell, sleep)
    prober.measure()
    try:
        examined = await asyncio.gather(*(examination.of(each) for each in endpoints))
    finally:
        await prober.stop_measuring()
    duration_ms = (prober.clock.monotonic() - began) * 1000
    return Run(
        examined=tuple(examined), demands=demands, started_at=started_at, duration_ms=duration_ms, version=VERSION
    )


class _Examination:
    """One run over endpoints that take turns."""

    def __init__(self, prober: Prober, demands: Demands, began: float, tell: Tell, sleep: Sleep) -> None:
        self._prober = prober
        self._demands = demands
        self._began = began
        self._tell = tell
        self._sleep = sleep
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of(self, endpoint: Endpoint) -> Examined:
        """Probe until it has passed often enough, or is not asked again."""
        attempts: list[Attempt] = []
        report: ProbeReport | None = None
        judged: Judged | None = None
        streak = 0
        while True:
            is_last = streak == self._demands.passes - 1
            async with self._turns:
                left_s = self._left_s()
                if left_s is not None and left_s < (LEAST_S if attempts else 0.0):
                    break
                self._tell(endpoint, self._activity(bool(attempts), with_burst=is_last and self._demands.cold > 0))
                at_ms = (self._prober.clock.monotonic() - self._began) * 1000
                report = await self._probe(endpoint, report, left_s, with_burst=is_last and self._demands.cold > 0)
            judged = judge(endpoint, report, self._demands, with_burst=is_last and self._demands.cold > 0)
            attempts.append(_attempt(report, judged, at_ms))
            streak = streak + 1 if judged.conclusion in PASSING else 0
            if streak >= self._demands.passes or not self._goes_on(report, judged, streak):
                break
            not_ready = f"not ready after {counted(len(attempts), 'probe')}: {in_brief(attempts[-1])}"
            self._tell(endpoint, f"passed {streak} of {self._demands.passes}" if streak else not_ready)
            await self._pause(IN_A_ROW_S if streak else self._again_after_s())
        final = concluded(attempts, judged, self._demands)
        self._tell(endpoint, final.conclusion.value)
        return Examined(endpoint=endpoint, report=report, attempts=tuple(attempts), judged=final)

    def _activity(self, is_again: bool, *, with_burst: bool) -> str:
        asking = "asking again" if is_again else "asking"
        return f"{asking}, {self._demands.cold} requests at once" if with_burst else asking

    def _goes_on(self, report: ProbeReport, judged: Judged, streak: int) -> bool:
        """Whether asking again could change anything."""
        if streak:
            return True
        passes_by = report.verdict is Verdict.UNKNOWN or report.observer.is_late
        is_our_limit = judged.conclusion is Conclusion.UNOBSERVED and not passes_by
        return self._demands.wait_s is not None and not is_our_limit

    async def _probe(
        self, endpoint: Endpoint, earlier: ProbeReport | None, left_s: float | None, *, with_burst: bool
    ) -> ProbeReport:
        if left_s is not None:
            endpoint = replace(
                endpoint, timeout_s=min(endpoint.timeout_s, left_s), interval_s=min(endpoint.interval_s, left_s)
            )
        report = await self._prober.probe(
            endpoint,
            profile=self._demands.profile,
            remembered=None if earlier is None else earlier.opening.opener,
            checks=_with_burst(self._demands.cold) if with_burst else CHECKS,
        )
        return await self._prober.doubted(endpoint, report)

    async def _pause(self, seconds: float) -> None:
        left_s = self._left_s()
        await self._sleep(seconds if left_s is None else max(min(seconds, left_s), 0.0))

    def _again_after_s(self) -> float:
        wait_s = self._demands.wait_s
        return AGAIN_AFTER_S if wait_s is None else min(AGAIN_AFTER_S, AGAIN_AFTER_SHARE * wait_s)

    def _left_s(self) -> float | None:
        """What is left of the time for the whole run. None: nothing limits it."""
        if self._demands.wait_s is None:
            return None
        return self._began + self._demands.wait_s - self._prober.clock.monotonic()


def _attempt(report: ProbeReport, judged: Judged, at_ms: float) -> Attempt:
    cause = None if report.verdict is Verdict.UP else report.cause
    return Attempt(
        at_ms=at_ms,
        ms=report.duration_ms,
        verdict=report.verdict,
        cause=None if cause is None else cause.id,
        conclusion=judged.conclusion,
        missed=judged.missed,
    )


def _with_burst(count: int) -> tuple[Check, ...]:
    """All checks, with a burst of so many requests in place of the configured one, in every profile."""

    async def burst(ctx: CheckContext) -> CheckResult:
        return await burst_of(ctx, count)

    return tuple(
        replace(each, profiles=frozenset(Profile), run=burst) if each.id == "cold_starts" else each for each in CHECKS
    )
