"""What is sent for an endpoint's credentials, what may be shown of it, and when others are tried."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.credentials import Credentials as AwsCredentials

from checks.model import ClientAuth, Endpoint, Exchange, Failure, OAuth, Opening, SigV4, TransportError
from prober.net.client import FormOutcome
from prober.probing.credentials import FUTILE_S, Access, Credentials, Unavailable
from prober.secrets.allowance import Allowed, AllowList
from prober.secrets.references import SecretError
from prober.secrets.vault import Vault
from prober.wire.auth.sigv4 import CredentialChain, SigV4Signer

ENDPOINT = Endpoint(name="orders", url="https://orders.example/mcp")
OAUTH = OAuth(token_url="https://login.example/token", client_id="prober", client_secret="env:CLIENT_SECRET")
SIGNED = replace(ENDPOINT, url="https://abc.lambda-url.eu-central-1.on.aws/mcp", sigv4=SigV4())
ENV = {"TOKEN": "s3cret-value", "KEY": "k3y-value", "CLIENT_SECRET": "client-s3cret"}
PARAMETER = "aws-ssm:/mcp/token"


class World:
    """All that credentials come from: variables, AWS, a token endpoint and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.parameter: str | SecretError = "p-one"
        self.asked_aws = 0
        self.asked_tokens: list[dict[str, str]] = []
        self.refused_secrets: set[str] = set()
        self.aws: Any = AwsCredentials("AKID", "aws-s3cret", "session")
        self.answers: Callable[[], Any] | None = None

    def fetch(self, source: str) -> str:
        del source
        self.asked_aws += 1
        if isinstance(self.parameter, SecretError):
            raise self.parameter
        return self.parameter

    async def post_form(
        self, url: str, form: Sequence[tuple[str, str]], *, timeout_s: float, headers: Sequence[tuple[str, str]]
    ) -> FormOutcome:
        del url, timeout_s
        self.asked_tokens.append({**dict(form), **dict(headers)})
        if self.answers is not None:
            return await self.answers()
        if dict(form).get("client_secret") in self.refused_secrets:
            return FormOutcome(status=401, body=b'{"error": "invalid_client"}')
        token = {"access_token": f"token-{len(self.asked_tokens)}", "token_type": "bearer", "expires_in": 3600}
        return FormOutcome(status=200, body=json.dumps(token).encode())

    def monotonic(self) -> float:
        return self.now

    def credentials(self, allow: AllowList | None = None) -> Credentials:
        vault = Vault(env=ENV, fetch=self.fetch, allow=allow, monotonic=self.monotonic)
        chain = CredentialChain(lambda: self.aws, self.monotonic)
        return Credentials(vault, net=self, clock=self, chain=chain)


@pytest.fixture
def world() -> World:
    return World()


async def access(credentials: Credentials, endpoint: Endpoint, within_s: float = 60.0) -> Access:
    return await credentials.access(endpoint, deadline=asyncio.get_running_loop().time() + within_s)


async def renewed(credentials: Credentials, endpoint: Endpoint, refused: Access) -> Access | None:
    return await credentials.renewed(endpoint, refused, deadline=asyncio.get_running_loop().time() + 60.0)


def refusal(status: int = 401) -> Opening:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    return Opening(exchanges=(Exchange(id="x1", method="POST", url=ENDPOINT.url, started_at=at, status=status),))


async def test_references_are_resolved_and_shown_as_references(world: World) -> None:
    endpoint = replace(ENDPOINT, headers={"X-Api-Key": "env:KEY", "X-Tenant": "blue"}, bearer="env:TOKEN")
    sent = (await access(world.credentials(), endpoint)).headers
    assert [(header.name, header.value, header.shown) for header in sent] == [
        ("X-Api-Key", "k3y-value", "${env:KEY}"),
        ("X-Tenant", "blue", "blue"),
        ("Authorization", "Bearer s3cret-value", "Bearer ${env:TOKEN}"),
    ]
    assert [header.is_secret for header in sent] == [True, False, True]


async def test_an_endpoint_without_credentials_sends_none(world: World) -> None:
    assert await access(world.credentials(), ENDPOINT) == Access()


