"""Logging in by OpenID Connect, against a provider that answers over real HTTP, and every known way to cheat at it."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from dashboard.access.environment import Groups
from dashboard.access.mode import AccessConfig
from dashboard.access.oidc import CALLBACK, Attempt, OidcSettings
from dashboard.access.provider import ANEW_S, FAILED_S, KEPT_S
from dashboard.app import build
from dashboard.config import Config
from prober.clock import SystemClock
from prober.storage import audit, people, tables, tokens
from prober.storage.audit import Author, Via
from prober.storage.people import Role, Source
from tests.integration.dashboard.conftest import SetClock
from tests.integration.dashboard.provider import (
    CLIENT,
    KEY,
    SECRET,
    FakeProvider,
    providing,
    signed,
    signed_with_the_public_key,
    unsigned,
)

HERE = "http://localhost"
ROLES = Groups({"oncall": Role.OPERATOR, "platform": Role.ADMIN})


class MovedClock(SetClock):
    """A clock whose seconds a test lets pass."""

    passed = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.passed


class Browser:
    """A browser at the dashboard, with the cookies of its own."""

    def __init__(self, client: httpx.AsyncClient, provider: FakeProvider) -> None:
        self.client = client
        self.provider = provider

    async def begin(self, next_path: str = "/") -> httpx.Response:
        return await self.client.get("/login/oidc", params={"next": next_path})

    async def log_in(self, next_path: str = "/") -> httpx.Response:
        """To the provider and back."""
        sent = await self.begin(next_path)
        assert sent.status_code == 303, sent.text
        return await self.client.get(self.provider.log_in(sent.headers["location"]))

    async def is_in(self) -> bool:
        return (await self.client.get("/api/endpoints")).status_code == 200


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def provider(clock: MovedClock) -> AsyncIterator[FakeProvider]:
    async with providing(clock) as each:
        yield each


@pytest.fixture
def settings(provider: FakeProvider, tmp_path: Path) -> OidcSettings:
    (tmp_path / "secret").write_text(SECRET)
    return OidcSettings(
        issuer=provider.issuer,
        client_id=CLIENT,
        client_secret=f"file:{tmp_path}/secret",
        groups=ROLES,
        redirect_uri=HERE + CALLBACK,
    )


@asynccontextmanager
async def dashboard(
    url: str, clock: SetClock, settings: OidcSettings, provider: FakeProvider
) -> AsyncIterator[Callable[[], Browser]]:
    """Makes browsers at one dashboard."""
    app = build(Config(database_url=url, access=AccessConfig(public_url=HERE), oidc=settings), clock)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    yield lambda: Browser(httpx.AsyncClient(transport=transport, base_url=HERE), provider)
    await app.state.services.db.dispose()


@pytest.fixture
async def browser(
    database_url: str, clock: MovedClock, settings: OidcSettings, provider: FakeProvider
) -> AsyncIterator[Callable[[], Browser]]:
    async with dashboard(database_url, clock, settings, provider) as make:
        yield make


async def everybody(db: AsyncEngine) -> list[tuple[str, Role, Source]]:
    return [(person.name, person.role, person.source) for person in await people.everybody(db)]


async def count_logins(db: AsyncEngine) -> int:
    async with db.connect() as connection:
        return len((await connection.execute(select(tables.login))).all())


async def test_who_is_in_a_group_logs_in_and_lands_where_he_wanted_to_go(
    browser: Callable[[], Browser], db: AsyncEngine, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    one = browser()
    assert not await one.is_in()
    back = await one.log_in("/?group=team")
    assert (back.status_code, back.headers["location"]) == (303, "/?group=team")
    assert await one.is_in()
    assert await everybody(db) == [("alice", Role.OPERATOR, Source.OIDC)]
    begun, row = await audit.newest(db)
    assert begun.action == "login.begin"
    assert (row.action, row.author, row.subject) == ("person.add", "alice", "alice")
    assert row.detail == {"role": "operator", "source": "oidc"}
    cookie = back.headers.get_list("set-cookie")[0].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    async with db.connect() as connection:
        tables_here = [table for table in tables.METADATA.sorted_tables if table.name in ("person", "login", "audit")]
        kept = str([(await connection.execute(select(table))).all() for table in tables_here])
    told = [record.getMessage() for record in caplog.records if record.name != "httpx"]  # that is this test itself
    for secret in (*provider.tokens, SECRET):
        assert secret not in kept
        assert secret not in str(told)


async def test_the_provider_is_asked_for_no_more_than_once_what_it_keeps(
    browser: Callable[[], Browser], provider: FakeProvider
) -> None:
    for _ in range(2):
        assert (await browser().log_in()).status_code == 303
    asked = [request.target for request in provider.server.requests]
    assert sorted(asked) == ["/.well-known/openid-configuration", "/keys", "/token", "/token"]


def foreign(claims: dict[str, Any]) -> str:
    return signed(claims, RSAKey.generate_key(2048, {"kid": "first"}))


CHEATS: dict[str, dict[str, Any]] = {
    "another nonce": {"changes": {"nonce": "that of somebody else"}},
    "no nonce": {"changes": {"nonce": ...}},
    "another issuer": {"changes": {"iss": "https://login.example.com"}},
    "another client": {"changes": {"aud": "other"}},
    "issued to another": {"changes": {"aud": [CLIENT, "other"], "azp": "other"}},
    "expired": {"changes": {"exp": 1}},
    "from the future": {"changes": {"iat": 9_999_999_999}},
    "no subject": {"changes": {"sub": ...}},
    "alg none": {"sign": unsigned},
    "HS256 with the public key": {"sign": signed_with_the_public_key},
    "another key under the same name": {"sign": foreign},
    "a key that is not published": {"sign": lambda claims: signed(claims, KEY, kid="unheard of")},
    "no token": {"sign": lambda _: 7},
    "no group": {"person": {"sub": "u-1", "preferred_username": "alice"}},
    "other groups": {"person": {"sub": "u-1", "groups": ["sales", "oncall "]}},
    "groups that are none": {"person": {"sub": "u-1", "groups": {"oncall": True}}},
}


async def test_no_cheating_provider_or_token_logs_anybody_in(
    browser: Callable[[], Browser], db: AsyncEngine, provider: FakeProvider
) -> None:
    right = {name: getattr(provider, name) for name in ("changes", "sign", "person")}
    for cheat, wrong in CHEATS.items():
        for name, value in {**right, **wrong}.items():
            setattr(provider, name, value)
        one = browser()
        answer = await one.log_in()
        assert answer.status_code == 403, cheat
        assert not await one.is_in(), cheat
    assert await everybody(db) == []


async def test_an_answer_counts_once_and_in_the_browser_that_asked(
    browser: Callable[[], Browser], provider: FakeProvider
) -> None:
    one, other = browser(), browser()
    back = provider.log_in((await one.begin()).headers["location"])
    await other.begin()
    assert (await other.client.get(back)).status_code == 400
    assert (await browser().client.get(back)).status_code == 400
    held = dict(one.client.cookies)
    assert (await one.client.get(back)).status_code == 303
    assert (await one.client.get(back)).status_code == 400
    thief = browser()
    thief.client.cookies.update({name: value for name, value in held.items() if "oidc" in name})
    assert (await thief.client.get(back)).status_code == 400
    assert not await thief.is_in()


async def test_a_code_of_another_login_is_worth_nothing(
    browser: Callable[[], Browser], provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever foists his own code, or uses one that he saw, lacks the verifier; and a code counts once."""
    one, victim = browser(), browser()
    stolen = httpx.URL(provider.log_in((await one.begin()).headers["location"])).params["code"]
    own = httpx.URL(provider.log_in((await victim.begin()).headers["location"]))
    answer = await victim.client.get(own.copy_set_param("code", stolen))
    assert answer.status_code == 403
    assert "was not confirmed" in answer.text
    assert not await victim.is_in()
    assert "HTTP 400: invalid_grant" in caplog.text
    assert stolen not in caplog.text + answer.text
    again = httpx.URL(provider.log_in((await victim.begin()).headers["location"]))
    assert (await victim.client.get(again.copy_set_param("code", stolen))).status_code == 403


