"""Logging in and out, the first admin, and what a login is worth."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from dashboard.access.logging_in import Passwords, TooManyTries
from dashboard.access.logging_in import log_in as try_to_log_in
from dashboard.access.mode import AccessConfig
from dashboard.access.proxy import ProxySettings
from dashboard.app import build
from dashboard.config import Config
from prober.secrets import passwords
from prober.storage import audit, failed_logins, logins, people, setup_tokens, tables
from prober.storage.failed_logins import Pauses, by_address, by_name
from prober.storage.people import Role
from tests.integration.dashboard.conftest import SetClock, browsing

PASSWORD = "correct horse battery"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""Of other parameters than ours: wrong passwords cost nothing, and the right one is hashed anew."""
AT_ONCE = Pauses(free=1, first=timedelta(minutes=1), longest=timedelta(minutes=1))
"""After the first failure one has to wait."""
HERE = ip_network("127.0.0.1/32")
"""From where the application under test is asked."""


@asynccontextmanager
async def browser(
    url: str, clock: SetClock, base_url: str = "http://localhost", **access: Any
) -> AsyncIterator[httpx.AsyncClient]:
    async with browsing(url, clock, base_url, access=AccessConfig(**access)) as client:
        yield client


@pytest.fixture
async def visitor(database_url: str, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    """A browser at a dashboard that asks who somebody is."""
    async with browser(database_url, clock) as client:
        yield client


async def add_person(db: AsyncEngine, name: str = "ada", role: Role = Role.ADMIN) -> None:
    async with db.begin() as connection:
        await people.add(connection, name, role, password=HASH, by="a test")


def field_of(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert found is not None, page.text
    return found[1]


async def post(client: httpx.AsyncClient, path: str, /, at: str = "", **fields: Any) -> httpx.Response:
    """Send a form as a browser does, with the field of the page on which it stands."""
    csrf = field_of(await client.get(at or path))
    return await client.post(path, data={"csrf": csrf, **fields})


async def log_in(
    client: httpx.AsyncClient, name: str = "ada", password: str = PASSWORD, **fields: str
) -> httpx.Response:
    return await post(client, "/login", name=name, password=password, **fields)


async def test_pages_lead_to_the_login_and_back(visitor: httpx.AsyncClient, db: AsyncEngine) -> None:
    await add_person(db)
    asked = await visitor.get("/incidents?open=1")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/incidents%3Fopen%3D1")
    form = await visitor.get(asked.headers["location"])
    assert '<input type="hidden" name="next" value="/incidents?open=1">' in form.text
    entered = await log_in(visitor, next="/incidents?open=1")
    assert (entered.status_code, entered.headers["location"]) == (303, "/incidents?open=1")
    page = await visitor.get("/")
    assert page.status_code == 200
    assert '<a href="/account">ada</a>' in page.text


@pytest.mark.parametrize("next_path", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example"])
async def test_the_login_leads_to_nobody_else(visitor: httpx.AsyncClient, db: AsyncEngine, next_path: str) -> None:
    await add_person(db)
    assert (await log_in(visitor, next=next_path)).headers["location"] == "/"


async def test_programs_are_told_how_to_show_who_they_are(visitor: httpx.AsyncClient) -> None:
    refused = await visitor.get("/api/endpoints")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (await visitor.get("/?fragment=1")).status_code == 401
    assert (await visitor.get("/api/endpoints?token=mcpp_x&access_token=mcpp_x")).status_code == 401


async def test_what_is_wrong_with_a_login_is_not_said(visitor: httpx.AsyncClient, db: AsyncEngine) -> None:
    await add_person(db)
    wrong, unknown = await log_in(visitor, password="wrong horse"), await log_in(visitor, name="eve")
    assert wrong.status_code == unknown.status_code == 403
    assert "Name or password is wrong." in wrong.text
    assert wrong.text.replace("ada", "eve") == unknown.text
    assert visitor.cookies.get("mcpp_login") is None


async def test_guessing_is_slowed_and_the_right_password_waits_too(
    visitor: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    await add_person(db)
    for _ in range(5):
        assert (await log_in(visitor, password="x" * 12)).status_code == 403
    waiting = await log_in(visitor)
    assert waiting.status_code == 429
    assert int(waiting.headers["retry-after"]) == 10
    clock.moment += timedelta(seconds=11)
    assert (await log_in(visitor)).status_code == 303


async def test_whoever_has_to_wait_fills_no_table(visitor: httpx.AsyncClient, db: AsyncEngine, clock: SetClock) -> None:
    async with db.begin() as connection:
        assert await failed_logins.attempt(connection, {by_address("127.0.0.1"): AT_ONCE}, now=clock.now()) is None
    before = await _tries(db)
    assert (await log_in(visitor, name="another", password="x" * 12)).status_code == 429
    assert await _tries(db) == before


async def _tries(db: AsyncEngine) -> list[Any]:
    async with db.connect() as connection:
        return sorted(map(tuple, await connection.execute(select(tables.failed_login.c.key))))


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8:7::1"])
async def test_strangers_keep_nobody_out_of_where_he_is_logged_in(
    db: AsyncEngine, clock: SetClock, address: str
) -> None:
    await add_person(db)
    known = partial(try_to_log_in, db, clock, Passwords(), name="ada", password=PASSWORD, address=address)
    async with db.begin() as connection:
        await logins.begin(
            connection, (await known()).id, now=clock.now(), lasts=logins.Lasts(), address=address, agent=""
        )
        assert await failed_logins.attempt(connection, {by_name("ada"): AT_ONCE}, now=clock.now()) is None
    with pytest.raises(TooManyTries):
        await try_to_log_in(db, clock, Passwords(), name="ada", password=PASSWORD, address="198.51.100.1")
    assert (await known()).name == "ada"


class MeanwhileGuessed(Passwords):
    """Looks at a password for so long that somebody at the same address guesses at others."""

    def __init__(self, db: AsyncEngine, clock: SetClock) -> None:
        super().__init__()
        self._db = db
        self._clock = clock

    async def is_right(self, password: str, kept: str) -> bool:
        found = await super().is_right(password, kept)
        self._clock.moment += timedelta(milliseconds=1)
        async with self._db.begin() as connection:
            await failed_logins.attempt(connection, {by_address("192.0.2.1"): AT_ONCE}, now=self._clock.now())
        return found


async def test_whoever_has_one_password_ends_no_pause_of_his_guesses_at_others(
    db: AsyncEngine, clock: SetClock
) -> None:
    await add_person(db)
    checking = MeanwhileGuessed(db, clock)
    assert await try_to_log_in(db, clock, checking, name="ada", password=PASSWORD, address="192.0.2.1")
    with pytest.raises(TooManyTries):
        await try_to_log_in(db, clock, Passwords(), name="eve", password=PASSWORD, address="192.0.2.1")


class MeanwhileReset(Passwords):
    """Looks at a password for so long that an admin gives the person another one."""

    def __init__(self, db: AsyncEngine) -> None:
        super().__init__()
        self._db = db

    async def is_right(self, password: str, kept: str) -> bool:
        found = await super().is_right(password, kept)
        async with self._db.begin() as connection:
            ada = await people.named(connection, "ada")
            await people.set_password(connection, ada.id, HASH)
            await logins.end_all(connection, ada.id)
        return found


async def test_a_password_that_is_reset_while_it_is_looked_at_opens_nothing(
    database_url: str, db: AsyncEngine, clock: SetClock
) -> None:
    await add_person(db)
    app = build(Config(database_url=database_url, access=AccessConfig()), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        app.state.passwords = MeanwhileReset(db)
        assert (await log_in(client)).status_code == 403
        assert client.cookies.get("mcpp_login") is None
        app.state.passwords = Passwords()
        assert (await log_in(client)).status_code == 303
        app.state.passwords = MeanwhileReset(db)
        again = {"current": PASSWORD, "password": "another good one", "again": "another good one"}
        assert (await post(client, "/account/password", at="/account", **again)).status_code == 409
    await app.state.services.db.dispose()
    assert (await try_to_log_in(db, clock, Passwords(), name="ada", password=PASSWORD, address="")).name == "ada"


async def test_the_cookie_is_for_https_alone_where_people_come_by_it(
    database_url: str, db: AsyncEngine, clock: SetClock
) -> None:
    await add_person(db)
    public = "https://localhost"
    async with browser(database_url, clock, public, public_url=public) as client:
        entered = await log_in(client)
        (cookie,) = [
            each for each in entered.headers.get_list("set-cookie") if "mcpp_login" in each and "Max-Age=0" not in each
        ]
        assert cookie.startswith("__Host-mcpp_login=")
        assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
        assert "Domain" not in cookie


@pytest.mark.parametrize(
    ("base", "access", "headers", "warned"),
    [
        ("http://prober", {}, {}, True),
        ("http://10.1.2.3:8080", {}, {"X-Forwarded-Proto": "https"}, True),
        ("http://10.1.2.3:8080", {"proxy": ProxySettings(trusted=(HERE,))}, {"X-Forwarded-Proto": "https"}, False),
        ("http://10.1.2.3:8080", {"proxy": ProxySettings(trusted=(HERE,))}, {"X-Forwarded-Proto": "http"}, True),
        ("http://prober", {"public_url": "https://prober"}, {}, False),
        ("http://127.0.0.1:8080", {}, {}, False),
        ("http://localhost:8080", {}, {}, False),
    ],
)
async def test_whoever_would_send_a_password_in_the_clear_is_told(
    database_url: str, clock: SetClock, base: str, access: dict[str, Any], headers: dict[str, str], warned: bool
) -> None:
    async with browser(database_url, clock, base, **access) as client:
        page = await client.get("/login", headers=headers)
        setup = await client.get("/setup", headers=headers)
    assert [("not encrypted" in each.text) for each in (page, setup)] == [warned, warned]
    is_secure = all("Secure" in each for each in page.headers.get_list("set-cookie"))
    assert is_secure == (not warned and "localhost" not in base and "127" not in base)


async def test_two_dashboards_on_one_host_log_nobody_out_of_each_other(
    database_url: str, db: AsyncEngine, clock: SetClock
) -> None:
    await add_person(db)
    held: dict[str, str] = {}
    for port in (8080, 8081):
        async with browser(database_url, clock, f"http://localhost:{port}") as client:
            client.cookies.update(held)
            await log_in(client)
            held |= dict(client.cookies)
    assert sorted(held) == ["mcpp_login_8080", "mcpp_login_8081"]
    for port in (8080, 8081):
        async with browser(database_url, clock, f"http://localhost:{port}") as client:
            client.cookies.update(held)
            assert (await client.get("/account")).status_code == 200


async def test_a_login_ends_by_rest_by_age_and_by_its_owner(
    visitor: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    await add_person(db)
    begun = clock.moment
    await log_in(visitor)
    clock.moment = begun + timedelta(hours=11)
    assert (await visitor.get("/")).status_code == 200
    clock.moment = begun + timedelta(hours=24)
    assert (await visitor.get("/")).status_code == 303
    begun = clock.moment
    await log_in(visitor)
    for turn in range(1, 16):
        clock.moment = begun + timedelta(hours=11 * turn)
        await visitor.get("/")
    assert (await visitor.get("/")).status_code == 200
    clock.moment = begun + timedelta(days=7, minutes=1)
    assert (await visitor.get("/")).status_code == 303
    await log_in(visitor)
    held = visitor.cookies["mcpp_login"]
    assert (await post(visitor, "/logout", at="/")).headers["location"] == "/login"
    visitor.cookies.set("mcpp_login", held)
    assert (await visitor.get("/")).status_code == 303


async def test_a_login_is_another_one_each_time(visitor: httpx.AsyncClient, db: AsyncEngine) -> None:
    await add_person(db)
    visitor.cookies.set("mcpp_login", "chosen-by-somebody-else")
    await log_in(visitor)
    secrets = {each for each in visitor.cookies.jar if each.name == "mcpp_login"}
    assert "chosen-by-somebody-else" not in {each.value for each in secrets if each.domain}


async def test_a_form_without_its_field_changes_nothing(visitor: httpx.AsyncClient, db: AsyncEngine) -> None:
    await add_person(db)
    assert (await visitor.post("/login", data={"name": "ada", "password": PASSWORD})).status_code == 403
    before = field_of(await visitor.get("/login"))
    await log_in(visitor)
    for field in ({}, {"csrf": before}, {"csrf": "é"}, {"csrf": ""}):
        assert (await visitor.post("/logout", data=field)).status_code == 403
    assert (await visitor.get("/")).status_code == 200
    field = field_of(await visitor.get("/account"))
    assert (await visitor.post("/logout", headers={"X-CSRF-Token": field})).status_code == 303


async def test_another_password_ends_all_other_logins(
    visitor: httpx.AsyncClient, database_url: str, db: AsyncEngine, clock: SetClock
) -> None:
    await add_person(db)
    async with browser(database_url, clock) as elsewhere:
        await log_in(visitor)
        await log_in(elsewhere)
        new = {"password": "another good one", "again": "another good one"}
        wrong = await post(visitor, "/account/password", at="/account", current="not it at all", **new)
        assert wrong.status_code == 403
        short = await post(
            visitor, "/account/password", at="/account", current=PASSWORD, password="short", again="short"
        )
        assert "at least 12 characters" in short.text
        done = await post(visitor, "/account/password", at="/account", current=PASSWORD, **new)
        assert done.status_code == 303
        assert (await visitor.get("/")).status_code == 200
        assert (await elsewhere.get("/")).status_code == 303
        assert (await log_in(elsewhere)).status_code == 403
        assert (await log_in(elsewhere, password="another good one")).status_code == 303
        assert (await post(visitor, "/account/logins/end", at="/account")).status_code == 303
        assert (await elsewhere.get("/")).status_code == (await visitor.get("/")).status_code == 303


async def test_the_first_admin_comes_in_by_a_link_that_counts_once(
    visitor: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    async with db.begin() as connection:
        first, token = await setup_tokens.offer(connection), await setup_tokens.offer(connection)
    chosen = {"name": "Ada", "password": PASSWORD, "again": PASSWORD}
    assert "Whoever started it finds a link" in (await visitor.get("/login")).text
    for guess in (first, "x"):
        assert (await post(visitor, "/setup", token=guess, **chosen)).status_code == 403
    assert (await post(visitor, "/setup", token=token, **{**chosen, "again": "x"})).status_code == 422
    clock.moment += timedelta(minutes=61)
    assert (await post(visitor, "/setup", token=token, **chosen)).status_code == 403
    clock.moment -= timedelta(minutes=61)
    assert (await post(visitor, "/setup", token=token, **chosen)).headers["location"] == "/"
    assert (await visitor.get("/settings/people")).status_code == 200
    assert (await visitor.get("/setup")).status_code == 404
    rows = await audit.newest(db, action="person")
    assert [(row.author, row.action, row.subject) for row in rows] == [("ada", "person.add", "ada")]


async def test_a_hash_of_old_parameters_is_made_anew(visitor: httpx.AsyncClient, db: AsyncEngine) -> None:
    await add_person(db)
    await log_in(visitor)
    found = await people.credentials(db, "ada")
    assert found is not None
    assert passwords.is_outdated(HASH)
    assert not passwords.is_outdated(found[1])


async def test_secrets_are_stored_as_hashes_alone(visitor: httpx.AsyncClient, db: AsyncEngine, clock: SetClock) -> None:
    await add_person(db)
    await log_in(visitor)
    secret = visitor.cookies["mcpp_login"]
    (login,) = await logins.of_person(db, (await people.everybody(db))[0], now=clock.now(), lasts=logins.Lasts())
    assert login.digest == logins.digest_of(secret)
    page = (await visitor.get("/account")).text
    assert secret not in page
    assert "argon2" not in page
