"""Lets the first admin in: by a password in a file, or by a link that is printed once."""

import asyncio
import logging
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from prober.app.dashboard_process import vouches
from prober.secrets import passwords
from prober.secrets.passwords import PasswordRefused
from prober.storage import audit, failed_logins, logins, people, setup_tokens
from prober.storage.audit import Author, Via
from prober.storage.people import NameTaken, NoSuchPerson, Person, Role, Source

log = logging.getLogger(__name__)

PASSWORD_FILE: Final = "ADMIN_PASSWORD_FILE"  # noqa: S105 - the name of a variable
NAME: Final = "admin"

_AUTHOR: Final = Author(name=PASSWORD_FILE, via=Via.PROBER)
_LARGEST: Final = 4096


class PasswordFileUnusable(Exception):
    """The file with the admin's password cannot be used. The message says why, and what would do."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{PASSWORD_FILE}: {path} {problem}")


def password_in_file(environment: Mapping[str, str]) -> str | None:
    """The password in the file that `ADMIN_PASSWORD_FILE` names; None where it names none.

    Raises PasswordFileUnusable.
    """
    named = environment.get(PASSWORD_FILE, "").strip()
    if not named:
        return None
    path = Path(named)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise PasswordFileUnusable(path, f"cannot be read: {error.strerror}") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise PasswordFileUnusable(path, "can be read or written by everybody on this machine: chmod 640 it, or less")
    try:
        password = content.decode().strip("\r\n")
    except UnicodeDecodeError:
        raise PasswordFileUnusable(path, "is no text in UTF-8") from None
    try:
        return passwords.accepted(password, of=NAME)
    except PasswordRefused as refused:
        problem = (
            f"holds no password that can be taken. {refused}" if password else "is empty: write the password in it"
        )
        raise PasswordFileUnusable(path, problem) from None


async def let_in(db: AsyncEngine, environment: Mapping[str, str], address: str) -> str | None:
    """Where the first admin chooses a password, below the dashboard's `address`: a secret, to be printed once.

    None where there is an admin, as there is after this where a file holds the password, or where others vouch for
    people. Raises PasswordFileUnusable and what the database raises.
    """
    password = await asyncio.to_thread(password_in_file, environment)
    if password is not None:
        await _follow_file(db, password)
    async with db.connect() as connection:
        if vouches(environment) or await people.has_admin(connection):
            return None
    async with audit.change(db, Author(name="the start", via=Via.PROBER), "setup.offer", "the first admin") as change:
        secret = await setup_tokens.offer(change)
    # Behind the #, where no browser sends it to a server or in a Referer, and so into no log.
    return f"{address.rstrip('/')}/setup#{secret}"


async def _follow_file(db: AsyncEngine, password: str) -> None:
    """Make the admin with this password, or give the one there is the file's: it decides at each start.

    It decides about an admin alone: somebody who only has the name keeps that password, and gets no other role by it.
    """
    known = await people.credentials(db, NAME)
    is_kept = known is not None and await asyncio.to_thread(passwords.is_right, password, known[1])
    kept = "" if is_kept else await asyncio.to_thread(passwords.hashed, password)
    try:
        await _give(db, kept)
    except NoSuchPerson:
        await _add(db, kept or await asyncio.to_thread(passwords.hashed, password))


async def _give(db: AsyncEngine, kept: str) -> None:
    """Another password for the admin, of which this is the hash; empty where it is the one that there is."""
    async with db.begin() as connection:
        person = await people.named(connection, NAME)
        if (other := _no_admin_here(person)) is not None:
            log.warning("%s is passed over: %s", PASSWORD_FILE, other)
            return
        if not kept:
            return
        await people.set_password(connection, person.id, kept)
        await logins.end_all(connection, person.id)
        await failed_logins.forgive(connection, NAME)
        await audit.note(connection, _AUTHOR, "person.password", NAME)


def _no_admin_here(person: Person) -> str | None:
    """Why the file does not speak of this person, and the way out; None where it does."""
    if person.source is not Source.PASSWORD:
        return f"{NAME} comes in by {person.source.value} here, and has no password; take the variable away"
    if person.disabled_at is not None:
        return f"{NAME} is disabled here: mcp-prober access enable {NAME}, or take the variable away"
    if person.role is not Role.ADMIN:
        which = f"{'an' if person.role is Role.OPERATOR else 'a'} {person.role.value}"
        return f"{NAME} is {which} here: mcp-prober access role {NAME} --role admin, or take the variable away"
    return None


async def _add(db: AsyncEngine, kept: str) -> None:
    detail = {"role": Role.ADMIN.value, "source": Source.PASSWORD.value}
    with suppress(NameTaken):  # another dashboard on this database may have done so just now
        async with audit.change(db, _AUTHOR, "person.add", NAME, detail) as connection:
            await people.add(connection, NAME, Role.ADMIN, password=kept, by=PASSWORD_FILE)
            await setup_tokens.withdraw(connection)
