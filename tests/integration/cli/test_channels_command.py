"""`channels` on a real database: how they do, and a test notice that a real delivery sends."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.cli import main
from prober.cli.channels import through_the_outbox
from prober.clock import SystemClock
from prober.incidents.notice import NoticeKind
from prober.incidents.rehearsal import rehearsal_notice
from prober.notifiers.contract import NotifyError
from prober.notifiers.delivery import Pace, keep_delivering
from prober.storage.database import open_engine
from tests.integration.notifiers.stage import GONE, START, Stages, staged, tell

Said = tuple[int, str, str]


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Said]:
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*words: str) -> Said:
        code = main(("channels", *words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def in_database(url: str, work: Callable[[AsyncEngine], Coroutine[Any, Any, Any]]) -> Any:
    async def working() -> Any:
        db = open_engine(url)
        try:
            return await work(db)
        finally:
            await db.dispose()

    return asyncio.run(working())


@contextmanager
def delivering(url: str, **failures: NotifyError) -> Iterator[None]:
    """A prober's delivery to the channels a and b, in a thread of its own."""
    ready, ended = threading.Event(), threading.Event()

    async def deliver(db: AsyncEngine) -> None:
        stages = await staged(db, "a", "b")
        for name, failure in failures.items():
            stages.stages[name].fails = failure
        stop = asyncio.Event()
        working = asyncio.create_task(
            keep_delivering(stages.sender(pace=Pace(poll=0.05)), [stages.channel(name) for name in "ab"], stop)
        )
        ready.set()
        await asyncio.to_thread(ended.wait)
        stop.set()
        await working

    thread = threading.Thread(target=in_database, args=(url, deliver))
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        ended.set()
        thread.join()


def broken(url: str) -> None:
    async def work(db: AsyncEngine) -> None:
        stages = await staged(db, "pager", "mail", pager="mail")
        stages.stages["pager"].fails = GONE
        await tell(db, NoticeKind.OPENED, to=("pager",))
        await stages.turn("pager")

    in_database(url, work)


def test_the_list_says_which_channel_has_to_be_mended_and_why(database_url: str, command: Callable[..., Said]) -> None:
    assert command()[1].startswith("no channel is configured")
    broken(database_url)
    code, out, _ = command("list")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["STATE", "CHANNEL", "KIND", "WAITING", "FALLBACK", "LAST", "NOTICE"]
    assert lines[1].split() == ["unused", "mail", "stage", "-", "-", "never"]
    assert lines[2].split() == ["broken", "pager", "stage", "1", "mail", "never"]
    assert lines[3].startswith("  since 20")
    assert lines[3].endswith(": HTTP 404: no_service")
    listed = json.loads(command("--format", "json")[1])["channels"]
    assert [(each["name"], each["state"], each["waiting"]) for each in listed] == [
        ("mail", "unused", 0),
        ("pager", "broken", 1),
    ]


def test_a_test_notice_is_sent_by_the_prober_that_runs(database_url: str, command: Callable[..., Said]) -> None:
    with delivering(database_url, b=GONE):
        assert command("test", "a") == (0, "a: delivered\n", "")
        code, _, err = command("test", "b")
        assert (code, err) == (1, "mcp-prober: error: b did not take the notice: HTTP 404: no_service\n")
        code, _, err = command("test", "pigeon")
        assert code == 2
        assert "no channel of the name pigeon" in err


def test_a_test_that_nobody_sends_is_taken_back(database_url: str) -> None:
    async def work(db: AsyncEngine) -> None:
        stages: Stages = await staged(db, "a")
        notice = rehearsal_notice("a", id=uuid4(), at=START, by="somebody")
        fate = await through_the_outbox(db, "a", notice, SystemClock(), 0.2)
        assert fate is not None
        assert (fate.attempts, fate.failed_at) == (0, None)
        assert not await stages.turn("a")

    in_database(database_url, work)


def test_without_a_database_the_notice_is_sent_from_here(
    tmp_path: Path, command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    config = tmp_path / "prober.yaml"
    config.write_text("endpoints: []\nnotifiers:\n- {kind: file, name: log, path: notices.jsonl}\n")
    assert command("test", "log", "--config", str(config)) == (0, "log: delivered\n", "")
    assert "Test of the channel log" in (tmp_path / "notices.jsonl").read_text()
    config.write_text(f"endpoints: []\nnotifiers:\n- {{kind: file, name: log, path: {tmp_path}/none/notices.jsonl}}\n")
    code, _, err = command("test", "log", "--config", str(config))
    assert code == 1
    assert "log did not take the notice" in err
    code, _, err = command("test", "pigeon", "--config", str(config))
    assert code == 2
    assert "there are log" in err


def test_what_cannot_be_asked_is_said(command: Callable[..., Said]) -> None:
    assert command("test")[0] == 2
    assert command("list", "a")[0] == 2
