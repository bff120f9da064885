"""Judges whether *we* could observe, between a probe and its saving: so that no fault of ours is told as another's."""

import ipaddress
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from checks.catalog import DETECTORS
from checks.model import Endpoint, Evidence, Exchange, Observer, ProbeReport
from checks.observing import (
    CLOCK,
    LAG,
    NO_CONNECTIVITY,
    Reviewed,
    held_up,
    held_up_for,
    lost_on_the_way,
    misdated,
    review,
    unknown_reason,
)
from prober import values
from prober.clock import Clock
from prober.net.canaries import Canaries, Look, Place, Reach
from prober.probing.loop_lag import LoopLag
from prober.settings import ObserverSettings
from prober.vitals import Vitals

log = logging.getLogger(__name__)

PUBLIC_CANARIES: Final = (Place("one.one.one.one", 443), Place("dns.google", 443))
"""Of two providers that have nothing to do with AWS, by names, so that a dead resolver of ours shows as well."""
_AWS: Final = Place("sts.amazonaws.com", 443)

FRESH_S: Final = 1.0
"""How old an answer of the canaries may be for an endpoint that worked until now: it must be of after it failed."""
MANY_FAIL_S: Final = 5.0
ALONE_S: Final = 10.0
"""How old it may be for one that failed before while the canaries answered, where hardly any other fails."""
SILENCE_KEPT_S: Final = 5.0
"""For so long silent canaries are not asked again."""
REFUTED_KEPT_S: Final = 300.0
"""The same of those whose silence says nothing."""
MANY_FAIL_SHARE: Final = 0.3
SMALL_FLEET: Final = 4

WRONG_CLOCK_S: Final = 300.0
"""As far as that from the database's clock, ours is not believed: AWS takes no signature of it any more, either."""

TROUBLE_AFTER: Final = 3
"""Probes of an endpoint in a row that could not observe, from which on the prober is in trouble about it."""
KEPT_INTERVALS: Final = 5
"""After so many intervals without a probe of this worker, another one has taken the endpoint over, or it is gone."""
KEPT_AT_LEAST_S: Final = 600.0


