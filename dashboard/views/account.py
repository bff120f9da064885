"""What the page of whoever is logged in shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from checks.text import clean
from dashboard.views.common import Moment, moment_of
from prober.secrets.passwords import SHORTEST
from prober.storage.logins import Login
from prober.storage.people import Source

ACCOUNT_HREF: Final = "/account"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRow:
    address: str
    agent: str
    since: Moment
    seen: Moment
    ends: Moment
    is_this: bool
    end: str
    """Where it is ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    name: str
    role: str
    logins: tuple[LoginRow, ...]
    has_password: bool
    shortest: int
    done: str
    error: str


def account_view(login: Login, mine: Sequence[Login], now: datetime, *, done: str = "", error: str = "") -> AccountView:
    person = login.person
    return AccountView(
        name=person.name,
        role=person.role.value,
        logins=tuple(_row(each, now, is_this=each.digest == login.digest) for each in mine),
        has_password=person.source is Source.PASSWORD,
        shortest=SHORTEST,
        done=done,
        error=error,
    )


def _row(login: Login, now: datetime, *, is_this: bool) -> LoginRow:
    return LoginRow(
        address=clean(login.address, 60) or "an unknown address",
        agent=clean(login.agent, 160) or "an unknown program",
        since=moment_of(login.created_at, now),
        seen=moment_of(login.seen_at, now),
        ends=moment_of(login.expires_at, now),
        is_this=is_this,
        end=f"{ACCOUNT_HREF}/logins/{login.digest.hex()}/end",
    )
