"""Logging in with a name and a password: limits first, and the same answer in the same time for whatever is wrong."""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException

from checks.text import clean, storable
from dashboard.access.addresses import counted
from prober.clock import Clock
from prober.secrets import passwords
from prober.storage import failed_logins, logins, people
from prober.storage.failed_logins import Pauses, by_address, by_name, by_name_from
from prober.storage.people import Person

log = logging.getLogger(__name__)

_Found = TypeVar("_Found")

AT_ONCE: Final = 2
"""Passwords that are looked at at the same time; each takes 64 MiB."""
WAITING: Final = 16
"""How many more may wait for that."""

_QUARTER: Final = timedelta(minutes=15)
OF_ONE: Final = Pauses(free=5, first=timedelta(seconds=10), longest=_QUARTER)
"""One address that tries one name."""
OF_ADDRESS: Final = Pauses(free=15, first=timedelta(minutes=1), longest=_QUARTER)
"""One address that tries many names: at most 20 tries in a quarter of an hour."""
OF_NAME: Final = Pauses(free=30, first=timedelta(seconds=1), longest=timedelta(minutes=1))
"""Many addresses that try one name. It does not hold where the person is logged in or lately was: nobody is kept out of
their own dashboard by strangers."""


class NotLoggedIn(Exception):
    """The name or the password is wrong; it is not said which."""

    def __init__(self) -> None:
        super().__init__("Name or password is wrong.")


class TooManyTries(Exception):
    """Nothing was looked at: whoever tries has to wait for `wait_s` seconds."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"Too many tries: wait for {wait_s} s, then try again.")
        self.wait_s = wait_s


@dataclass(slots=True)
class Passwords:
    """Looks at passwords beside the event loop, few at a time."""

    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _waiting: int = 0

    async def hashed(self, password: str) -> str:
        """See `prober.secrets.passwords`. Raises HTTPException where too many wait."""
        return await self._in_turn(partial(passwords.hashed, password))

    async def is_right(self, password: str, kept: str) -> bool:
        """See `prober.secrets.passwords`. Raises HTTPException where too many wait."""
        return await self._in_turn(partial(passwords.is_right, password, kept))

    async def _in_turn(self, work: Callable[[], _Found]) -> _Found:
        if self._waiting >= AT_ONCE + WAITING:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "Too many log in just now.", {"Retry-After": "5"})
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


async def log_in(
    db: AsyncEngine, clock: Clock, checking: Passwords, *, name: str, password: str, address: str
) -> Person:
    """The person with that name and password. Raises NotLoggedIn and TooManyTries."""
    name, place = storable(clean(name.strip().lower(), 100)), counted(address)
    tried_at = clock.now()
    await _count(db, tried_at, name, place)
    found = await people.credentials(db, name)
    kept = passwords.NOBODYS if found is None else found[1]
    is_right = await checking.is_right(password[: passwords.LONGEST + 1], kept)
    if found is None or not is_right:
        log.warning("a login failed for %s from %s", name, clean(address, 100))
        raise NotLoggedIn
    async with db.begin() as connection:
        await failed_logins.succeeded(
            connection,
            forget=by_name_from(name, place),
            take_back=(by_address(place), by_name(name)),
            tried_at=tried_at,
        )
    if passwords.is_outdated(kept):
        await people.rehash(db, found[0].id, old=kept, new=await checking.hashed(password))
    return found[0]


async def _count(db: AsyncEngine, now: datetime, name: str, place: str) -> None:
    keys = {by_name_from(name, place): OF_ONE, by_address(place): OF_ADDRESS}
    async with db.begin() as connection:
        if place not in map(counted, await logins.addresses_of(connection, name)):
            keys[by_name(name)] = OF_NAME
        wait = await failed_logins.attempt(connection, keys, now=now)
        if wait is not None:
            # Nothing is kept of it: whoever has to wait must not fill the table with names.
            raise TooManyTries(math.ceil(wait.total_seconds()))
