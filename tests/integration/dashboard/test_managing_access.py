"""People and tokens as an admin manages them, the audit log, and the field of every form."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from dashboard.access.mode import AccessConfig
from prober.storage import access_history, audit, failed_logins, logins, people, setup_tokens, tokens
from prober.storage.failed_logins import Pauses
from prober.storage.people import NoSuchPerson, Role
from tests.integration.dashboard.conftest import SetClock, browsing

NEW = {"password": "correct horse battery", "again": "correct horse battery"}


@pytest.fixture
async def admin(database_url: str, db: AsyncEngine, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    """The browser of an admin who is logged in."""
    async with browsing(database_url, clock, access=AccessConfig()) as client:
        client.cookies.set("mcpp_login", await logged_in(db, clock, "ada", Role.ADMIN))
        yield client


async def logged_in(db: AsyncEngine, clock: SetClock, name: str, role: Role) -> str:
    async with db.begin() as connection:
        person = await people.add(connection, name, role, password="$argon2id$", by="a test")
        return await logins.begin(
            connection, person.id, now=clock.now(), lasts=logins.Lasts(), address="192.0.2.7", agent="a test"
        )


async def post(client: httpx.AsyncClient, at: str, path: str, **fields: Any) -> httpx.Response:
    field = re.search(r'name="csrf" value="([0-9a-f]+)"', (await client.get(at)).text)
    assert field is not None
    return await client.post(path, data={"csrf": field[1], **fields})


async def test_an_admin_lets_people_in_and_out(
    admin: httpx.AsyncClient, database_url: str, db: AsyncEngine, clock: SetClock
) -> None:
    here = "/settings/people"
    assert (await post(admin, here, here, name=" Eve ", role="viewer", **NEW)).status_code == 303
    assert (await post(admin, here, here, name="eve", role="viewer", **NEW)).status_code == 409
    assert (await post(admin, here, here, name="no spaces", role="viewer", **NEW)).status_code == 422
    async with browsing(database_url, clock, access=AccessConfig()) as eve:
        entered = await post(eve, "/login", "/login", name="EVE", password=NEW["password"])
        assert entered.status_code == 303
        assert (await eve.get(here)).status_code == 403
        assert (await post(admin, here, f"{here}/eve/role", role="admin")).status_code == 303
        assert (await eve.get(here)).status_code == 200
        assert (await post(admin, here, f"{here}/eve/disable")).status_code == 303
        assert (await eve.get("/")).status_code == 303
        assert (await post(eve, "/login", "/login", name="eve", password=NEW["password"])).status_code == 403
    assert (await post(admin, here, f"{here}/EVE/enable")).status_code == 303
    assert (await post(admin, here, f"{here}/eve/remove")).status_code == 303
    assert (await post(admin, here, f"{here}/eve/remove")).status_code == 404
    done = [(row.author, row.action) for row in await audit.newest(db, subject="eve", action="person")]
    assert done == [("ada", f"person.{each}") for each in ("remove", "enable", "disable", "role", "add")]


@pytest.mark.parametrize(("path", "fields"), [("remove", {}), ("disable", {}), ("role", {"role": "viewer"})])
async def test_the_last_admin_stays(
    admin: httpx.AsyncClient, db: AsyncEngine, path: str, fields: dict[str, str]
) -> None:
    refused = await post(admin, "/settings/people", f"/settings/people/ada/{path}", **fields)
    assert refused.status_code == 409
    assert "Nobody else is an admin" in refused.text
    assert [each.role for each in await people.everybody(db)] == [Role.ADMIN]
    assert await audit.newest(db) == []


async def test_a_token_is_shown_once_and_opens_its_scopes_until_it_is_revoked(
    admin: httpx.AsyncClient, database_url: str, db: AsyncEngine, clock: SetClock
) -> None:
    here = "/settings/tokens"
    made = await post(admin, here, here, name="the pipeline", days="30", scopes=["read"])
    (secret,) = re.findall(r"mcpp_[\w-]{43}", made.text)
    assert secret not in (await admin.get(here)).text
    assert (await post(admin, here, here, name="nothing", days="30")).status_code == 422
    async with browsing(database_url, clock, access=AccessConfig()) as program:
        program.headers["authorization"] = f"Bearer {secret}"
        assert (await program.get("/api/endpoints")).status_code == 200
        assert (await program.post("/api/deploys", json={})).status_code == 403
        assert (await program.post("/api/deploys?slip=1", json={})).status_code == 403, (
            "what is wrong is not told first"
        )
        (token,) = await tokens.everyone(db)
        assert token.used_at == clock.now()
        clock.moment += timedelta(days=31)
        assert (await program.get("/api/endpoints")).status_code == 401
        clock.moment -= timedelta(days=31)
        assert (await post(admin, here, f"{here}/{token.id}/revoke")).status_code == 303
        assert (await program.get("/api/endpoints")).status_code == 401
    assert [row.action for row in await audit.newest(db, subject="the pipeline")] == ["token.revoke", "token.add"]


async def test_a_token_can_do_no_more_than_whoever_made_it(
    admin: httpx.AsyncClient, database_url: str, db: AsyncEngine, clock: SetClock
) -> None:
    here, at = "/settings/tokens", "/settings/people"
    async with browsing(database_url, clock, access=AccessConfig()) as eve:
        eve.cookies.set("mcpp_login", await logged_in(db, clock, "eve", Role.ADMIN))
        made = await post(eve, here, here, name="hers", days="0", scopes=["read", "operate", "manage"])
    (secret,) = re.findall(r"mcpp_[\w-]{43}", made.text)
    async with browsing(database_url, clock, access=AccessConfig()) as program:
        program.headers["authorization"] = f"Bearer {secret}"

        async def answers() -> tuple[int, int]:
            found = await program.get("/api/endpoints"), await program.post("/api/deploys", json={})
            return found[0].status_code, found[1].status_code

        assert await answers() == (200, 422)
        assert (await post(admin, at, f"{at}/eve/role", role="viewer")).status_code == 303
        assert await answers() == (200, 403)
        assert "eve is a viewer" in (await admin.get(here)).text
        assert (await post(admin, at, f"{at}/eve/disable")).status_code == 303
        assert await answers() == (401, 401)
        assert "eve may not log in" in (await admin.get(here)).text
        assert (await post(admin, at, f"{at}/eve/enable")).status_code == 303
        assert (await post(admin, at, f"{at}/eve/role", role="admin")).status_code == 303
        assert await answers() == (200, 422)
        assert (await post(admin, at, f"{at}/eve/remove")).status_code == 303
        assert await answers() == (401, 401)
        await logged_in(db, clock, "eve", Role.ADMIN)
        assert await answers() == (401, 401), "another person of that name has no part in it"
    (token,) = await tokens.everyone(db)
    assert token.revoked_by == "ada"
    assert [row.author for row in await audit.newest(db, subject="hers", action="token.revoke")] == ["ada"]


async def test_whoever_is_removed_meanwhile_makes_no_token_for_the_next_of_that_name(
    db: AsyncEngine, clock: SetClock
) -> None:
    with pytest.raises(NoSuchPerson):
        async with db.begin() as connection:
            await tokens.add(connection, "late", ["read"], now=clock.now(), expires_at=None, by="eve")
    assert await tokens.everyone(db) == []


async def test_nobody_is_removed_while_he_makes_a_token(db: AsyncEngine, clock: SetClock) -> None:
    await logged_in(db, clock, "eve", Role.VIEWER)
    async with db.begin() as making, db.begin() as removing:
        await tokens.add(making, "late", ["read"], now=clock.now(), expires_at=None, by="eve")
        await removing.execute(text("set local lock_timeout = '50ms'"))
        with pytest.raises(OperationalError, match="lock timeout"):
            await people.remove(removing, "eve")
        await removing.rollback()


async def test_a_token_that_was_made_at_the_prompt_is_nobodys(
    database_url: str, db: AsyncEngine, clock: SetClock
) -> None:
    async with db.begin() as connection:
        _, secret = await tokens.add(
            connection, "backup", ["read"], now=clock.now(), expires_at=None, by="root, at the prompt"
        )
    async with browsing(database_url, clock, access=AccessConfig()) as program:
        program.headers["authorization"] = f"Bearer {secret}"
        assert (await program.get("/api/endpoints")).status_code == 200


async def test_the_audit_log_is_filtered_and_read_page_by_page(admin: httpx.AsyncClient, db: AsyncEngine) -> None:
    author = audit.Author(name="<b>eve</b>", via=audit.Via.API)
    async with db.begin() as connection:
        for number in range(60):
            await audit.note(connection, author, "endpoint.change", f"endpoint {number}", {"url": "<i>"})
        await audit.note(connection, author, "endpoints.other", "another", {})
    first = await admin.get("/settings/audit", params={"action": "endpoint", "author": "<b>eve</b>"})
    assert "<b>eve" not in first.text
    assert "another" not in first.text
    assert first.text.count("<code>endpoint.change</code>") == 50
    (older,) = re.findall(r'href="([^"]+)" rel="next"', first.text)
    second = await admin.get(unescape(older))
    assert second.text.count("<code>endpoint.change</code>") == 10
    assert 'rel="next"' not in second.text
    for odd in ({"subject": "\x00"}, {"before": "0"}, {"before": str(2**64)}, {"author": "%"}):
        assert (await admin.get("/settings/audit", params=odd)).status_code in {200, 404, 422}


@pytest.mark.usefixtures("told")
async def test_every_form_that_changes_something_has_its_field(admin: httpx.AsyncClient) -> None:
    waiting, seen, forms = ["/", "/settings", "/account"], set(), set()
    while waiting and len(seen) < 60:
        address = unescape(waiting.pop(0)).partition("#")[0]
        kind = re.sub(r"[0-9a-f-]{36}|\?.*", "", address)
        if kind in seen or not address.startswith("/"):
            continue
        seen.add(kind)
        page = await admin.get(address)
        if "text/html" not in page.headers["content-type"]:
            continue
        waiting += re.findall(r'href="([^"]+)"', page.text)
        for form in re.findall(r"<form\b.*?</form>", page.text, re.DOTALL):
            if 'method="post"' in form:
                forms.add(re.sub(r"[0-9a-f-]{36,}", "", re.findall(r'action="([^"]+)"', form)[0]))
                assert re.search(r'name="csrf" value="[0-9a-f]{64}"', form), (address, form)
    assert {"/logout", "/account/password", "/settings/people", "/settings/tokens", "/settings/maintenance"} <= forms


async def test_those_who_only_look_see_no_button(admin: httpx.AsyncClient, db: AsyncEngine, clock: SetClock) -> None:
    admin.cookies.set("mcpp_login", await logged_in(db, clock, "eve", Role.VIEWER))
    page = (await admin.get("/settings")).text
    assert "/settings/people" not in page
    assert re.findall(r'action="([^"]+)"', page) == ["/logout"]


async def test_what_is_refused_leads_back_to_its_form(admin: httpx.AsyncClient) -> None:
    for stood, way_back in (
        ("http://localhost/settings/tokens?a=1", 'href="/settings/tokens?a=1">Back to the form'),
        ("http://[", 'href="/">Back to the fleet'),
        ("", 'href="/">Back to the fleet'),
    ):
        admin.headers["Referer"] = stood
        page = await post(admin, "/settings/tokens", "/settings/tokens", name="pipeline")
        assert page.status_code == 422
        assert way_back in page.text


async def test_what_counts_no_more_is_forgotten(db: AsyncEngine, clock: SetClock) -> None:
    await logged_in(db, clock, "ada", Role.ADMIN)
    async with db.begin() as connection:
        await setup_tokens.offer(connection)
        pauses = Pauses(free=1, first=timedelta(minutes=1), longest=timedelta(minutes=1))
        await failed_logins.attempt(connection, {"name ada": pauses}, now=clock.now())
    assert await access_history.forget(db, now=clock.now()) == 0
    assert await access_history.forget(db, now=clock.now() + timedelta(hours=2)) == 2
    assert await access_history.forget(db, now=clock.now() + timedelta(days=8)) == 1
