"""Every route for everybody: unknown people, each role, each scope, and what counts no more."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from dashboard.access import csrf
from dashboard.access.mode import AccessConfig
from dashboard.access.permissions import GRANTS, Permission
from dashboard.app import build
from dashboard.config import Config
from prober.storage import logins, people, tokens
from prober.storage.people import Role
from tests.contract.documents.access import Door, application, doors
from tests.integration.dashboard.conftest import SetClock

DOORS = [door for door in doors(application()) if door.method != "HEAD"]


@dataclass
class House:
    """The dashboard with its people and tokens."""

    client: httpx.AsyncClient
    db: AsyncEngine
    now: datetime
    people: Mapping[Role, people.Person]
    disabled: people.Person
    tokens: Mapping[str, str]

    async def headers(self, asker: str) -> dict[str, str]:
        """What somebody shows; a new login each time, since some routes end it."""
        if asker == "nobody":
            return {}
        if asker in self.tokens:
            return {"authorization": f"Bearer {self.tokens[asker]}"}
        person = self.disabled if asker == "disabled" else self.people[Role(asker)]
        async with self.db.begin() as connection:
            secret = await logins.begin(
                connection, person.id, now=self.now, lasts=logins.Lasts(), address="192.0.2.1", agent="a test"
            )
        return {"cookie": f"mcpp_login={secret}", csrf.HEADER: csrf.token(secret)}

    async def ask(self, door: Door, asker: str) -> httpx.Response:
        path = re.sub(r"\{(\w+)(:path)?\}", lambda found: _filled(found[1]), door.path)
        return await self.client.request(door.method, path, headers=await self.headers(asker))


@pytest.fixture
async def house(database_url: str, db: AsyncEngine, clock: SetClock) -> AsyncIterator[House]:
    now, made = clock.now(), {}
    async with db.begin() as connection:
        for role in Role:
            made[role] = await people.add(connection, f"a-{role}", role, password="$argon2id$", by="a test")
        await people.add(connection, "gone", Role.ADMIN, password="$argon2id$", by="a test")
        gone = await people.disable(connection, "gone")
        ends = now + timedelta(days=1)
        secrets = {
            f"token {scope}": (await tokens.add(connection, scope, [scope], now=now, expires_at=ends, by="a test"))[1]
            for scope in Permission
        }
        old = await tokens.add(connection, "old", Permission, now=now, expires_at=now, by="a test")
        revoked = await tokens.add(connection, "revoked", Permission, now=now, expires_at=ends, by="a test")
        await tokens.revoke(connection, revoked[0].id, now=now, by="a test")
    secrets |= {"token expired": old[1], "token revoked": revoked[1], "token made up": "mcpp_x"}
    app = build(Config(database_url=database_url, access=AccessConfig()), clock)
    app.state.services.hub.close()  # a stream of news ends at once
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield House(client, db, now, made, gone, secrets)
    await app.state.services.db.dispose()


def _filled(name: str) -> str:
    return str(uuid4()) if name in {"report_id", "incident_id", "mute", "mute_id", "token", "id"} else "nothing"


def _may(asker: str) -> frozenset[Permission]:
    if asker.startswith("token "):
        scope = asker.removeprefix("token ")
        return frozenset({Permission(scope)}) if scope in set(Permission) else frozenset()
    return GRANTS[Role(asker)] if asker in set(Role) else frozenset()


ASKERS = [
    *("nobody", "disabled", *Role),
    *(f"token {each}" for each in (*Permission, "expired", "revoked", "made up")),
]


@pytest.mark.parametrize("asker", ASKERS)
async def test_a_route_lets_nobody_through_who_may_not(house: House, asker: str) -> None:
    allowed = _may(asker)
    is_known = bool(allowed)
    # What counts no more is unknown before any route is looked at: some of them will do.
    for door in DOORS if is_known or asker == "nobody" else DOORS[::8]:
        answer = await house.ask(door, asker)
        about = f"{door.method} {door.path} for {asker}: {answer.status_code} {answer.text[:200]}"
        to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login")
        assert answer.status_code < 500 or door.path == "/readyz", about
        if not door.permission:
            continue
        if door.people_alone and asker.startswith("token ") and is_known:
            assert answer.status_code == 403, about
        elif door.permission in allowed:
            leaves = door.path.startswith("/account/logins")
            assert answer.status_code not in {401, 403}, about
            assert not to_login or leaves, about
        elif is_known:
            assert answer.status_code == 403, about
        else:
            assert answer.status_code == 401 or to_login, about
            assert to_login or door.path.startswith("/api/") or door.path == "/live" or asker != "nobody", about


async def test_a_change_by_a_login_needs_the_field_wherever_it_is(house: House) -> None:
    for door in DOORS:
        if door.method in {"GET", "HEAD"}:
            continue
        path = re.sub(r"\{(\w+)(:path)?\}", lambda found: _filled(found[1]), door.path)
        headers = await house.headers("admin")
        for field in ({}, {csrf.HEADER: csrf.token("another")}):
            answer = await house.client.request(door.method, path, headers={"cookie": headers["cookie"], **field})
            assert answer.status_code == 403, f"{door.method} {door.path}: {answer.status_code}"
            assert (csrf.HEADER in answer.text) == door.path.startswith("/api/"), door.path
