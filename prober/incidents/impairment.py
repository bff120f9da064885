"""The prober's own troubles: what keeps it from observing, and what is told of that.

A trouble is told once it has lasted for a while. What could not be told or saved while it lasted, because there was no
way out, is told on return: nothing here forgets a trouble before `settled` says that it was saved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from checks.text import clean
from prober.incidents.notice import NoticeKind
from prober.incidents.rules import Severity
from prober.incidents.telling import Thing

TOLD_AFTER: Final = timedelta(seconds=60)
"""A trouble that ends sooner is told to nobody; the slots that it cost are recorded with their reason all the same."""

_NAMESPACE: Final = UUID("0f6a4c35-5f0b-5a64-9e0a-5f6a3fd84a52")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why one worker cannot observe, from when to when."""

    id: UUID
    worker: str
    reason: str
    """A fixed word, such as `no-connectivity`."""
    detail: str
    """A sentence: what the prober cannot do."""
    since: datetime
    ended_at: datetime | None = None
    saved: tuple[NoticeKind, ...] = ()
    """What has been written of it: first that it is so, then that it is over."""

    @property
    def thing(self) -> Thing:
        """What there is to tell of it."""
        return Thing(
            id=self.id,
            news=(NoticeKind.IMPAIRED,),
            end=NoticeKind.RESTORED,
            ended=self.ended_at is not None,
            severity=Severity.CRITICAL,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairments:
    """Everything that a worker remembers of its troubles: those that last, and those not saved yet."""

    worker: str
    troubles: tuple[Trouble, ...] = ()

    @property
    def current(self) -> tuple[Trouble, ...]:
        """Those that last."""
        return tuple(each for each in self.troubles if each.ended_at is None)


def step(state: Impairments, reasons: Mapping[str, str], now: datetime) -> Impairments:
    """The state with what keeps the worker from observing now: reasons, each with a sentence about it."""
    kept: list[Trouble] = []
    for each in state.troubles:
        if each.ended_at is not None:
            kept.append(each)
        elif each.reason in reasons:
            kept.append(replace(each, detail=clean(reasons[each.reason], 300)))
        elif now - each.since >= TOLD_AFTER or each.saved:
            kept.append(replace(each, ended_at=now))
    lasting = {each.reason for each in kept if each.ended_at is None}
    for reason, detail in reasons.items():
        if reason not in lasting:
            identity = uuid5(_NAMESPACE, f"{state.worker}:{reason}:{now.isoformat()}")
            kept.append(Trouble(id=identity, worker=state.worker, reason=reason, detail=clean(detail, 300), since=now))
    return replace(state, troubles=tuple(kept))


def to_save(state: Impairments, now: datetime) -> tuple[tuple[Trouble, NoticeKind], ...]:
    """What is to be written and told now, each with how. A trouble that ended before it could be told is told once, as
    one that is over."""
    due: list[tuple[Trouble, NoticeKind]] = []
    for each in state.troubles:
        if each.ended_at is not None:
            due.append((each, NoticeKind.RESTORED))
        elif not each.saved and now - each.since >= TOLD_AFTER:
            due.append((each, NoticeKind.IMPAIRED))
    return tuple(due)


def settled(state: Impairments, saved: tuple[tuple[Trouble, NoticeKind], ...]) -> Impairments:
    """The state once that has been written: what is over is forgotten."""
    kinds = {trouble.id: kind for trouble, kind in saved}
    return replace(
        state,
        troubles=tuple(
            replace(each, saved=(*each.saved, kinds[each.id])) if each.id in kinds else each
            for each in state.troubles
            if kinds.get(each.id) is not NoticeKind.RESTORED
        ),
    )
