"""What admins do about people, and everybody about their own account. Passwords come as hashes: see `Passwords`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.operations.refusals import conflict, missing, unusable
from dashboard.services import Services
from prober.storage import audit, failed_logins, logins, people, tokens
from prober.storage.audit import Author
from prober.storage.logins import Login
from prober.storage.people import BadName, NoSuchPerson, Person, PersonRefused, Role, Source


async def add(services: Services, author: Author, name: str, role: Role, *, password: str) -> Person:
    """Somebody new, who logs in with a password. Raises HTTPException: 409 or 422."""
    with_role = {"role": role.value, "source": Source.PASSWORD.value}
    async with _changing(services, author, "person.add", name, with_role) as change:
        return await people.add(change, name, role, password=password, by=author.name)


async def give_role(services: Services, author: Author, name: str, role: Role) -> None:
    """Let somebody do more or less, at once. Raises HTTPException: 404 or 409."""
    async with _changing(services, author, "person.role", name, {"role": role.value}) as change:
        if (await people.named(change, name)).source is not Source.PASSWORD:
            raise conflict("the role comes from whoever vouches for the person: change it there")
        await people.set_role(change, name, role)


async def disable(services: Services, author: Author, name: str) -> None:
    """Let somebody in no more, and end what they have open. Raises HTTPException: 404 or 409."""
    async with _changing(services, author, "person.disable", name) as change:
        person = await people.disable(change, name)
        await logins.end_all(change, person.id)


async def enable(services: Services, author: Author, name: str) -> None:
    """Let somebody in again. Raises HTTPException: 404."""
    async with _changing(services, author, "person.enable", name) as change:
        await people.enable(change, name)


async def remove(services: Services, author: Author, name: str) -> None:
    """Forget somebody; their logins and their tokens end. Raises HTTPException: 404 or 409."""
    async with _changing(services, author, "person.remove", name) as change:
        person = await people.remove(change, name)
        await tokens.revoke_all_of(change, person.name, author=author)


async def reset_password(services: Services, author: Author, name: str, *, password: str) -> None:
    """Give somebody another password; their logins end, failed ones are forgiven. Raises HTTPException: 404 or 409."""
    async with _changing(services, author, "person.password", name) as change:
        person = await people.named(change, name)
        if person.source is not Source.PASSWORD:
            raise conflict("that person has no password here")
        await people.set_password(change, person.id, password)
        await logins.end_all(change, person.id)
        await failed_logins.forgive(change, person.name)


async def change_password(services: Services, author: Author, login: Login, *, password: str) -> None:
    """Give oneself another password; all other logins end. Raises HTTPException: 409."""
    async with audit.change(services.db, author, "person.password", login.person.name) as change:
        if not await people.is_unchanged(change, login.person):
            raise conflict("somebody has changed the password meanwhile: log in again")
        await people.set_password(change, login.person.id, password)
        await logins.end_all(change, login.person.id, but=login.digest)


async def end_login(services: Services, author: Author, login: Login, digest: bytes) -> None:
    """End one of one's own logins. Raises HTTPException: 404."""
    async with audit.change(services.db, author, "login.end", login.person.name) as change:
        if not await logins.end(change, login.person.id, digest):
            raise missing("that login has ended already")


async def end_logins(services: Services, author: Author, login: Login) -> None:
    """Log oneself out everywhere, here too."""
    async with audit.change(services.db, author, "login.end-all", login.person.name) as change:
        await logins.end_all(change, login.person.id)


@asynccontextmanager
async def _changing(
    services: Services, author: Author, action: str, name: str, detail: Mapping[str, str] | None = None
) -> AsyncIterator[AsyncConnection]:
    """The transaction of a change of a person, under the name by which they are kept, however it was spelled.

    What storage says about them becomes the answer for whoever asked.
    """
    try:
        async with audit.change(services.db, author, action, name.strip().lower(), detail) as connection:
            yield connection
    except NoSuchPerson as absent:
        raise missing(absent) from None
    except BadName as bad:
        raise unusable(bad) from None
    except PersonRefused as refused:
        raise conflict(refused) from None
