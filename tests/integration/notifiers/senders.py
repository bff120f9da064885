"""Real senders that are killed and paused while notices flow through them; a process of its own, so that it may fork.

    python -m tests.integration.notifiers.senders DATABASE_URL FILE crowd --notices 300 --kills 25
    python -m tests.integration.notifiers.senders DATABASE_URL FILE crowd --notices 100 --kills 0 --pauses 1
    python -m tests.integration.notifiers.senders DATABASE_URL FILE points

Every message that arrives is one line of JSON in FILE. What was done is told as JSON on standard output.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar, Final
from uuid import UUID, uuid5

import psycopg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.clock import SystemClock
from prober.incidents.notice import Notice, NoticeKind
from prober.notifiers.contract import ChannelSettings
from prober.notifiers.delivery import Channel, Pace, Sender, keep_delivering
from prober.storage import channels, outbox
from prober.storage.channels import ChannelSpec
from prober.storage.database import normalise, open_engine
from prober.vitals import Vitals
from tests.integration.notifiers.stage import notice

CHANNEL: Final = "sink"
PATIENT: Final = Pace(send_timeout=10.0, lease=10.0, poll=0.02)
"""A lease that no load of the machine outlasts: what a killed sender held is freed by hand."""
HASTY: Final = Pace(send_timeout=1.0, lease=2.0, poll=0.02)
PAUSE_S: Final = 3.5
"""Longer than the lease and the timeout."""
PATIENCE_S: Final = 300.0
NAMESPACE: Final = UUID("3b1d9b1e-4a52-4a5c-9d7e-3f8f5a6c7b80")


class Sink:
    """A channel that appends to a file, and takes a little time before and after."""

    kind: ClassVar[str] = "sink"
    settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    def __init__(self, path: Path, slowness_s: float, passed: Callable[[], None] = lambda: None) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._slowness_s = slowness_s
        self._passed = passed

    @classmethod
    def build(cls, settings: Any, tools: Any) -> "Sink":
        raise AssertionError("made by hand")

    async def send(self, notice: Notice) -> None:
        await asyncio.sleep(random.random() * self._slowness_s)
        self._passed()
        line = {"id": str(notice.id), "thread": str(notice.thread), "kind": notice.kind, "sender": os.getpid()}
        os.write(self._file, json.dumps(line).encode() + b"\n")
        self._passed()
        await asyncio.sleep(random.random() * self._slowness_s)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("sink", type=Path)
    parser.add_argument("what", choices=("crowd", "points"))
    parser.add_argument("--notices", type=int, default=300)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--pauses", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(_with_database(options.url, _configure))
    done = _points(options) if options.what == "points" else _crowd(options)
    print(json.dumps(done))


def _crowd(options: argparse.Namespace) -> dict[str, Any]:
    """Two senders on one channel; a random one is killed or paused again and again while notices are written."""
    pace = HASTY if options.pauses else PATIENT

    async def send(db: AsyncEngine) -> None:
        sender = Sender(db, worker=str(os.getpid()), clock=SystemClock(), vitals=Vitals(), pace=pace)
        await keep_delivering(sender, [Channel(CHANNEL, Sink(options.sink, 0.006))], asyncio.Event())

    began = time.monotonic()
    every_s = 0.004 if options.kills else 0.02
    writer = _fork(options.url, lambda db: _write(db, options.notices, every_s))
    senders = [_fork(options.url, send) for _ in range(2)]
    kills = pauses = 0
    for _ in range(options.kills):
        time.sleep(random.uniform(0.02, 0.12))
        victim = senders.pop(random.randrange(len(senders)))
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        kills += 1
        senders.append(_fork(options.url, send))
        _free(options.url, victim)
    for _ in range(options.pauses):
        time.sleep(random.uniform(0.1, 0.2))
        victim = random.choice(senders)
        os.kill(victim, signal.SIGSTOP)
        time.sleep(PAUSE_S)
        os.kill(victim, signal.SIGCONT)
        pauses += 1
    os.waitpid(writer, 0)
    _wait_until_done(options.url)
    for each in senders:
        os.kill(each, signal.SIGKILL)
        os.waitpid(each, 0)
    return {"kills": kills, "pauses": pauses, "took_s": round(time.monotonic() - began, 1)}


def _points(options: argparse.Namespace) -> dict[str, Any]:
    """A notice for each point at which a process can die between the outbox and the mark; the next process goes on."""
    point = 0
    while True:
        point += 1
        dies = _fork(options.url, lambda db, point=point: _through(db, options.sink, point, dies_at=point))
        _, status = os.waitpid(dies, 0)
        _sql(options.url, "update notice set lease_until = now() where lease_until > now()")
        goes_on = _fork(options.url, lambda db, point=point: _through(db, options.sink, point, dies_at=0))
        _, other = os.waitpid(goes_on, 0)
        if other != 0:
            raise SystemExit(f"the process after point {point} failed")
        if not os.WIFSIGNALED(status):
            return {"points": point - 1, "ended": os.waitstatus_to_exitcode(status)}


async def _through(db: AsyncEngine, sink: Path, number: int, *, dies_at: int) -> None:
    """Write a notice and deliver it, and die at that statement, commit or moment of sending on the way."""
    passed = 0

    def at_a_point(*_: Any) -> None:
        nonlocal passed
        passed += 1
        if passed == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("before_cursor_execute", "after_cursor_execute", "begin", "commit"):
        event.listen(db.sync_engine, name, at_a_point)
    async with db.begin() as connection:
        await outbox.put(connection, notice(uuid5(NAMESPACE, str(number))), channel=CHANNEL)
    sender = Sender(db, worker=str(os.getpid()), clock=SystemClock(), vitals=Vitals(), pace=PATIENT)
    channel = Channel(CHANNEL, Sink(sink, 0.0, at_a_point))
    while await sender.turn(channel):
        pass


async def _write(db: AsyncEngine, count: int, every_s: float) -> None:
    """Incidents that open one after the other; of every three one closes, soon or later."""
    opened: list[UUID] = []
    for number in range(count):
        thread, kind = uuid5(NAMESPACE, f"thread {number}"), NoticeKind.OPENED
        if opened and number % 3 == 0:
            thread, kind = opened.pop(random.randrange(len(opened))), NoticeKind.CLOSED
        else:
            opened.append(thread)
        async with db.begin() as connection:
            await outbox.put(connection, notice(thread, kind), channel=CHANNEL)
        await asyncio.sleep(random.random() * 2 * every_s)


async def _configure(db: AsyncEngine) -> None:
    await channels.register(db, [ChannelSpec(name=CHANNEL, kind="sink")], owns=True)


async def _with_database(url: str, work: Callable[[AsyncEngine], Awaitable[None]]) -> None:
    db = open_engine(url)
    try:
        await work(db)
    finally:
        await db.dispose()


def _fork(url: str, work: Callable[[AsyncEngine], Awaitable[None]]) -> int:
    """A process that does this work over a database of its own."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    code = 1
    try:
        random.seed()
        asyncio.run(_with_database(url, work))
        code = 0
    finally:
        os._exit(code)


def _free(url: str, dead: int) -> None:
    """Let the lease of a dead sender end, instead of waiting for it, and wait for what it held to go out.

    So no two kills hit the same notice, and no notice needs to arrive more than twice.
    """
    held = _sql(
        url,
        "update notice set lease_until = now() where lease_owner = %s and lease_until > now() returning id",
        str(dead),
    )
    if held:
        _wait_until_done(url, "id = any(%s)", [id_ for (id_,) in held])


def _wait_until_done(url: str, which: str = "true", *values: Any) -> None:
    ends = time.monotonic() + PATIENCE_S
    statement = f"select count(*) from notice where sent_at is null and failed_at is null and {which}"
    while (waiting := _sql(url, statement, *values)[0][0]) and time.monotonic() < ends:
        time.sleep(0.01)
    if waiting:
        raise SystemExit(f"{waiting} notices still wait after {PATIENCE_S:.0f} s")


def _sql(url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    address = normalise(url).replace("postgresql+psycopg", "postgresql", 1)
    with psycopg.connect(address, autocommit=True) as connection:
        found = connection.execute(statement, values)
        return found.fetchall() if found.description else []


if __name__ == "__main__":
    main()
