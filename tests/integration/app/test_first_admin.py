"""The first admin: by a link that is printed, or by a password in a file."""

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from prober.app.first_admin import PasswordFileUnusable, let_in, password_in_file
from prober.clock import SystemClock
from prober.secrets import passwords
from prober.storage import audit, logins, people, setup_tokens
from prober.storage.people import Role

HERE = "http://127.0.0.1:8080"
PASSWORD = "correct horse battery"


def kept_in(directory: Path, content: str | bytes, mode: int = 0o600) -> dict[str, str]:
    path = directory / "password"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return {"ADMIN_PASSWORD_FILE": str(path)}


async def test_the_link_is_another_one_each_time_until_there_is_an_admin(db: AsyncEngine) -> None:
    first, second = await let_in(db, {}, HERE), await let_in(db, {}, f"{HERE}/")
    assert first is not None
    assert second is not None
    assert first.startswith(f"{HERE}/setup#")
    assert second.startswith(f"{HERE}/setup#")
    now = SystemClock().now()
    async with db.begin() as connection:
        assert not await setup_tokens.take(connection, first.partition("#")[2], now=now)
        assert await setup_tokens.take(connection, second.partition("#")[2], now=now)
        await people.add(connection, "ada", Role.ADMIN, password="$argon2id$", by="a test")
    assert await let_in(db, {}, HERE) is None


async def test_no_link_is_made_where_others_vouch_for_people(db: AsyncEngine) -> None:
    assert await let_in(db, {"PROBER_DASHBOARD_OIDC_ISSUER": "https://login.example"}, HERE) is None


async def test_a_file_makes_the_admin_and_changes_his_password(db: AsyncEngine, tmp_path: Path) -> None:
    environment = kept_in(tmp_path, f"{PASSWORD}\n")
    assert await let_in(db, environment, HERE) is None
    (admin,) = await people.everybody(db)
    assert (admin.name, admin.role) == ("admin", Role.ADMIN)
    async with db.begin() as connection:
        await logins.begin(
            connection, admin.id, now=SystemClock().now(), lasts=logins.Lasts(), address="192.0.2.1", agent=""
        )
    await let_in(db, environment, HERE)
    now, lasts = SystemClock().now(), logins.Lasts()
    assert await logins.of_person(db, admin, now=now, lasts=lasts)
    await let_in(db, kept_in(tmp_path, "another good one"), HERE)
    found = await people.credentials(db, "admin")
    assert found is not None
    assert passwords.is_right("another good one", found[1])
    assert not await logins.of_person(db, admin, now=now, lasts=lasts)
    assert [row.action for row in await audit.newest(db)] == ["person.password", "person.add"]


async def test_the_file_says_nothing_about_somebody_who_is_called_admin_and_is_none(
    db: AsyncEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with db.begin() as connection:
        await people.add(connection, "ada", Role.ADMIN, password="$argon2id$a", by="a test")
        await people.add(connection, "admin", Role.VIEWER, password="$argon2id$b", by="ada")
    assert await let_in(db, kept_in(tmp_path, PASSWORD), HERE) is None
    found = await people.credentials(db, "admin")
    assert found is not None
    assert (found[0].role, found[1]) == (Role.VIEWER, "$argon2id$b")
    assert "admin is a viewer here" in caplog.text
    assert "mcp-prober access role admin --role admin" in caplog.text
    assert [row.action for row in await audit.newest(db)] == []


async def test_whoever_is_left_out_by_the_file_is_offered_a_link_where_nobody_is_an_admin(
    db: AsyncEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with db.begin() as connection:
        await people.add(connection, "admin", Role.OPERATOR, password="$argon2id$", by="a test")
    link = await let_in(db, kept_in(tmp_path, PASSWORD), HERE)
    assert link is not None
    assert link.startswith(f"{HERE}/setup#")
    async with db.begin() as connection:
        await people.disable(connection, "admin")
    await let_in(db, kept_in(tmp_path, PASSWORD), HERE)
    assert "admin is disabled here" in caplog.text


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (PASSWORD, 0o644, "everybody on this machine: chmod 640"),
        (PASSWORD, 0o602, "everybody on this machine: chmod 640"),
        ("", 0o600, "is empty"),
        ("\r\n", 0o600, "is empty"),
        ("short", 0o600, "at least 12 characters"),
        (b"\xff" * 20, 0o600, "no text in UTF-8"),
        ("x" * 5000, 0o600, "at most 1024 characters"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, content: str | bytes, mode: int, said: str
) -> None:
    with pytest.raises(PasswordFileUnusable, match=said) as refused:
        password_in_file(kept_in(tmp_path, content, mode))
    assert PASSWORD not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PasswordFileUnusable, match=r"ADMIN_PASSWORD_FILE: .*nothing cannot be read: No such file"):
        password_in_file({"ADMIN_PASSWORD_FILE": str(tmp_path / "nothing")})
    assert password_in_file({"ADMIN_PASSWORD_FILE": " "}) is None
