"""Channels under test, notices for them, and a database whose time passes when a test says so."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4, uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Endpoint, Verdict
from prober.clock import SystemClock
from prober.incidents.notice import Notice, NoticeKind
from prober.incidents.rehearsal import rehearsal_notice
from prober.incidents.rules import Severity
from prober.notifiers.contract import ChannelSettings, NotifyError
from prober.notifiers.delivery import Channel, Pace, Sender
from prober.storage import channels, endpoints, outbox
from prober.storage.channels import ChannelRow, ChannelSpec
from prober.storage.identity import endpoint_id
from prober.vitals import Vitals

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BUSY = NotifyError("come back later", permanent=False)
GONE = NotifyError("HTTP 404: no_service", permanent=False, needs_mending=True)
UNFIT = NotifyError("HTTP 400: no_text", permanent=True)


@dataclass
class Stage:
    """A channel under test: what it took, and what it does instead, one entry per try."""

    took: list[Notice] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    fails: Exception | None = None
    """At every try."""
    held: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    tries: int = 0
    kind: ClassVar[str] = "stage"
    settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    @classmethod
    def build(cls, settings: Any, tools: Any) -> "Stage":
        raise AssertionError("made by hand")

    async def send(self, notice: Notice) -> None:
        self.tries += 1
        self.begun.set()
        if self.held:
            await self.held.wait()
        if self.fails:
            raise self.fails
        if self.failures:
            raise self.failures.pop(0)
        self.took.append(notice)
        self.arrived.set()

    @property
    def titles(self) -> list[str]:
        return [notice.title for notice in self.took]


@dataclass(frozen=True)
class Stages:
    """A database, the channels that are configured in it, and the workers that send."""

    db: AsyncEngine
    stages: dict[str, Stage]
    fallbacks: dict[str, str]
    vitals: Vitals = field(default_factory=Vitals)

    def sender(self, worker: str = "w1", pace: Pace | None = None, **fields: Any) -> Sender:
        return Sender(
            self.db,
            worker=worker,
            clock=SystemClock(),
            vitals=self.vitals,
            pace=pace or Pace(),
            chance=lambda: 0.0,
            **fields,
        )

    def channel(self, name: str) -> Channel:
        return Channel(name, self.stages[name], self.fallbacks.get(name))

    async def turn(self, name: str, worker: str = "w1", pace: Pace | None = None) -> bool:
        """One turn of a worker that has just started."""
        return await self.sender(worker, pace).turn(self.channel(name))

    async def work(self, *names: str) -> None:
        """Turns until no channel has anything to do."""
        while any([await self.turn(name) for name in names or self.stages]):
            pass

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.db.begin() as connection:
            found = await connection.execute(text(statement), values)
            return list(found.all()) if found.returns_rows else []

    async def time_passes(self, seconds: float) -> None:
        """The outbox counts by the database's clock: instead of waiting, everything in it becomes that much older."""
        await self.sql(
            "update notice set next_attempt_at = next_attempt_at - make_interval(secs => :s),"
            " lease_until = lease_until - make_interval(secs => :s)",
            s=seconds,
        )
        await self.sql("update channel set resting_until = resting_until - make_interval(secs => :s)", s=seconds)

    async def rest_of(self, name: str) -> float:
        """Seconds for which the channel is left alone, rounded."""
        ((rest,),) = await self.sql(
            "select coalesce(extract(epoch from resting_until - now()), 0) from channel where name = :name", name=name
        )
        return float(round(rest))

    async def row(self, name: str) -> ChannelRow:
        return next(each for each in await channels.overview(self.db) if each.name == name)

    async def attempts(self) -> list[tuple[str, str, str]]:
        """Channel, outcome and reason of every try, oldest first."""
        return [(each.channel, each.outcome, each.reason) for each in (await channels.attempts(self.db))[::-1]]


async def staged(db: AsyncEngine, *names: str, **fallbacks: str) -> Stages:
    """These channels, configured; `a="b"` makes b the fallback of a."""
    specs = [ChannelSpec(name=name, kind="stage", fallback=fallbacks.get(name)) for name in names]
    await channels.register(db, specs, owns=True)
    return Stages(db, {name: Stage() for name in names}, fallbacks)


async def watch(db: AsyncEngine, *names: str) -> None:
    await endpoints.sync(db, [Endpoint(name=name, url="https://example.com/mcp") for name in names])


def notice(thread: UUID, kind: NoticeKind = NoticeKind.OPENED, *, about: str = "orders", number: int = 0) -> Notice:
    return Notice(
        id=uuid5(thread, f"{kind}:{number}"),
        kind=kind,
        thread=thread,
        endpoint=about,
        severity=Severity.CRITICAL,
        verdict=Verdict.DOWN,
        diagnosis="not-mcp",
        title=f"{about} {kind}",
        lines=("It answers, but not with MCP.",),
        fix="",
        since=START,
        at=START + timedelta(minutes=3),
        path="/probes/9",
    )


async def tell(
    db: AsyncEngine,
    *kinds: NoticeKind,
    to: Sequence[str],
    about: str = "orders",
    thread: UUID | None = None,
    watched: bool = False,
) -> UUID:
    """Write a notice of each kind for each channel, each in a transaction of its own; gives their thread.

    `watched`: it is about an endpoint that the database knows.
    """
    thread = thread or uuid4()
    for number, kind in enumerate(kinds):
        async with db.begin() as connection:
            for channel in to:
                endpoint = endpoint_id(about) if watched else None
                await outbox.put(
                    connection, notice(thread, kind, about=about, number=number), channel=channel, endpoint=endpoint
                )
    return thread


async def rehearse(db: AsyncEngine, channel: str) -> UUID:
    """Ask for a test of the channel: the row of the notice."""
    async with db.begin() as connection:
        test = rehearsal_notice(channel, id=uuid4(), at=START, by="somebody")
        return await outbox.put_test(connection, test, channel=channel)


def titles(about: str, kinds: Iterable[NoticeKind]) -> list[str]:
    return [f"{about} {kind}" for kind in kinds]
