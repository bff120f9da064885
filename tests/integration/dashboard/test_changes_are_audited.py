"""Every change that can be asked for is written into the audit log in its own transaction, or is not made."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from dashboard.access import csrf
from dashboard.access.mode import AccessConfig
from prober.storage import accepted_tools, endpoints, listings, logins, mutes, people, setup_tokens, tokens
from prober.storage.identity import endpoint_id
from tests.contract.documents.access import application, doors
from tests.integration.dashboard.conftest import SetClock, browsing
from tests.integration.dashboard.stories import FLEET
from tests.integration.notifiers.stage import staged

PASSWORD = "correct horse battery"
ENTRY = {"url": "https://shop.example/mcp"}
_BESIDE = {"failed_login", "alembic_version", "audit"}
"""Tries to log in count whatever comes of them."""


@dataclass
class Story:
    """An admin who does everything that can be done, one thing after the other."""

    client: httpx.AsyncClient
    db: AsyncEngine
    clock: SetClock
    done: set[tuple[str, str]] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)

    async def change(self, method: str, path: str, *, once_only: bool = False, **sent: Any) -> None:
        """Ask for it while the audit log takes nothing, and then, unless it is `once_only`, while it does.

        `path` is that of the route, with `{name:value}` for what fills it.
        """
        address = re.sub(r"\{\w+:([^}]*)\}", r"\1", path)
        self.done.add((method, re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)))
        before = await self._all_rows()
        await self._let_the_log("refuse")
        refused = await self._ask(method, address, sent)
        await self._let_the_log("take")
        assert refused.status_code == 503, f"{method} {path}: {refused.status_code} {refused.text[:500]}"
        assert await self._all_rows() == before, f"{method} {path} was made, and stands in no log"
        if not once_only:
            logged = await self._logged()
            made = await self._ask(method, address, sent)
            assert made.status_code < 400, f"{method} {path}: {made.status_code} {made.text[:500]}"
            assert await self._logged() > logged, f"{method} {path} stands in no log"

    async def _ask(self, method: str, address: str, sent: dict[str, Any]) -> httpx.Response:
        secret = self.client.cookies.get("mcpp_login") or self.client.cookies.get("mcpp_visit") or ""
        return await self.client.request(method, address, headers={csrf.HEADER: csrf.token(secret)}, **sent)

    async def _let_the_log(self, what: str) -> None:
        switch = "enable" if what == "refuse" else "disable"
        async with self.db.begin() as connection:
            await connection.execute(text(f"alter table audit {switch} trigger refused"))

    async def _logged(self) -> int:
        async with self.db.connect() as connection:
            return int((await connection.execute(text("select count(*) from audit"))).scalar_one())

    async def _all_rows(self) -> set[tuple[Any, ...]]:
        """How many rows each table has, and the newest transaction that wrote one of them."""
        async with self.db.connect() as connection:
            if not self.tables:
                named = await connection.scalars(text("select tablename from pg_tables where schemaname = 'public'"))
                self.tables = set(named) - _BESIDE
            each = (f"select '{name}', count(*), max(xmin::text::bigint) from \"{name}\"" for name in self.tables)
            return {tuple(row) for row in await connection.execute(text(" union all ".join(each)))}


@pytest.fixture
async def story(told: AsyncEngine, database_url: str, clock: SetClock) -> AsyncIterator[Story]:
    await staged(told, "pager")
    async with told.begin() as connection:
        await connection.execute(
            text("create function refuse() returns trigger language plpgsql as $$begin raise 'no'; end$$")
        )
        await connection.execute(
            text("create trigger refused before insert on audit for each row execute function refuse()")
        )
        await connection.execute(text("alter table audit disable trigger refused"))
    async with browsing(database_url, clock, access=AccessConfig()) as client:
        yield Story(client, told, clock)


async def test_every_change_stands_in_the_audit_log_or_is_not_made(story: Story) -> None:
    await _comes_in(story)
    await _keeps_endpoints(story)
    await _operates(story)
    await _decides_about_incidents(story)
    await _lets_people_and_programs_in(story)
    await _goes(story)
    assert story.done == set(_changes())


def _changes() -> Iterator[tuple[str, str]]:
    for door in doors(application()):
        if door.method not in {"GET", "HEAD"}:
            yield door.method, door.path.replace(":path", "")


async def _comes_in(story: Story) -> None:
    async with story.db.begin() as connection:
        token = await setup_tokens.offer(connection)
    await story.client.get("/setup")
    twice = {"password": PASSWORD, "again": PASSWORD}
    await story.change("POST", "/setup", data={"token": token, "name": "ada", **twice})
    await story.change("POST", "/logout")
    await story.client.get("/login")
    await story.change("POST", "/login", data={"name": "ada", "password": PASSWORD})


async def _keeps_endpoints(story: Story) -> None:
    await story.change("POST", "/api/endpoints", json={"name": "kept", **ENTRY})
    await story.change("PUT", "/api/endpoints/{name:kept}", json={**ENTRY, "interval": "5m"})
    await story.change("DELETE", "/api/endpoints/{name:kept}")
    written = f"name: other\nurl: {ENTRY['url']}\n"
    await story.change("POST", "/settings/new-endpoint", data={"entry": written})
    edition = (await endpoints.kept(story.db, "other")).edition
    changed = {"entry": f"{written}interval: 5m\n", "edition": edition}
    await story.change("POST", "/settings/endpoints/{name:other}", data=changed)
    edition = (await endpoints.kept(story.db, "other")).edition
    await story.change("POST", "/settings/endpoints/{name:other}/remove", data={"edition": edition})


async def _operates(story: Story) -> None:
    await story.change("POST", "/api/endpoints/{name:search}/probe", json={})
    await story.change("POST", "/probe-requests/{name:orders}")
    await story.change("POST", "/api/deploys", json={"endpoints": ["search"]})
    await story.change("POST", "/deploys/{name:orders}")
    ends = (story.clock.now() + timedelta(hours=1)).isoformat()
    await story.change("POST", "/api/maintenance", json={"all": True, "ends_at": ends})
    await story.change("POST", "/settings/maintenance", data={"minutes": "5"})
    one, other = [each.id for each in await mutes.coming(story.db)][:2]
    await story.change("DELETE", f"/api/maintenance/{{mute_id:{one}}}")
    await story.change("POST", f"/settings/maintenance/{{mute:{other}}}/end")
    await story.change("POST", "/api/channels/{name:pager}/test")
    await story.change("POST", "/channels/{name:pager}/test")
    (name,) = (each.endpoint.name for each in FLEET if each.accepted)
    newer = (await accepted_tools.known(story.db, name)).candidate
    assert newer is not None
    chosen = f"{endpoint_id(name).hex} {newer.fingerprint}"
    await story.change("POST", f"/api/baselines/{{name:{name}}}", once_only=True)
    await story.change("POST", "/settings/baselines/accept", once_only=True, data={"chosen": chosen})
    await story.change("POST", f"/baselines/{{name:{name}}}", params={"fingerprint": newer.fingerprint})


async def _decides_about_incidents(story: Story) -> None:
    one, other, *_ = [each.id for each in await listings.incidents(story.db, limit=9, is_open=True)]
    until = (story.clock.now() + timedelta(hours=1)).isoformat()
    await story.change("POST", f"/api/incidents/{{incident_id:{one}}}/acknowledge")
    await story.change("POST", f"/api/incidents/{{incident_id:{one}}}/snooze", json={"until": until})
    await story.change("POST", f"/api/incidents/{{incident_id:{one}}}/comments", json={"words": "looking"})
    await story.change("POST", f"/incidents/{{incident_id:{other}}}/acknowledge")
    await story.change("POST", f"/incidents/{{incident_id:{other}}}/snooze", data={"until": "1h"})
    await story.change("POST", f"/incidents/{{incident_id:{other}}}/comments", data={"words": "looking"})


async def _lets_people_and_programs_in(story: Story) -> None:
    twice, here = {"password": PASSWORD, "again": PASSWORD}, "/settings/people"
    await story.change("POST", here, data={"name": "eve", "role": "viewer", **twice})
    await story.change("POST", f"{here}/{{name:eve}}/role", data={"role": "operator"})
    await story.change("POST", f"{here}/{{name:eve}}/password", data=twice)
    for what in ("disable", "enable", "remove"):
        await story.change("POST", f"{here}/{{name:eve}}/{what}")
    await story.change("POST", "/settings/tokens", data={"name": "deploys", "days": "1", "scopes": "read"})
    (token,) = await tokens.everyone(story.db)
    await story.change("POST", f"/settings/tokens/{{token:{token.id}}}/revoke")


async def _goes(story: Story) -> None:
    (ada,) = await people.everybody(story.db)
    digest = logins.digest_of(await _second_login(story, ada.id)).hex()
    await story.change("POST", f"/account/logins/{{digest:{digest}}}/end")
    another = {"password": "another good one", "again": "another good one"}
    await story.change("POST", "/account/password", data={"current": PASSWORD, **another})
    await story.change("POST", "/account/logins/end")


async def _second_login(story: Story, person: UUID) -> str:
    now, lasts = story.clock.now(), logins.Lasts()
    async with story.db.begin() as connection:
        return await logins.begin(connection, person, now=now, lasts=lasts, address="192.0.2.1", agent="")
