"""`baseline` on a real database: what is accepted, what changed since, and accepting it."""

import asyncio
import json
from collections.abc import Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.inventory import Inventory, inventory_of
from prober.cli import main
from prober.storage.accepted_tools import FIRST_SEEN
from prober.storage.database import open_engine
from tests.integration.storage.builders import Store, endpoint
from tests.integration.storage.test_accepted_tools import read

OLD = inventory_of([{"name": "get_order", "description": "Reads an \x1b[31morder"}, {"name": "search"}])
NEW = inventory_of([{"name": "get_order", "description": "Reads an order"}])

Said = tuple[int, str, str]


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Said]:
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*words: str) -> Said:
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def probed(url: str, *lists: Inventory) -> None:
    """The endpoint `shop` with probes that read these lists."""

    async def work(db: AsyncEngine) -> None:
        store = Store(db)
        await store.watch(endpoint())
        await read(store, *lists)
        await db.dispose()

    asyncio.run(work(open_engine(url)))


def test_the_accepted_list_is_shown_with_what_changed_since(database_url: str, command: Callable[..., Said]) -> None:
    probed(database_url, OLD, OLD, OLD, NEW)

    code, out, _ = command("baseline", "show", "shop")

    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith(f"shop: 2 tools, fingerprint {OLD.fingerprint}, accepted as the first one seen since ")
    assert lines[1:] == [
        "  get_order  Reads an \\u{1b}[31morder",
        "  search",
        f"the newest list is 1 tool, fingerprint {NEW.fingerprint}",
        "  search tool removed (breaking)",
        "  get_order description text changed: Reads an \\u{1b}[31morder → Reads an order (text)",
        f"accept it with: mcp-prober baseline accept NAME --fingerprint {NEW.fingerprint}",
    ]


def test_the_same_for_machines(database_url: str, command: Callable[..., Said]) -> None:
    probed(database_url, OLD, OLD, OLD, NEW)

    found = json.loads(command("baseline", "show", "shop", "--format", "json")[1])

    assert (found["schema_version"], found["endpoint"], found["accepted_by"]) == (1, "shop", FIRST_SEEN)
    assert found["accepted"]["fingerprint"] == OLD.fingerprint
    assert found["candidate"]["tools"][0]["definition"]["description"] == "Reads an order"
    assert [(each["tool"], each["impact"]) for each in found["changes"]] == [
        ("search", "breaking"),
        ("get_order", "text"),
    ]


def test_accepting_takes_the_newest_list(database_url: str, command: Callable[..., Said]) -> None:
    probed(database_url, OLD, OLD, OLD, NEW)

    code, out, _ = command("baseline", "accept", "shop")

    assert (code, out) == (0, f"shop: changes are measured by 1 tool, fingerprint {NEW.fingerprint}\n")
    shown = command("baseline", "show", "shop")[1]
    assert "at the prompt since" in shown
    assert "the newest list" not in shown
    again = command("baseline", "accept", "shop")
    assert again[:2] == (0, f"{out.rstrip()} already: nothing has changed\n")


def test_what_cannot_be_accepted_is_said(database_url: str, command: Callable[..., Said]) -> None:
    probed(database_url, OLD, OLD, OLD)

    code, _, err = command("baseline", "accept", "shop", "--fingerprint", NEW.fingerprint)
    assert code == 2
    assert f"no recent probe read a list with the fingerprint {NEW.fingerprint}; the newest is {OLD.fingerprint}" in err
    code, _, err = command("baseline", "show", "shopp")
    assert code == 2
    assert "no endpoint of the name shopp is watched\n  mcp-prober endpoints lists those that are" in err


def test_before_the_first_list_there_is_none(database_url: str, command: Callable[..., Said]) -> None:
    probed(database_url)

    assert "no list of tools is accepted yet" in command("baseline", "show", "shop")[1]
    assert json.loads(command("baseline", "show", "shop", "--format", "json")[1])["accepted"] is None
    assert "no list of its tools has been read yet" in command("baseline", "accept", "shop")[2]


def test_a_database_of_another_version_names_the_command(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Said]
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)

    code, _, err = command("baseline", "show", "shop")

    assert code == 2
    assert "mcp-prober migrate" in err