class Vantage:
    """What this prober knows of itself, and the reports that it corrects by it.

    Healthy endpoints cost nothing: the canaries are asked when a probe failed in a way that a dead network of our own
    would explain, and once before, so that silence is not taken for ours where nothing ever answers.
    """

    def __init__(
        self,
        *,
        settings: Callable[[], ObserverSettings],
        reach: Reach,
        lag: LoopLag,
        clock: Clock,
        vitals: Vitals,
    ) -> None:
        self._settings = settings
        self._reach = reach
        self._lag = lag
        self._clock = clock
        self._vitals = vitals
        self._witnesses: dict[tuple[Place, ...], _Witnesses] = {}
        self._clock_apart_s = 0.0
        self._fleet = _Fleet(clock)
        self._blind = _Blind(vitals, clock)

    async def judge(self, report: ProbeReport, evidence: Evidence) -> Reviewed:
        """The report in the light of how we did, to be called once the probe has ended. Takes two seconds at most,
        which a failed probe costs, and the first that works. Never raises for what the network does."""
        ended = self._clock.monotonic()
        began = ended - report.duration_ms / 1000
        observer = self._dated(self._lateness(report, evidence, began), report, evidence)
        lost = lost_on_the_way(report, evidence) if observer.reason is None else None
        if lost is not None:
            observer = await self._connectivity(observer, evidence.endpoint, lost)
        elif observer.reason is None:
            self._fleet.answered(evidence.endpoint)
            await self._hear(evidence, began)
        reviewed = review(report, evidence, observer, DETECTORS)
        for each in reviewed.broken:
            log.error("detector %s failed: please report this", each.id, exc_info=each.exception)
        self._note(reviewed.report, evidence.endpoint)
        return reviewed

    def _lateness(self, report: ProbeReport, evidence: Evidence, began: float) -> Observer:
        lag_ms = round(self._lag.worst_ms(began), 1)
        if lag_ms <= self._settings().lag_ms:
            return Observer(lag_ms=lag_ms)
        if not held_up(report, evidence, DETECTORS, lost_ms=self._lag.lost_ms(began)):
            return Observer(lag_ms=lag_ms, is_late=True)
        return Observer(lag_ms=lag_ms, is_late=True, reason=LAG, detail=held_up_for(lag_ms))

    def set_clock_apart(self, seconds: float) -> None:
        """How far our wall clock is ahead of the database's, as was seen last."""
        self._clock_apart_s = seconds

    async def look_again(self) -> None:
        """Ask canaries that were silent whether they answer by now, so that the end of the silence is noticed soon."""
        for witnesses in self._witnesses.values():
            if witnesses.silent_since is not None:
                await witnesses.are_silent(REFUTED_KEPT_S if witnesses.are_refuted else SILENCE_KEPT_S)
        self._tell()
        self._fleet.forget_the_old()
        self._blind.forget_the_old()

    def _dated(self, observer: Observer, report: ProbeReport, evidence: Evidence) -> Observer:
        """The observer, who cannot judge the dates of a certificate by a wrong clock."""
        apart_s = abs(self._clock_apart_s)
        if observer.reason is not None or apart_s <= WRONG_CLOCK_S or not misdated(report, evidence):
            return observer
        detail = f"the clocks of the prober's machine and of its database are {apart_s:,.0f} s apart"
        return replace(observer, reason=CLOCK, detail=detail)

    async def _connectivity(self, observer: Observer, endpoint: Endpoint, lost: Exchange) -> Observer:
        """The observer, who saw nothing where no canary answers either."""
        witnesses = self._witnesses_for(endpoint, lost)
        if witnesses is None:
            return observer
        is_cut_off = await witnesses.are_silent(self._fleet.patience_s(endpoint.name))
        if is_cut_off and self._fleet.is_inside(endpoint) and not witnesses.have_answered:
            witnesses.refute()  # a name of the inside is gone, and whoever stands outside was never to be reached
            is_cut_off = False
        self._fleet.lost(endpoint, vouched=not is_cut_off)
        self._tell()
        if not is_cut_off:
            return observer
        return replace(observer, reason=NO_CONNECTIVITY, detail=f"none of the canaries answers ({witnesses.canaries})")

    async def _hear(self, evidence: Evidence, began: float) -> None:
        """Notice that an endpoint answered, which none does without a network."""
        answer = next((each for each in evidence.opening.exchanges if each.status is not None), None)
        if answer is None:
            return
        self._fleet.note_place(evidence.endpoint, is_inside=not _is_public(answer))
        witnesses = self._witnesses_for(evidence.endpoint, answer)
        if witnesses is not None:
            await witnesses.hear(began)
            self._tell()

    def _tell(self) -> None:
        silent = next((each for each in self._witnesses.values() if each.are_believed_silent), None)
        text = None if silent is None else f"No network: none of the canaries answers ({silent.canaries})"
        self._vitals.trouble(NO_CONNECTIVITY, text)

    def _witnesses_for(self, endpoint: Endpoint, exchange: Exchange) -> "_Witnesses | None":
        """Who is asked about this endpoint: the owner's own canaries, or public ones where it is public itself."""
        named = self._settings().canaries
        if named is not None:
            places = tuple(Place.of(each) for each in named)
        else:
            places = (*PUBLIC_CANARIES, _of_aws(endpoint.url)) if _is_public(exchange) else ()
        if not places:
            return None
        if places not in self._witnesses:
            self._witnesses[places] = _Witnesses(Canaries(places, self._reach, self._clock))
        return self._witnesses[places]

    def _note(self, report: ProbeReport, endpoint: Endpoint) -> None:
        reason = unknown_reason(report)
        if reason is not None:
            self._vitals.add("unknowns", label=reason)
        self._blind.note(endpoint, None if reason in (LAG, NO_CONNECTIVITY) else reason)


@dataclass(slots=True)
class _Witnesses:
    """Canaries, and whether their silence says anything.

    Behind a firewall that lets through to the endpoints and nowhere else none ever answers. So they are asked when an
    endpoint answers for the first time, and once one answers while they are silent, they are not believed until one of
    them answers.
    """

    canaries: Canaries
    silent_since: float | None = None
    are_refuted: bool = False
    have_answered: bool = False
    """Any of them, ever."""

    @property
    def are_believed_silent(self) -> bool:
        return self.silent_since is not None and not self.are_refuted

    async def are_silent(self, patience_s: float) -> bool:
        """Whether none answers, as of so long ago at most; longer where none did, since whoever else fails meanwhile
        fails for the same reason."""
        look = await self.canaries.look(patience_s if self.silent_since is None else max(patience_s, SILENCE_KEPT_S))
        self._take(look)
        return self.are_believed_silent

    async def hear(self, began: float) -> None:
        """An endpoint answered a probe that began then: whether they do by now, too."""
        is_contradicted = self.are_believed_silent and self.silent_since is not None and began >= self.silent_since
        if is_contradicted or not self.canaries.were_asked:
            self._take(await self.canaries.look(0.0 if is_contradicted else FRESH_S))
            if self.are_believed_silent:
                self.refute()

    def refute(self) -> None:
        """An endpoint shows that their silence says nothing."""
        self.are_refuted = True
        log.warning(
            "none of the canaries answers (%s) although endpoints do: they are not believed until one does. "
            "Name places that this machine reaches under `observer: canaries:`",
            self.canaries,
        )

    def _take(self, look: Look) -> None:
        if not look.is_cut_off:
            self.silent_since, self.are_refuted, self.have_answered = None, False, True
        elif self.silent_since is None:
            self.silent_since = look.asked_at