async def test_a_browser_that_another_provider_sent_is_not_let_in(
    browser: Callable[[], Browser], provider: FakeProvider
) -> None:
    one = browser()
    for sender in ("https://login.example.com", None):
        back = httpx.URL(provider.log_in((await one.begin()).headers["location"]))
        mixed = back.copy_set_param("iss", sender) if sender else back.copy_remove_param("iss")
        assert (await one.client.get(mixed)).status_code == 403
    assert not await one.is_in()
    assert "/token" not in [request.target for request in provider.server.requests]


async def test_a_login_leads_to_nowhere_but_here(browser: Callable[[], Browser]) -> None:
    one = browser()
    for away in ("//evil.example", "https://evil.example", "/\\evil.example", "evil", "/login", "javascript:alert(1)"):
        assert (await one.log_in(away)).headers["location"] == "/"


async def test_a_cookie_that_somebody_wrote_leads_to_nowhere_but_here(
    browser: Callable[[], Browser], provider: FakeProvider, clock: MovedClock
) -> None:
    one, attempt = browser(), Attempt.begin(clock.now(), "//evil.example")
    sent = httpx.URL((await one.begin()).headers["location"])
    told = {"state": attempt.state, "nonce": attempt.nonce, "code_challenge": attempt.challenge}
    one.client.cookies.clear()
    one.client.cookies.set("mcpp_oidc", attempt.cookie)
    back = await one.client.get(provider.log_in(str(sent.copy_merge_params(told))))
    assert (back.status_code, back.headers["location"]) == (303, "/")


