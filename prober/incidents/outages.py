"""Many endpoints that fail together are one outage, and told as one."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from pydantic import TypeAdapter

from checks.text import storable
from prober.incidents.notice import NoticeKind
from prober.incidents.rules import Alerting, Severity
from prober.incidents.telling import Thing

TOGETHER: Final = timedelta(minutes=5)
"""Rows of bad verdicts that begin within so long of each other are taken for one event."""
JOINS_WITHIN: Final = timedelta(minutes=15)
"""Whatever of the group begins to fail within so long is part of an outage. Later it is told on its own, unless again
so many fail together: an outage that lasts for days must hide nothing."""
STRAGGLERS_WITHIN: Final = timedelta(minutes=5)
"""For so long an outage waits for the last few before it is over without them: most of them recover with the others."""
CHANGED_EVERY: Final = timedelta(minutes=10)
"""At most one notice of growth in so long."""
LOOK_EVERY: Final = timedelta(seconds=10)
"""How often an outage that lasts is looked at."""
NAMES_TOLD: Final = 10
CAUSES_TOLD: Final = 3
NO_KNOWN_CAUSE: Final = "no known cause"
_GROWN_BY: Final = 1.5


def group_of(labels: Mapping[str, str], alerting: Alerting) -> str:
    """The group that an endpoint with these labels belongs to; empty where all endpoints are one."""
    return ", ".join(f"{key}={labels.get(key, '')}" for key in alerting.group_by)


def labels_of(labels: Mapping[str, str], alerting: Alerting) -> dict[str, str]:
    """Those labels of an endpoint that all endpoints of its group share, because it is grouped by them."""
    return {key: labels[key] for key in alerting.group_by if key in labels}


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """An endpoint that is not well, in a row of bad verdicts or an incident."""

    name: str
    cause_id: str | None
    cause_summary: str = ""
    since: datetime
    severity: Severity = Severity.CRITICAL
    outage: UUID | None = None
    """The outage that its incident is part of already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Many endpoints of a group that began to fail together."""

    id: UUID
    group: str
    labels: Mapping[str, str]
    severity: Severity
    since: datetime
    """Of the first bad probe of any of them."""
    opened_at: datetime
    counts: tuple[int, ...]
    """How many endpoints were affected, at each of its news."""
    names: tuple[str, ...]
    """The first of those that are affected, by name."""
    causes: tuple[tuple[str, int], ...]
    """The most common causes, each with how many endpoints show it."""
    affected: int
    """How many are affected now."""
    changed_at: datetime
    """Of the newest news."""
    joins_until: datetime
    """What begins to fail later is no part of it."""
    fading_since: datetime | None = None
    """Since when fewer are affected than make an outage."""
    ended_at: datetime | None = None

    @property
    def thing(self) -> Thing:
        """What there is to tell of it."""
        return Thing(
            id=self.id,
            news=(NoticeKind.OUTAGE_OPENED, *(NoticeKind.OUTAGE_CHANGED for _ in self.counts[1:])),
            end=NoticeKind.OUTAGE_CLOSED,
            ended=self.ended_at is not None,
            severity=self.severity,
            labels=self.labels,
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON value that PostgreSQL accepts and `from_json` reads back to an equal outage."""
        plain: dict[str, Any] = storable(_OUTAGE.dump_python(self, mode="json"))
        return plain

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Outage":
        """What `to_json` wrote. Raises ValueError for anything else."""
        return _OUTAGE.validate_python(dict(value))


_OUTAGE: Final = TypeAdapter(Outage)


def together(affected: Iterable[Affected], since: datetime) -> tuple[Affected, ...]:
    """Those whose trouble began no earlier than `TOGETHER` before `since`, by name."""
    return tuple(sorted((each for each in affected if each.since >= since - TOGETHER), key=lambda each: each.name))


def part_of(outage: Outage, affected: Iterable[Affected]) -> tuple[Affected, ...]:
    """Those of them who are part of the outage, by name."""
    return tuple(
        each
        for each in together(affected, outage.since)
        if each.outage == outage.id or each.since <= outage.joins_until
    )


def begun(
    first: UUID, group: str, labels: Mapping[str, str], affected: Sequence[Affected], alerting: Alerting, now: datetime
) -> Outage | None:
    """The outage that the incident `first`, which is about to be told, is part of; None where too few fail."""
    if not alerting.are_one_outage(len(affected)):
        return None
    return _described(
        Outage(
            id=uuid5(first, "outage"),
            group=group,
            labels=labels,
            severity=Severity.INFO,
            since=min(each.since for each in affected),
            opened_at=now,
            counts=(len(affected),),
            names=(),
            causes=(),
            affected=len(affected),
            changed_at=now,
            joins_until=now + JOINS_WITHIN,
        ),
        affected,
    )


def joined(outage: Outage, affected: Sequence[Affected], fresh: Sequence[Affected], now: datetime) -> Outage:
    """The outage that lasts, joined by `fresh`, who began to fail together later: that is news."""
    everybody = {each.name: each for each in (*part_of(outage, affected), *fresh)}
    number = max(len(everybody), outage.counts[-1] + 1)
    counts = (*outage.counts, number)
    after = replace(outage, counts=counts, changed_at=now, joins_until=now + JOINS_WITHIN, fading_since=None)
    return _described(after, [everybody[name] for name in sorted(everybody)])


def followed(outage: Outage, affected: Sequence[Affected], alerting: Alerting, now: datetime) -> Outage:
    """The outage with those who are affected now: it may have grown, so that it is news, or be over."""
    if outage.ended_at is not None:
        return outage
    after = _described(outage, affected)
    if not alerting.are_one_outage(len(affected)):
        fading_since = outage.fading_since or now
        is_over = not affected or now - fading_since >= STRAGGLERS_WITHIN
        return replace(after, fading_since=fading_since, ended_at=now if is_over else None)
    after = replace(after, fading_since=None)
    if len(affected) >= _GROWN_BY * outage.counts[-1] and now - outage.changed_at >= CHANGED_EVERY:
        return replace(after, counts=(*outage.counts, len(affected)), changed_at=now)
    return after


def _described(outage: Outage, affected: Sequence[Affected]) -> Outage:
    causes = Counter(each.cause_id or NO_KNOWN_CAUSE for each in affected)
    return replace(
        outage,
        affected=len(affected),
        names=tuple(each.name for each in affected[:NAMES_TOLD]),
        causes=tuple(sorted(causes.items(), key=lambda each: (-each[1], each[0]))[:CAUSES_TOLD]) or outage.causes,
        severity=max([outage.severity, *(each.severity for each in affected)], key=lambda each: each.weight),
    )
