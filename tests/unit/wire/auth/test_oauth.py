"""Access tokens: what is asked for, how long they are used, and what is said when none is to be had."""

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from checks.model import ClientAuth, Failure, OAuth, TransportError
from prober.net.client import FormOutcome
from prober.wire.auth.oauth import DEFAULT_LIFE_S, Grant, TokenError, Tokens, request_of, token_of

OAUTH = OAuth(token_url="https://login.example.com/token", client_id="prober", client_secret="env:SECRET")
URL = "https://orders.example.com/mcp"
GRANT = Grant.of(OAUTH, URL)
SECRET = "hunter2 & co/+"


async def secret() -> str:
    return SECRET


def answer(status: int = 200, **members: Any) -> FormOutcome:
    return FormOutcome(status=status, body=json.dumps(members).encode())


class Server:
    """A token endpoint that a test scripts, and the clock of those who ask it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.answers: list[FormOutcome] = []
        self.open = asyncio.Event()
        self.open.set()

    async def post_form(
        self, url: str, form: Sequence[tuple[str, str]], *, timeout_s: float, headers: Sequence[tuple[str, str]]
    ) -> FormOutcome:
        del timeout_s, headers
        self.asked.append((url, list(form)))
        await self.open.wait()
        if self.answers:
            return self.answers.pop(0)
        return answer(access_token=f"t{len(self.asked)}", token_type="Bearer", expires_in=600)

    def tokens(self) -> Tokens:
        return Tokens(self, lambda: self.now)


@pytest.fixture
def server() -> Server:
    return Server()


def test_the_secret_is_encoded_before_it_is_sent_by_basic() -> None:
    form, headers = request_of(Grant.of(replace(OAUTH, client_id="a b:c", scope="read list"), f"{URL}?key=1"), SECRET)
    assert form == [("grant_type", "client_credentials"), ("resource", URL), ("scope", "read list")]
    sent = dict(headers)["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "a+b%3Ac:hunter2+%26+co%2F%2B"


def test_the_secret_may_stand_in_the_form() -> None:
    form, headers = request_of(
        Grant.of(replace(OAUTH, client_auth=ClientAuth.POST, resource="https://api.example.com/"), URL), SECRET
    )
    assert form == [
        ("grant_type", "client_credentials"),
        ("resource", "https://api.example.com/"),
        ("client_id", "prober"),
        ("client_secret", SECRET),
    ]
    assert "Authorization" not in dict(headers)


async def test_a_token_is_used_until_a_minute_before_it_expires(server: Server) -> None:
    tokens = server.tokens()
    assert [await tokens.token(GRANT, secret) for _ in range(3)] == ["t1"] * 3
    server.now = 539.0
    assert await tokens.token(GRANT, secret) == "t1"
    server.now = 540.0
    assert await tokens.token(GRANT, secret) == "t2"


@pytest.mark.parametrize(
    ("expires_in", "used_s"),
    [(600, 540), ("600", 540), (60, 30), (0, 0.5), (-5, 0.5), (1e99, 86_340), (float("inf"), 86_340)],
)
def test_the_life_of_a_token_is_bounded_both_ways(expires_in: Any, used_s: float) -> None:
    assert token_of(answer(access_token="t", expires_in=expires_in), GRANT, SECRET, 0.0).renew_at == used_s


@pytest.mark.parametrize("expires_in", [None, "soon", [], {}, float("nan")])
def test_a_token_without_a_readable_life_is_used_for_a_short_one(expires_in: Any) -> None:
    token = token_of(answer(access_token="t", expires_in=expires_in), GRANT, SECRET, 0.0)
    assert token.expires_at == DEFAULT_LIFE_S


async def test_many_probes_at_once_ask_for_one_token(server: Server) -> None:
    tokens = server.tokens()
    server.open.clear()
    waiting = [asyncio.create_task(tokens.token(GRANT, secret)) for _ in range(20)]
    await asyncio.sleep(0)
    server.open.set()
    assert set(await asyncio.gather(*waiting)) == {"t1"}


async def test_another_client_scope_resource_or_secret_is_another_token(server: Server) -> None:
    tokens = server.tokens()
    grants = [
        GRANT,
        Grant.of(OAUTH, "https://billing.example.com/mcp"),
        Grant.of(replace(OAUTH, scope="read"), URL),
        Grant.of(replace(OAUTH, client_id="other"), URL),
        Grant.of(replace(OAUTH, client_secret="env:STOLEN"), URL),
        Grant.of(replace(OAUTH, token_url="https://other.example.com/token"), URL),
    ]
    assert len({await tokens.token(grant, secret) for grant in grants}) == len(grants)


async def test_a_refused_token_is_replaced_once_by_whoever_is_first(server: Server) -> None:
    tokens = server.tokens()
    await tokens.token(GRANT, secret)
    tokens.forget(GRANT, "t1")
    assert await tokens.token(GRANT, secret) == "t2"
    tokens.forget(GRANT, "t1")
    assert await tokens.token(GRANT, secret) == "t2"


async def test_what_was_granted_to_an_endpoint_that_is_gone_is_dropped_once_it_has_expired(server: Server) -> None:
    tokens, other = server.tokens(), Grant.of(OAUTH, "https://stock.example.com/mcp")
    await tokens.token(GRANT, secret)
    server.now = 599
    await tokens.token(other, secret)
    assert tokens.holds(GRANT)
    server.now = 1198
    await tokens.token(other, secret)
    assert not tokens.holds(GRANT)
    assert tokens.holds(other)


async def test_a_token_that_is_still_valid_outlives_a_token_endpoint_that_is_away(server: Server) -> None:
    tokens = server.tokens()
    await tokens.token(GRANT, secret)
    away = FormOutcome(error=TransportError(failure=Failure.CONNECT, reason="refused", detail="nobody listens"))
    server.answers = [away, away]
    server.now = 599.0
    assert await tokens.token(GRANT, secret) == "t1"
    server.now = 600.0
    with pytest.raises(TokenError, match=r"the token endpoint login\.example\.com gave no answer: nobody listens"):
        await tokens.token(GRANT, secret)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (answer(401, error="invalid_client"), "refuses with HTTP 401: invalid_client"),
        (answer(400, error="invalid_scope", error_description="No\x1b[31m such"), "HTTP 400: invalid_scope, No"),
        (answer(302, access_token="t"), "refuses with HTTP 302 (redirects are not followed)"),
        (FormOutcome(status=500, body=b"<html>"), "refuses with HTTP 500"),
        (FormOutcome(status=200, body=b"<html>"), "answers with no usable access_token"),
        (FormOutcome(status=200, body=b"[" * 60_000), "answers with no usable access_token"),
        (answer(access_token="a\r\nX: b"), "answers with no usable access_token"),
        (answer(access_token=""), "answers with no usable access_token"),
        (answer(access_token="t" * 20_000), "answers with no usable access_token"),
        (answer(access_token="t", token_type="mac"), "a token of another type than Bearer"),
        (answer(access_token="t", token_type=5), "a token of another type than Bearer"),
    ],
)
def test_a_token_endpoint_that_gives_none_is_told_in_words(outcome: FormOutcome, message: str) -> None:
    with pytest.raises(TokenError) as refusal:
        token_of(outcome, GRANT, SECRET, 0.0)
    assert message in str(refusal.value)
    assert "login.example.com" in str(refusal.value)
    assert "\x1b" not in str(refusal.value)


@pytest.mark.parametrize("client_auth", list(ClientAuth))
def test_a_token_endpoint_that_repeats_the_secret_is_not_repeated(client_auth: ClientAuth) -> None:
    grant = Grant.of(replace(OAUTH, client_auth=client_auth), URL)
    form, headers = request_of(grant, SECRET)
    echo = f"{'x' * 150} {form} {headers} {SECRET} hunter2+%26+co%2F%2B"
    for members in (
        {"error_description": echo},
        {"error": SECRET},
        {"error": "e", "error_description": "y" * 195 + SECRET},
    ):
        with pytest.raises(TokenError) as refusal:
            token_of(answer(400, **members), grant, SECRET, 0.0)
        assert "hunter2" not in str(refusal.value)
        assert "aHVudGVyMi" not in str(refusal.value)


def test_a_token_is_in_no_representation() -> None:
    outcome = answer(access_token="hunter2")
    assert "hunter2" not in repr(outcome) + repr(token_of(outcome, GRANT, SECRET, 0.0))
