"""From the commit of a notice to its channel, with two workers on one database that writes to the disk.

1. Notices one by one at random times, announced by NOTIFY, and the same where nobody listens and polling finds them.
2. A burst: how many a second one channel gets that answers at once, and what a notice costs in CPU.
"""

import asyncio
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.clock import SystemClock
from prober.incidents.notice import Notice
from prober.incidents.rehearsal import rehearsal_notice
from prober.notifiers.contract import ChannelSettings
from prober.notifiers.delivery import Channel, Sender, keep_delivering
from prober.storage import channels, migrations, outbox, tables
from prober.storage.channels import ChannelSpec
from prober.storage.database import open_engine
from prober.storage.embedded import EmbeddedPostgres
from prober.vitals import Vitals

ONE_BY_ONE = 300
POLLED = 60
BURST = 1000
CHANNELS = ("a", "b", "c")


class Arrivals:
    """A channel that notes when what arrived."""

    kind: ClassVar[str] = "arrivals"
    settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    def __init__(self) -> None:
        self.at: dict[UUID, float] = {}

    @classmethod
    def build(cls, settings: Any, tools: Any) -> "Arrivals":
        raise AssertionError("made by hand")

    async def send(self, notice: Notice) -> None:
        self.at[notice.id] = time.perf_counter()


async def main_async(url: str) -> None:
    db = open_engine(url)
    await channels.register(db, [ChannelSpec(name=name, kind="arrivals") for name in CHANNELS], owns=True)
    await one_by_one(db, "announced", ONE_BY_ONE, put)
    await one_by_one(db, "polled   ", POLLED, put_silently)
    await burst(db)
    await db.dispose()


async def one_by_one(db: AsyncEngine, how: str, count: int, write: Callable[..., Any]) -> None:
    arrivals, stop = {name: Arrivals() for name in CHANNELS}, asyncio.Event()
    workers = [deliver(db, f"w{number}", arrivals, stop) for number in range(2)]
    await asyncio.sleep(0.5)
    committed: list[tuple[str, UUID, float]] = []
    for _ in range(count):
        await asyncio.sleep(random.random() * 0.06)
        name, notice = random.choice(CHANNELS), a_notice()
        async with db.begin() as connection:
            await write(connection, notice, name)
        committed.append((name, notice.id, time.perf_counter()))
    await until(lambda: sum(len(each.at) for each in arrivals.values()) >= count)
    stop.set()
    await asyncio.gather(*workers)
    waits = sorted((arrivals[name].at[notice] - at) * 1000 for name, notice, at in committed)
    p50, p99 = statistics.median(waits), waits[int(0.99 * (len(waits) - 1))]
    print(
        f"commit to channel, {how}: p50 {p50:7.1f} ms, p99 {p99:7.1f} ms, worst {waits[-1]:7.1f} ms ({count} notices)"
    )


async def burst(db: AsyncEngine) -> None:
    for _ in range(BURST):
        async with db.begin() as connection:
            await put(connection, a_notice(), "a")
    arrivals, stop = {"a": Arrivals()}, asyncio.Event()
    began, cpu = time.perf_counter(), cpu_s()
    worker = deliver(db, "w0", arrivals, stop)
    await until(lambda: len(arrivals["a"].at) >= BURST)
    took, used = time.perf_counter() - began, cpu_s() - cpu
    stop.set()
    await worker
    print(f"burst of {BURST} on one channel: {BURST / took:.0f} a second, {used / BURST * 1000:.2f} ms CPU a notice")


def deliver(db: AsyncEngine, worker: str, arrivals: dict[str, Arrivals], stop: asyncio.Event) -> asyncio.Task[None]:
    sender = Sender(db, worker=worker, clock=SystemClock(), vitals=Vitals())
    named = [Channel(name, notifier) for name, notifier in arrivals.items()]
    return asyncio.create_task(keep_delivering(sender, named, stop))


async def put(connection: Any, notice: Notice, channel: str) -> None:
    await outbox.put(connection, notice, channel=channel)


async def put_silently(connection: Any, notice: Notice, channel: str) -> None:
    """As if the connection that listens were lost."""
    row = {"id": uuid4(), "thread": notice.thread, "channel": channel, "payload": notice.to_json()}
    await connection.execute(tables.notice.insert().values(**row))


def a_notice() -> Notice:
    return rehearsal_notice("channel", id=uuid4(), at=SystemClock().now(), by="the benchmark")


async def until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110 - a figure, no event
        await asyncio.sleep(0.005)


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)  # as root, the server runs as another user, who could not enter
        with EmbeddedPostgres(Path(directory) / "postgres") as server:
            migrations.upgrade(server.url)
            uvloop.run(main_async(server.url))


if __name__ == "__main__":
    main()