async def test_an_attempt_waits_ten_minutes(
    browser: Callable[[], Browser], provider: FakeProvider, clock: MovedClock
) -> None:
    one = browser()
    back = provider.log_in((await one.begin()).headers["location"])
    clock.moment += timedelta(minutes=10, seconds=1)
    assert (await one.client.get(back)).status_code == 400


async def test_words_of_the_provider_are_no_part_of_a_page(
    browser: Callable[[], Browser], provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one = browser()
    back = httpx.URL(provider.log_in((await one.begin()).headers["location"])).copy_remove_param("code")
    answer = await one.client.get(back.copy_set_param("error", "<script>alert(1)</script>\x1b[31m"))
    assert answer.status_code == 403
    assert "alert(1)" not in answer.text
    assert "\x1b" not in caplog.text


async def test_the_role_follows_the_groups_at_every_login(
    browser: Callable[[], Browser], db: AsyncEngine, provider: FakeProvider
) -> None:
    one, other = browser(), browser()
    await one.log_in()
    provider.person = {**provider.person, "groups": ["oncall", "platform"]}
    await other.log_in()
    assert await everybody(db) == [("alice", Role.ADMIN, Source.OIDC)]
    newest = (await audit.newest(db))[1]
    assert (newest.action, newest.detail) == ("person.role", {"role": "admin", "was": "operator", "source": "oidc"})
    assert await one.is_in()
    provider.person = {**provider.person, "groups": ["sales"]}
    refused = await other.log_in()
    assert refused.status_code == 403
    assert "None of your groups" in refused.text
    assert (await one.is_in(), await other.is_in(), await count_logins(db)) == (False, False, 0)
    newest = (await audit.newest(db))[0]
    assert (newest.action, newest.detail["logins"]) == ("person.refuse", 2)


async def test_tokens_rest_while_their_maker_is_in_no_group_and_count_when_he_is_back(
    browser: Callable[[], Browser], db: AsyncEngine, provider: FakeProvider
) -> None:
    one, now = browser(), SystemClock().now()
    await one.log_in()
    async with db.begin() as connection:
        _, secret = await tokens.add(connection, "ci", ["read"], now=now, expires_at=None, by="alice")
    assert await tokens.known(db, secret, now=now) is not None
    groups, provider.person = provider.person["groups"], {**provider.person, "groups": ["sales"]}
    for _ in range(2):
        assert (await one.log_in()).status_code == 403
    assert await tokens.known(db, secret, now=now) is None
    (alice,) = await people.everybody(db)
    assert alice.refused_at is not None
    assert [each.action for each in await audit.newest(db)].count("person.refuse") == 1
    provider.person = {**provider.person, "groups": groups}
    await one.log_in()
    assert await tokens.known(db, secret, now=now) is not None


async def test_who_is_disabled_here_is_not_let_in_by_the_provider(
    browser: Callable[[], Browser], db: AsyncEngine
) -> None:
    one = browser()
    await one.log_in()
    async with db.begin() as connection:
        await people.disable(connection, "alice")
    refused = await one.log_in()
    assert (refused.status_code, await one.is_in()) == (403, False)
    assert "is disabled" in refused.text


async def test_a_login_takes_the_place_of_the_one_before(browser: Callable[[], Browser], db: AsyncEngine) -> None:
    one = browser()
    await one.log_in()
    await one.log_in()
    assert await count_logins(db) == 1


async def test_nobody_becomes_somebody_else_by_having_his_name(
    browser: Callable[[], Browser], db: AsyncEngine, provider: FakeProvider
) -> None:
    async with audit.change(db, Author(name="x", via=Via.COMMAND), "person.add", "alice") as connection:
        await people.add(connection, "alice", Role.ADMIN, password="$argon2id$", by="x")
    await browser().log_in()
    await browser().log_in()
    provider.person = {**provider.person, "sub": "u-2"}
    await browser().log_in()
    found = await everybody(db)
    assert ("alice", Role.ADMIN, Source.PASSWORD) in found
    assert [(name.partition("+")[0], role) for name, role, source in found if source is Source.OIDC] == [
        ("alice", Role.OPERATOR),
        ("alice", Role.OPERATOR),
    ]


async def test_new_keys_of_the_provider_are_found_without_letting_strangers_make_us_ask(
    browser: Callable[[], Browser], provider: FakeProvider, clock: MovedClock
) -> None:
    await browser().log_in()
    second = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})
    provider.key, provider.published = second, [KEY, second]
    clock.passed = ANEW_S
    assert (await browser().log_in()).status_code == 303
    provider.sign = lambda claims: signed(claims, KEY, kid="unheard of")
    for _ in range(3):
        assert (await browser().log_in()).status_code == 403
    assert [request.target for request in provider.server.requests].count("/keys") == 2