class _Fleet:
    """Which endpoints fail as a dead network of ours would have it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        """Every endpoint that is probed here, and from when on it is not any more."""
        self._lost: dict[str, bool] = {}
        """Each with whether the canaries answered meanwhile, so that it is the endpoint."""
        self._inside: set[str] = set()
        """Those whose latest answer came from an address that is not public."""

    def answered(self, endpoint: Endpoint) -> None:
        self._until[endpoint.name] = _kept_until(endpoint, self._clock)
        self._lost.pop(endpoint.name, None)

    def lost(self, endpoint: Endpoint, *, vouched: bool) -> None:
        self._until[endpoint.name] = _kept_until(endpoint, self._clock)
        self._lost[endpoint.name] = vouched

    def note_place(self, endpoint: Endpoint, *, is_inside: bool) -> None:
        (self._inside.add if is_inside else self._inside.discard)(endpoint.name)

    def is_inside(self, endpoint: Endpoint) -> bool:
        return endpoint.name in self._inside

    def forget_the_old(self) -> None:
        now = self._clock.monotonic()
        for name in [name for name, until in self._until.items() if until < now]:
            del self._until[name]
            self._lost.pop(name, None)
            self._inside.discard(name)

    def patience_s(self, name: str) -> float:
        """How old an answer of the canaries may be for this endpoint, which has just failed."""
        if not self._lost.get(name, False):
            return FRESH_S
        known = len(self._until)
        many = known < SMALL_FLEET or len(self._lost) >= MANY_FAIL_SHARE * known
        return MANY_FAIL_S if many else ALONE_S


@dataclass(frozen=True, slots=True)
class _Row:
    """Probes of an endpoint, one after the other, that could not observe for the same reason."""

    reason: str
    count: int
    until: float
    """From when on the endpoint is not probed any more."""


class _Blind:
    """Endpoints that cannot be observed for a reason of their own, such as a secret that is not to be had."""

    def __init__(self, vitals: Vitals, clock: Clock) -> None:
        self._vitals = vitals
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._stuck: dict[str, set[str]] = {}

    def note(self, endpoint: Endpoint, reason: str | None) -> None:
        name, before = endpoint.name, self._rows.get(endpoint.name)
        if before is not None and before.reason != reason:
            self._forget(name)
            before = None
        if reason is None:
            return
        count = 1 if before is None else before.count + 1
        self._rows[name] = _Row(reason, count, _kept_until(endpoint, self._clock))
        self._settle(reason, name, stuck=count >= TROUBLE_AFTER)

    def forget_the_old(self) -> None:
        now = self._clock.monotonic()
        for name in [name for name, row in self._rows.items() if row.until < now]:
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._settle(self._rows.pop(name).reason, name, stuck=False)

    def _settle(self, reason: str, name: str, *, stuck: bool) -> None:
        names = self._stuck.setdefault(reason, set())
        (names.add if stuck else names.discard)(name)
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        text = f"Endpoints cannot be observed ({reason}): {min(names)}{others}" if names else None
        self._vitals.trouble(reason, text)


def _kept_until(endpoint: Endpoint, clock: Clock) -> float:
    """From when on an endpoint that was probed just now has not been for so long that it is not probed here any more:
    it was removed, or another worker has it."""
    return clock.monotonic() + max(KEPT_AT_LEAST_S, KEPT_INTERVALS * endpoint.interval_s)


def _of_aws(url: str) -> Place:
    """The AWS endpoint that shares most of the way with a function: that of its region, where the address tells it."""
    try:
        _, region = values.signing_scope(url)
    except values.Refused:
        return _AWS
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return Place(f"sts.{region}.{suffix}", 443)


def _is_public(exchange: Exchange) -> bool:
    """Whether the way there is the internet's, as far as can be told: a name that does not resolve counts as one."""
    host = exchange.remote_address or urlsplit(exchange.url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return host.rstrip(".").lower() != "localhost"
