"""`access` on a real database: who may log in, and the tokens of programs."""

import asyncio
import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from dashboard.access.permissions import Permission
from prober.cli import main
from prober.cli.access import SCOPES
from prober.secrets import passwords
from prober.storage import audit, people, setup_tokens, tokens
from prober.storage.audit import AuditRow
from prober.storage.database import open_engine

Said = tuple[int, str, str]
PASSWORD = "correct horse battery"


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Said]:
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*words: str, typed: str = "") -> Said:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        code = main(["access", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def audited(database_url: str) -> list[AuditRow]:
    async def reading() -> list[AuditRow]:
        db = open_engine(database_url)
        try:
            return list(await audit.newest(db))
        finally:
            await db.dispose()

    return asyncio.run(reading())


def test_the_scopes_are_those_of_the_dashboard() -> None:
    assert set(SCOPES) == {each.value for each in Permission}


def test_people_are_let_in_changed_and_forgotten_and_all_of_it_is_audited(
    command: Callable[..., Said], database_url: str
) -> None:
    assert "nobody may log in yet" in command()[1]
    assert command("add", "Ada", "--role", "admin", typed=f"{PASSWORD}\n")[:2] == (0, "Ada: may log in as admin\n")
    assert command("add", "bob", "--role", "viewer", typed=f"{PASSWORD}\n")[0] == 0
    assert command("role", "bob", "--role", "operator")[1] == "bob: is operator from the next request on\n"
    assert command("password", "bob", typed="another long password\n")[1].endswith("ended logins: 0\n")
    assert command("disable", "bob")[0] == 0
    listing = command("list")[1].splitlines()
    assert listing[0].split() == ["ada", "admin", "never", "logged", "in"]
    assert listing[1].endswith("never logged in, disabled")
    assert command("enable", "bob")[0] == 0
    assert command("remove", "bob")[0] == 0
    (ada,) = json.loads(command("list", "--format", "json")[1])["people"]
    assert (ada["name"], ada["role"], ada["source"]) == ("ada", "admin", "password")
    rows = audited(database_url)
    assert [each.action for each in reversed(rows)] == [
        "person.add", "person.add", "person.role", "person.password", "person.disable", "person.enable",
        "person.remove",
    ]  # fmt: skip
    assert {each.via for each in rows} == {"command"}
    assert PASSWORD not in repr(rows)


def test_the_password_is_the_one_that_was_read(command: Callable[..., Said], database_url: str) -> None:
    command("add", "ada", "--role", "admin", typed=f"{PASSWORD}\r\n")

    async def kept() -> str:
        db = open_engine(database_url)
        try:
            found = await people.credentials(db, "ada")
            assert found is not None
            return found[1]
        finally:
            await db.dispose()

    assert passwords.is_right(PASSWORD, asyncio.run(kept()))


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (("add", "bob", "--role", "viewer"), "short\n", "at least 12 characters"),
        (("add", "bob", "--role", "viewer"), "", "at least 12 characters"),
        (("add", "../bob", "--role", "viewer"), PASSWORD, "A name begins with a letter"),
        (("add", "ada", "--role", "viewer"), PASSWORD, "Somebody has that name already"),
        (("add", "bob", "--role", "king"), PASSWORD, "invalid choice: 'king'"),
        (("role", "ada", "--role", "viewer"), "", "Nobody else is an admin"),
        (("disable", "ada"), "", "Nobody else is an admin"),
        (("remove", "nobody"), "", "Nobody has that name"),
        (("setup",), "", "there is an admin already"),
        (("token", "revoke", "ffff"), "", "no single token has the id ffff"),
        (("token", "add", "ci"), "", "--scope"),
        (("token", "add", "ci", "--scope", "read", "--expires", "3000d"), "", "out of range"),
        (("token", "add", "ci", "--scop", "read"), "", "--scope"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_way_out(
    command: Callable[..., Said], database_url: str, words: tuple[str, ...], typed: str, said: str
) -> None:
    async def ada() -> None:
        db = open_engine(database_url)
        async with db.begin() as connection:
            await people.add(connection, "ada", people.Role.ADMIN, password=passwords.NOBODYS, by="a test")
        await db.dispose()

    asyncio.run(ada())
    code, out, err = command(*words, typed=typed)
    assert (code, out, "Traceback" in err) == (2, "", False)
    assert said in err


def test_a_token_is_shown_once_and_opens_nothing_once_it_is_revoked(
    command: Callable[..., Said], database_url: str
) -> None:
    code, out, err = command("token", "add", "pipeline", "--scope", "read", "--scope", "operate", "--expires", "7d")
    assert (code, err) == (0, "This is shown once, and kept nowhere:\n")
    secret = out.strip()

    async def counts() -> bool:
        db = open_engine(database_url)
        try:
            return await tokens.known(db, secret, now=datetime.now(UTC)) is not None
        finally:
            await db.dispose()

    assert asyncio.run(counts())
    listing = command("list")[1]
    assert secret not in listing
    line = next(each for each in listing.splitlines() if each.startswith("token "))
    assert "pipeline  operate, read  until " in line
    assert command("token", "revoke", line.split()[1])[1] == "pipeline: opens nothing any more\n"
    assert not asyncio.run(counts())
    assert "pipeline" not in command("list")[1]
    assert [each.action for each in audited(database_url)] == ["token.revoke", "token.add"]


def test_the_link_for_the_first_admin_counts(command: Callable[..., Said], database_url: str) -> None:
    code, out, _ = command("setup")
    link = out.splitlines()[0]
    assert code == 0
    assert link.startswith("http://127.0.0.1:8080/setup#")

    async def counts() -> bool:
        db = open_engine(database_url)
        try:
            async with db.connect() as connection:
                return await setup_tokens.counts(connection, link.partition("#")[2], now=datetime.now(UTC))
        finally:
            await db.dispose()

    assert asyncio.run(counts())
    assert link.partition("#")[2] not in repr(audited(database_url))