async def test_a_token_is_obtained_for_the_endpoint_and_kept(world: World) -> None:
    credentials, endpoint = world.credentials(), replace(ENDPOINT, oauth=OAUTH)
    first = await access(credentials, endpoint)
    assert [(header.name, header.value, header.shown) for header in first.headers] == [
        ("Authorization", "Bearer token-1", "Bearer ${ACCESS_TOKEN}")
    ]
    assert world.asked_tokens[0]["resource"] == ENDPOINT.url
    assert not first.was_kept
    again = await access(credentials, endpoint)
    assert again == first
    assert again.was_kept
    assert len(world.asked_tokens) == 1


async def test_a_signature_and_a_token_beside_it(world: World) -> None:
    endpoint = replace(SIGNED, bearer="env:TOKEN", token_header="X-App-Token")
    found = await access(world.credentials(), endpoint)
    assert [(header.name, header.value) for header in found.headers] == [("X-App-Token", "Bearer s3cret-value")]
    assert isinstance(found.signer, SigV4Signer)
    signed = found.signer.sign("POST", endpoint.url, [("Host", "abc")], b"{}")
    assert "/eu-central-1/lambda/aws4_request" in signed[0].value
    assert "aws-s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("fields", "reason", "text"),
    [
        ({"bearer": "env:GONE"}, "secret", "env:GONE is not set"),
        ({"headers": {"X-Api-Key": "file:/nowhere"}}, "secret", "file:/nowhere cannot be read"),
        ({"oauth": replace(OAUTH, client_secret="env:GONE")}, "secret", "env:GONE is not set"),
        ({"sigv4": SigV4()}, "aws-credentials", "does not tell service and region"),
    ],
)
async def test_what_is_not_to_be_had_says_nothing_about_the_endpoint(
    world: World, fields: dict[str, Any], reason: str, text: str
) -> None:
    with pytest.raises(Unavailable) as unavailable:
        await access(world.credentials(), replace(ENDPOINT, **fields))
    assert unavailable.value.reason == reason
    assert text in str(unavailable.value)


async def test_a_process_without_aws_credentials_cannot_sign(world: World) -> None:
    world.aws = None
    with pytest.raises(Unavailable, match="no AWS credentials are to be had") as unavailable:
        await access(world.credentials(), SIGNED)
    assert unavailable.value.reason == "aws-credentials"


async def test_a_token_endpoint_that_is_down_is_not_the_endpoints_fault(world: World) -> None:
    async def down() -> FormOutcome:
        return FormOutcome(error=TransportError(failure=Failure.CONNECT, reason="refused", detail="nobody listens"))

    world.answers = down
    with pytest.raises(Unavailable, match="nobody listens") as unavailable:
        await access(world.credentials(), replace(ENDPOINT, oauth=OAUTH))
    assert unavailable.value.reason == "token-endpoint"


async def test_a_token_endpoint_that_hangs_uses_up_half_of_the_time_at_most(world: World) -> None:
    world.answers = asyncio.Event().wait
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable, match=r"the token endpoint login\.example had not answered") as unavailable:
        await access(world.credentials(), replace(ENDPOINT, oauth=OAUTH), within_s=0.02)
    assert unavailable.value.reason == "token-endpoint"
    assert asyncio.get_running_loop().time() - began < 5


async def test_a_secret_goes_where_the_deployment_lets_it_and_nowhere_else(world: World) -> None:
    bound = AllowList((Allowed("env:TOKEN", "https://orders.example"), Allowed("env:KEY")))
    credentials = world.credentials(bound)
    assert (await access(credentials, replace(ENDPOINT, bearer="env:TOKEN"))).headers
    thief = replace(ENDPOINT, url="https://evil.example/mcp", bearer="env:TOKEN", headers={"X-A": "env:KEY"})
    with pytest.raises(Unavailable, match="is bound to"):
        await access(credentials, thief)