async def test_groups_may_stand_in_what_the_provider_says_beside_the_token(
    browser: Callable[[], Browser], db: AsyncEngine, provider: FakeProvider
) -> None:
    provider.person, provider.beside = {"sub": "u-1"}, {"sub": "u-1", "groups": ["platform"], "email": "al@example.com"}
    assert (await browser().log_in()).status_code == 303
    assert await everybody(db) == [("al@example.com", Role.ADMIN, Source.OIDC)]
    provider.person = {"sub": "u-2"}
    assert (await browser().log_in()).status_code == 403


async def test_a_provider_that_is_away_is_said_to_be_and_is_found_when_it_is_back(
    browser: Callable[[], Browser], provider: FakeProvider, clock: MovedClock, caplog: pytest.LogCaptureFixture
) -> None:
    provider.is_away = True
    one = browser()
    refused = await one.begin()
    assert refused.status_code == 502
    assert "cannot be asked" in refused.text
    assert "is refused with HTTP 503" in caplog.text
    assert (await one.begin()).status_code == 502
    assert len(provider.server.requests) == 1
    provider.is_away, clock.passed = False, FAILED_S
    assert (await one.log_in()).status_code == 303
    provider.is_away, clock.passed = True, FAILED_S + KEPT_S
    assert (await one.begin()).status_code == 303


async def test_a_provider_that_speaks_for_another_is_not_asked(
    browser: Callable[[], Browser], provider: FakeProvider, clock: MovedClock, caplog: pytest.LogCaptureFixture
) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "calls itself": {"issuer": "https://login.example.com"},
        "does not begin with https://": {"token_endpoint": "http://login.example.com/token"},
        "no usable jwks_uri": {"jwks_uri": "file:///etc/passwd"},
        "no usable authorization_endpoint": {"authorization_endpoint": None},
    }
    for word, document in wrong.items():
        provider.document = document
        clock.passed += FAILED_S
        assert (await browser().begin()).status_code == 502, word
        assert word in caplog.text


async def test_addresses_inside_are_not_asked_because_a_provider_names_them(
    database_url: str,
    clock: MovedClock,
    settings: OidcSettings,
    provider: FakeProvider,
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider.document = {"token_endpoint": "https://169.254.169.254/token"}
    async with dashboard(database_url, clock, settings, provider) as make:
        assert (await make().log_in()).status_code == 502
        assert "metadata service" in caplog.text
    outside = replace(settings, issuer="https://localhost.example:1/")
    assert outside.reachable == ()


async def test_a_secret_goes_into_the_form_where_the_provider_wants_it_there(
    browser: Callable[[], Browser], provider: FakeProvider
) -> None:
    provider.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert (await browser().log_in()).status_code == 303


async def test_who_wants_to_leaves_the_provider_too(browser: Callable[[], Browser], provider: FakeProvider) -> None:
    provider.document = {"end_session_endpoint": f"{provider.issuer}/end"}
    left = await browser().client.get("/login/oidc/end")
    assert left.status_code == 303
    assert left.headers["location"].startswith(f"{provider.issuer}/end?client_id={CLIENT}&post_logout_redirect_uri=")


async def test_a_provider_without_a_page_to_leave_is_said_to_have_none(browser: Callable[[], Browser]) -> None:
    assert (await browser().client.get("/login/oidc/end")).status_code == 404


async def test_without_a_provider_there_is_no_such_page(database_url: str, clock: MovedClock) -> None:
    app = build(Config(database_url=database_url), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as client:
        for path in ("/login/oidc", "/login/oidc/end", CALLBACK):
            assert (await client.get(path)).status_code == 404
    await app.state.services.db.dispose()
