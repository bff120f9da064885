"""`incidents`, `maintenance` and `deploy` on a real database: what a person decides is a row that workers see."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checks.model import Verdict
from prober.cli import main
from prober.incidents.windows import MaintenanceWindow
from prober.storage import audit, mutes, workers
from prober.storage.audit import Via
from prober.storage.database import open_engine
from prober.storage.in_force import InForce
from prober.storage.workers import Greeting
from tests.integration.storage.builders import Store, endpoint
from tests.integration.storage.test_telling import Desk

Said = tuple[int, str, str]
Command = Callable[..., Said]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], database_url: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*words: str) -> Said:
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def within(database_url: str) -> Callable[[Callable[[Desk], Awaitable[Any]]], Any]:
    """Runs something on the database as a worker would."""

    def run(work: Callable[[Desk], Awaitable[Any]]) -> Any:
        async def working() -> Any:
            db = open_engine(database_url)
            try:
                return await work(Desk(Store(db), now=datetime.now(UTC)))
            finally:
                await db.dispose()

        return asyncio.run(working())

    return run


async def break_shop(desk: Desk) -> None:
    await desk.watch("shop", "search")
    await desk.see(Verdict.DOWN, "shop")


def test_open_incidents_are_listed_with_who_has_them_in_hand(command: Command, within: Any) -> None:
    assert command("incidents") == (0, "no incident is open\n", "")
    within(break_shop)
    code, out, _ = command("incidents", "ack", "shop", "--by", "ada")
    assert (code, out) == (0, "shop: acknowledged\n")
    assert command("incidents", "ack", "shop", "--by", "bob")[1] == "shop: somebody has it in hand already\n"
    _, out, _ = command("incidents")
    heading, line = out.splitlines()
    assert heading.split() == ["SEVERITY", "ENDPOINT", "STATE", "DIAGNOSIS", "SINCE", "ENDED", "TOLD"]
    assert line.startswith("critical  shop      down   not-mcp")
    assert line.endswith("  chat (waits to be sent), acknowledged by ada")
    within(lambda desk: desk.store.sql("update notice set failed_at = now()"))
    assert "  chat (not delivered), " in command("incidents")[1]
    within(lambda desk: desk.store.sql("update notice set sent_at = now(), failed_at = null"))
    assert "  chat, acknowledged by ada" in command("incidents")[1]
    (entry,) = json.loads(command("incidents", "--format", "json")[1])["incidents"]
    assert [each["channel"] for each in entry["told"]] == ["chat"]
    assert (entry["endpoint"], entry["acknowledged_by"], entry["ended_at"]) == ("shop", "ada", None)


def test_a_snooze_is_said_with_its_length_and_can_be_taken_back(command: Command, within: Any) -> None:
    within(break_shop)
    assert command("incidents", "snooze", "shop", "--for", "2h")[:2] == (0, "shop: nobody is told for 2h\n")
    within(lambda desk: desk.passes(0.1))
    assert "muted: snoozed until " in command("incidents")[1]
    assert command("incidents", "unsnooze", "shop")[0] == 0
    assert command("incidents", "unsnooze", "shop")[1] == "shop: it is not snoozed\n"
    within(lambda desk: desk.passes(0.1))
    assert "muted" not in command("incidents")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("incidents", "ack"), "whose incident is meant?"),
        (("incidents", "ack", "search"), "search has no open incident"),
        (("incidents", "snooze", "shop"), "for how long?"),
        (("incidents", "snooze", "shop", "--for", "1s"), "out of range"),
        (("incidents", "ack", "shop", "--for", "1h"), "unrecognized arguments: --for 1h"),
        (("incidents", "list", "shop"), "unrecognized arguments: shop"),
        (("incidents", "shop"), "invalid choice: 'shop'"),
        (("maintenance", "add", "shop"), "for how long?"),
        (("maintenance", "add", "--for", "1h"), "for which endpoints?"),
        (("maintenance", "add", "shop", "--all", "--for", "1h"), "--all is for all endpoints"),
        (("maintenance", "add", "shp", "--for", "1h"), "no endpoint named shp is watched"),
        (("maintenance", "add", "shop", "--for", "1h", "--from", "noon"), "--from is no moment"),
        (("maintenance", "add", "shop", "--for", "1h", "--from", "2020-01-01T00:00"), "over already"),
        (("maintenance", "end"), "which one?"),
        (("maintenance", "end", "abc"), "no single time has the id abc"),
        (("deploy",), "for which endpoints?"),
        (("deploy", "--label", "team"), "--label is not KEY=VALUE"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_way_out(
    command: Command, within: Any, words: tuple[str, ...], said: str
) -> None:
    within(break_shop)
    code, out, err = command(*words)
    assert code == 2
    assert (said in err, "Traceback" in err, out) == (True, False, "")


def test_a_deploy_mutes_for_ten_minutes_unless_told_otherwise(command: Command, within: Any) -> None:
    within(lambda desk: desk.watch("shop"))
    code, out, _ = command("deploy", "shop", "--reason", "v2", "--by", "pipeline")
    assert code == 0
    assert out.startswith("nobody is told of shop from ")
    (row,) = within(lambda desk: mutes.coming(desk.db))
    assert (row.kind, row.endpoints, row.reason, row.created_by) == ("deploy", ("shop",), "v2", "pipeline")
    assert row.ends_at - row.starts_at == timedelta(minutes=10)
    within(lambda desk: desk.see(Verdict.DOWN, "shop"))
    assert "muted: deploy: v2 until " in command("incidents")[1]


def test_a_deploy_takes_its_length_from_the_configuration(command: Command, within: Any, tmp_path: Any) -> None:
    within(lambda desk: desk.watch("shop"))
    config = tmp_path / "prober.yaml"
    config.write_text("incidents: {deploy_mute: 5m}\nendpoints: [{name: shop, url: https://shop.example/mcp}]\n")
    assert command("deploy", "shop", "--config", str(config))[0] == 0
    (row,) = within(lambda desk: mutes.coming(desk.db))
    assert row.ends_at - row.starts_at == timedelta(minutes=5)


def test_without_a_file_a_deploy_takes_its_length_from_the_worker(command: Command, within: Any) -> None:
    async def prepare(desk: Desk) -> None:
        await desk.watch("shop")
        says = InForce(deploy_mute_s=120.0)
        worker = Greeting(name="w", location="l", version="1", started_at=desk.now, vitals={}, in_force=says)
        async with desk.db.begin() as connection:
            await workers.greet(connection, worker)

    within(prepare)
    assert command("deploy", "shop")[0] == 0
    (row,) = within(lambda desk: mutes.coming(desk.db))
    assert row.ends_at - row.starts_at == timedelta(minutes=2)


def test_maintenance_is_listed_until_somebody_ends_it(command: Command, within: Any) -> None:
    assert command("maintenance")[1] == "nobody is muted, now or later\n"

    async def prepare(desk: Desk) -> None:
        await desk.store.watch(endpoint("shop", labels={"team": "pay"}))
        night = MaintenanceWindow(name="night", zone="UTC", at_minute=120, lasts_s=60, month_days=(0,))
        await mutes.sync_windows(desk.db, [night])

    within(prepare)
    words = ("--label", "team=pay", "--for", "2h", "--from", "2099-12-24T18:00+01:00", "--by", "ada")
    assert command("maintenance", "add", *words)[1] == (
        "nobody is told of whoever bears team=pay from 2099-12-24 17:00:00Z until 2099-12-24 19:00:00Z\n"
    )
    single, recurring = command("maintenance")[1].splitlines()
    identity, _, line = single.partition("  ")
    assert line == (
        "maintenance, from 2099-12-24 17:00:00Z, until 2099-12-24 19:00:00Z, for whoever bears team=pay, by ada"
    )
    assert recurring.strip() == "night, it never comes, for all endpoints"
    listing = json.loads(command("maintenance", "--format", "json")[1])
    assert (listing["single"][0]["labels"], listing["recurring"][0]["name"]) == ({"team": "pay"}, "night")
    assert command("maintenance", "end", identity)[1] == "whoever bears team=pay: the maintenance is over\n"
    assert len(command("maintenance")[1].splitlines()) == 1
    assert (
        "night comes again and again: it stands in the configuration file" in command("maintenance", "end", "night")[2]
    )


def test_what_a_person_decides_at_the_prompt_stands_in_the_audit_log(command: Command, within: Any) -> None:
    within(break_shop)
    for words in (
        ("incidents", "ack", "shop", "--by", "ada"),
        ("incidents", "snooze", "shop", "--for", "2h", "--by", "ada"),
        ("maintenance", "add", "search", "--for", "1h", "--by", "ada"),
        ("deploy", "shop", "search", "--for", "5m", "--by", "ada"),
        ("incidents", "ack", "search", "--by", "ada"),
    ):
        command(*words)
    told = within(lambda desk: audit.newest(desk.db))
    assert [(each.action, each.subject, each.author, each.via) for each in reversed(told)] == [
        ("incident.acknowledge", "shop", "ada", Via.COMMAND),
        ("incident.snooze", "shop", "ada", Via.COMMAND),
        ("maintenance.add", "search", "ada", Via.COMMAND),
        ("deploy.mark", "shop and search", "ada", Via.COMMAND),
    ], "what was not done does not stand there"


def test_what_is_decided_at_the_prompt_stands_in_the_audit_log(command: Command, within: Any) -> None:
    within(break_shop)
    command("incidents", "ack", "shop", "--by", "ada")
    command("incidents", "snooze", "shop", "--for", "2h")
    command("incidents", "unsnooze", "shop")
    command("deploy", "shop", "--by", "ada")
    command("maintenance", "add", "search", "--for", "1h", "--reason", "new disk")
    command("maintenance", "end", command("maintenance")[1].splitlines()[-1].split()[0])
    rows = within(lambda desk: audit.newest(desk.db))
    assert [each.action for each in reversed(rows)] == [
        "incident.acknowledge", "incident.snooze", "incident.wake", "deploy.mark", "maintenance.add", "maintenance.end",
    ]  # fmt: skip
    assert {each.via for each in rows} == {Via.COMMAND.value}
    assert [each.author for each in rows if each.author == "ada"] == ["ada", "ada"]