async def test_a_kept_token_is_only_for_those_who_may_use_its_secret(world: World) -> None:
    where = ("https://orders.example", "https://login.example")
    credentials = world.credentials(AllowList(tuple(Allowed("env:CLIENT_SECRET", origin) for origin in where)))
    oauth = replace(OAUTH, resource="https://api.example/")
    assert (await access(credentials, replace(ENDPOINT, oauth=oauth))).headers
    for thief in (
        replace(ENDPOINT, url="https://evil.example/mcp", oauth=oauth),
        replace(ENDPOINT, oauth=replace(oauth, token_url="https://evil.example/token")),
    ):
        with pytest.raises(Unavailable, match="is bound to"):
            await access(credentials, thief)


async def test_local_secrets_that_are_refused_are_not_tried_again(world: World) -> None:
    credentials, endpoint = world.credentials(), replace(ENDPOINT, bearer="env:TOKEN")
    for _ in range(2):
        assert not credentials.may_be_outdated(endpoint, await access(credentials, endpoint), refusal())


async def test_a_secret_of_aws_that_was_replaced_is_asked_for_again(world: World) -> None:
    credentials, endpoint = world.credentials(), replace(ENDPOINT, bearer=PARAMETER)
    assert not credentials.may_be_outdated(endpoint, await access(credentials, endpoint), refusal())
    kept = await access(credentials, endpoint)
    assert credentials.may_be_outdated(endpoint, kept, refusal())
    assert not credentials.may_be_outdated(endpoint, kept, refusal(503))
    assert await renewed(credentials, endpoint, kept) is None, "it is the same as before"
    world.parameter = "p-two"
    found = await renewed(credentials, endpoint, kept)
    assert found is not None
    assert found.headers[0].value == "Bearer p-two"


async def test_when_aws_is_away_nobody_knows_whether_a_refused_secret_is_the_right_one(world: World) -> None:
    credentials, endpoint = world.credentials(), replace(ENDPOINT, bearer=PARAMETER)
    kept = await access(credentials, endpoint)
    world.parameter = SecretError("AWS is not to be reached", passing=True)
    assert (await access(credentials, endpoint)).headers == kept.headers
    with pytest.raises(Unavailable, match="AWS is not to be reached"):
        await renewed(credentials, endpoint, kept)


async def test_a_refused_token_is_replaced_and_another_refusal_gives_peace_for_a_while(world: World) -> None:
    credentials, endpoint = world.credentials(), replace(ENDPOINT, oauth=OAUTH)
    await access(credentials, endpoint)
    kept = await access(credentials, endpoint)
    found = await renewed(credentials, endpoint, kept)
    assert found is not None
    assert found.headers[0].value == "Bearer token-2"
    credentials.note_futility(endpoint)
    kept = await access(credentials, endpoint)
    assert not credentials.may_be_outdated(endpoint, kept, refusal())
    world.now = FUTILE_S
    assert credentials.may_be_outdated(endpoint, kept, refusal())


async def test_a_client_secret_that_was_replaced_is_asked_for_again(world: World) -> None:
    credentials = world.credentials()
    endpoint = replace(ENDPOINT, oauth=replace(OAUTH, client_secret=PARAMETER, client_auth=ClientAuth.POST))
    await access(credentials, endpoint)
    world.parameter, world.refused_secrets, world.now = "p-two", {"p-one"}, 200.0
    other = replace(endpoint, url="https://billing.example/mcp")
    found = await access(credentials, other)
    assert [asked["client_secret"] for asked in world.asked_tokens] == ["p-one", "p-one", "p-two"]
    assert found.headers


async def test_a_signature_that_is_refused_has_the_aws_credentials_searched_for_again(world: World) -> None:
    credentials = world.credentials()
    await access(credentials, SIGNED)
    kept = await access(credentials, SIGNED)
    assert credentials.may_be_outdated(SIGNED, kept, refusal(403))
    assert not credentials.may_be_outdated(ENDPOINT, kept, refusal(403))
    assert await renewed(credentials, SIGNED, kept) is None
    world.aws = AwsCredentials("OTHER", "aws-s3cret", "session")
    found = await renewed(credentials, SIGNED, kept)
    assert found is not None
    assert found.keys is not None
    assert found.keys.access_key == "OTHER"
