"""A reverse proxy that says who asks, and everybody else who only claims to."""

import asyncio
import ipaddress
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from dashboard.access import cookies, csrf
from dashboard.access.environment import Groups
from dashboard.access.proxy import ProxySettings
from dashboard.app import build
from dashboard.config import Config
from prober.storage import audit, logins, people
from prober.storage.people import Role, Source
from tests.integration.dashboard.conftest import SetClock

PROXY = "10.0.0.5"
SETTINGS = ProxySettings(
    trusted=(ipaddress.ip_network(PROXY),),
    user_header="Remote-User",
    groups_header="Remote-Groups",
    groups=Groups({"oncall": Role.OPERATOR, "platform": Role.ADMIN}),
    role=Role.VIEWER,
)

From = Callable[..., httpx.AsyncClient]


@pytest.fixture
def settings() -> ProxySettings:
    return SETTINGS


@pytest.fixture
async def behind(database_url: str, clock: SetClock, settings: ProxySettings) -> AsyncIterator[From]:
    """Makes clients that come from an address."""
    app = build(Config(database_url=database_url, proxy=settings), clock)

    def client(peer: str, port: int = 5000, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(peer, port))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=named)

    yield client
    await app.state.services.db.dispose()


async def test_whom_the_proxy_names_is_in_with_the_role_of_his_groups(behind: From, db: AsyncEngine) -> None:
    alice = behind(PROXY, Remote_User="Alice@Example.com", Remote_Groups="staff, oncall")
    for _ in range(2):
        assert (await alice.get("/api/endpoints")).status_code == 200
    (person,) = await people.everybody(db)
    assert (person.name, person.role, person.source) == ("alice@example.com", Role.OPERATOR, Source.PROXY)
    assert person.seen_at is not None
    promoted = behind(PROXY, Remote_User="alice@example.com", Remote_Groups="platform")
    assert (await promoted.get("/")).status_code == 200
    assert [row.action for row in await audit.newest(db)] == ["person.role", "person.add"]
    stranger = behind(PROXY, Remote_User="bob")
    assert (await stranger.get("/")).status_code == 200
    assert [each.role for each in await people.everybody(db)] == [Role.ADMIN, Role.VIEWER]


@pytest.mark.parametrize("settings", [replace(SETTINGS, role=None)])
async def test_who_is_in_no_group_any_more_is_refused_and_written_down_once(behind: From, db: AsyncEngine) -> None:
    inside, outside = (behind(PROXY, Remote_User="alice", Remote_Groups=groups) for groups in ("oncall", "sales"))
    assert (await inside.get("/")).status_code == 200
    for _ in range(2):
        assert (await outside.get("/")).status_code == 403
    assert (await people.everybody(db))[0].refused_at is not None
    assert (await inside.get("/")).status_code == 200
    assert (await people.everybody(db))[0].refused_at is None
    assert [row.action for row in await audit.newest(db)] == ["person.refuse", "person.add"]


async def test_a_name_from_anywhere_else_is_a_forgery(
    behind: From, db: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    liars = [
        behind("203.0.113.1", Remote_User="admin"),
        behind("203.0.113.1", Remote_User="admin", X_Forwarded_For=PROXY, X_Real_IP=PROXY, Forwarded=f"for={PROXY}"),
        behind(PROXY, port=0, Remote_User="admin"),
        behind("127.0.0.1", remote_user="admin", Remote_Groups="platform"),
        behind("", Remote_User=""),
    ]
    for liar in liars:
        for path in ("/", "/api/endpoints"):
            assert (await liar.get(path)).status_code == 403
    assert await people.everybody(db) == []
    assert [record.getMessage() for record in caplog.records] == [
        "refused: 203.0.113.1 came with the header Remote-User and is not among PROBER_DASHBOARD_PROXY_TRUSTED"
    ]


async def test_without_the_header_somebody_is_nobody(behind: From) -> None:
    for peer in (PROXY, "203.0.113.1"):
        assert (
            await behind(peer, X_Forwarded_User="admin", Remote_Groups="platform").get("/api/endpoints")
        ).status_code == 401


async def test_a_proxy_that_names_nobody_or_several_is_not_believed(behind: From, db: AsyncEngine) -> None:
    for said in ([""], [" "], ["alice", "admin"], ["a" * 256], ["a\x1bb"]):
        async with behind(PROXY) as client:
            headers = [("Remote-User", name) for name in said]
            assert (await client.get("/api/endpoints", headers=headers)).status_code == 400
    assert await people.everybody(db) == []


async def test_who_is_disabled_here_is_not_let_in_by_the_proxy(behind: From, db: AsyncEngine) -> None:
    alice = behind(PROXY, Remote_User="alice")
    assert (await alice.get("/")).status_code == 200
    async with db.begin() as connection:
        await people.disable(connection, "alice")
    refused = await alice.get("/")
    assert refused.status_code == 403
    assert "is disabled" in refused.text


async def test_what_may_be_changed_follows_the_role_and_needs_a_form_of_ours(behind: From) -> None:
    """The proxy vouches for whatever the browser sends, also for what a page of somebody else made it send."""
    viewer, operator = (behind(PROXY, Remote_User="alice", Remote_Groups=groups) for groups in ("", "oncall"))
    secret = logins.new_secret()
    operator.cookies.set(cookies.VISIT, secret)
    for field, status in (("", 403), (csrf.token(logins.new_secret()), 403), (csrf.token(secret), 404)):
        answer = await operator.post("/api/channels/nobody/test", headers={csrf.HEADER: field})
        assert answer.status_code == status
    refused = await viewer.post("/api/channels/nobody/test", headers={csrf.HEADER: csrf.token(secret)})
    assert (refused.status_code, "permission" in refused.text) == (403, True)


async def test_the_served_dashboard_judges_by_the_socket_and_not_by_a_header(database_url: str) -> None:
    """Servers put what X-Forwarded-For says in place of the socket's address where they trust this machine."""
    settings = {"TRUSTED": PROXY, "USER_HEADER": "Remote-User", "ROLE": "admin"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "prober.cli", "serve", "--port", "0"),
        env={
            **os.environ,
            "DATABASE_URL": database_url,
            **{f"PROBER_DASHBOARD_PROXY_{name}": value for name, value in settings.items()},
        },
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().partition("dashboard: ")[2].strip()
        async with httpx.AsyncClient(base_url=address, timeout=45) as client:
            for forwarded in (PROXY, f"{PROXY}:5000", f"203.0.113.1, {PROXY}"):
                headers = {"Remote-User": "admin", "X-Forwarded-For": forwarded}
                assert (await client.get("/api/endpoints", headers=headers)).status_code == 403
    finally:
        process.terminate()
        await process.communicate()
