"""Tokens and signatures against servers that judge them, and what a probe says when there are none to be had."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.credentials import Credentials as AwsCredentials

from checks.encode import as_json
from checks.model import ClientAuth, Endpoint, OAuth, ProbeReport, Profile, Sentinel, SigV4, Verdict
from prober.clock import SystemClock
from prober.lab import credentials as lab_credentials
from prober.lab.faults.parts import signed
from prober.lab.front_doors.oauth import Protected
from prober.lab.http import Handler, Request, Response, text
from prober.lab.lab import Lab
from prober.lab.servers.legacy_sse import LegacySseServer
from prober.lab.servers.stateless import StatelessServer
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing.credentials import Credentials
from prober.probing.runner import Assignment, probe
from prober.secrets.vault import Vault
from prober.wire.auth.sigv4 import CredentialChain
from tests.integration.probing.servers import serving

ENV = {"TOKEN": lab_credentials.TOKEN, "CLIENT_SECRET": lab_credentials.CLIENT_SECRET, "WRONG": "wrong-s3cret"}
SCOPE = SigV4(service="lambda", region=lab_credentials.REGION)
ADD = Sentinel(tool="add", arguments={"a": 2, "b": 3})


@dataclass
class Prober:
    """One process that probes, with AWS credentials of its own."""

    policy: GuardPolicy = field(default_factory=lambda: GuardPolicy(allow_private=True))
    aws: Any = field(
        default_factory=lambda: AwsCredentials(
            lab_credentials.ACCESS_KEY_ID, lab_credentials.SECRET_ACCESS_KEY, "session-t0ken"
        )
    )
    fetch: Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        self.net = Net(self.policy, clock=SystemClock())
        self.credentials = Credentials(
            Vault(env=ENV, fetch=self.fetch),
            net=self.net,
            clock=SystemClock(),
            chain=CredentialChain(lambda: self.aws),
        )

    async def probed(self, url: str, *, profile: Profile = Profile.STANDARD, **fields: Any) -> ProbeReport:
        endpoint = Endpoint(**{"name": "orders", "url": url, "timeout_s": 5.0, **fields})
        assignment = Assignment(endpoint=endpoint, slot=datetime.now(UTC), profile=profile)
        return await probe(assignment, net=self.net, clock=SystemClock(), credentials=self.credentials)


def oauth_at(url: str, **changes: Any) -> OAuth:
    given = {"client_id": lab_credentials.CLIENT_ID, "client_secret": "env:CLIENT_SECRET", **changes}
    return OAuth(token_url=url.removesuffix("/mcp") + "/token", **given)


def asked(lab: Lab, path: str) -> int:
    return sum(request.path == path for request in lab.served("served"))


def failure(report: ProbeReport) -> str:
    """Why the prober could not ask."""
    (exchange,) = report.opening.exchanges
    assert exchange.transport_error is not None
    assert report.verdict is Verdict.UNKNOWN
    assert [each.id for each in report.diagnoses] == ["observer-impaired"]
    return exchange.transport_error.reason


@pytest.mark.parametrize("query", ["", "?tenant=a%20b&flag&redirect=https://x.example/y"])
async def test_a_signed_probe_gets_into_a_function_url_with_iam(query: str) -> None:
    async with serving(signed(lambda: StatelessServer(streams=False))()) as (_, url):
        report = await Prober().probed(url + query, sigv4=SCOPE, sentinels=(ADD,))
    assert report.verdict is Verdict.UP
    written = json.dumps(as_json(report))
    assert "${sigv4:lambda/eu-west-1}" in written
    for secret in ("session-t0ken", lab_credentials.ACCESS_KEY_ID, lab_credentials.SECRET_ACCESS_KEY, "Signature="):
        assert secret not in written


async def test_an_application_token_travels_beside_the_signature() -> None:
    guarded = signed(lambda: Protected(app=StatelessServer(streams=False)), authorization_source="X-App-Token")
    async with serving(guarded()) as (_, url):
        prober = Prober()
        without = await prober.probed(url, sigv4=SCOPE)
        beside = await prober.probed(url, sigv4=SCOPE, bearer="env:TOKEN", token_header="X-App-Token")
    assert (without.verdict, beside.verdict) == (Verdict.DOWN, Verdict.UP)


async def test_new_aws_credentials_are_found_when_the_old_ones_are_refused() -> None:
    prober = Prober(aws=AwsCredentials("AKIDOUTDATED", "old", None))
    async with serving(signed(lambda: StatelessServer(streams=False))()) as (_, url):
        assert (await prober.probed(url, sigv4=SCOPE)).verdict is Verdict.DOWN
        prober.aws = Prober().aws
        assert (await prober.probed(url, sigv4=SCOPE)).verdict is Verdict.UP


@pytest.mark.parametrize("client_auth", list(ClientAuth))
async def test_one_token_serves_many_probes(client_auth: ClientAuth) -> None:
    async with serving(Protected(app=StatelessServer())) as (lab, url):
        prober, oauth = Prober(), oauth_at(url, client_auth=client_auth)
        reports = await asyncio.gather(*(prober.probed(url, oauth=oauth, sentinels=(ADD,)) for _ in range(5)))
        reports.append(await prober.probed(url, oauth=oauth))
        assert asked(lab, "/token") == 1
    assert {report.verdict for report in reports} == {Verdict.UP}


async def test_a_token_that_was_revoked_is_replaced_within_the_same_probe() -> None:
    server = Protected(app=StatelessServer())
    async with serving(server) as (lab, url):
        prober, oauth = Prober(), oauth_at(url)
        await prober.probed(url, oauth=oauth)
        server._issued = {token: datetime(2020, 1, 1, tzinfo=UTC) for token in server._issued}
        report = await prober.probed(url, oauth=oauth)
        assert asked(lab, "/token") == 2
    assert report.verdict is Verdict.UP
    assert all(exchange.status == 200 for exchange in report.exchanges)


async def test_a_server_that_refuses_every_token_is_down_and_asked_twice_at_most_once_in_a_while() -> None:
    async with serving(Protected(app=StatelessServer(), lifetime_s=-100)) as (lab, url):
        prober, oauth = Prober(), oauth_at(url)
        reports = [await prober.probed(url, oauth=oauth, era=None) for _ in range(4)]
        tokens = asked(lab, "/token")
    assert {report.verdict for report in reports} == {Verdict.DOWN}
    assert {each.id for report in reports for each in report.diagnoses} == {"auth-rejected"}
    assert tokens == 2


async def test_aws_is_not_asked_by_every_probe_for_a_secret_that_is_refused_and_still_the_same() -> None:
    questions: list[str] = []

    def fetch(source: str) -> str:
        questions.append(source)
        return "refused-t0ken"

    prober = Prober(fetch=fetch)
    async with serving(Protected(app=StatelessServer())) as (_, url):
        reports = [await prober.probed(url, bearer="aws-ssm:/mcp/token") for _ in range(4)]
    assert {report.verdict for report in reports} == {Verdict.DOWN}
    assert len(questions) == 2


async def test_a_secret_that_aws_has_replaced_is_used_within_the_same_probe() -> None:
    kept = ["outdated-token"]
    prober = Prober(fetch=lambda _: kept[-1])
    async with serving(Protected(app=StatelessServer())) as (_, url):
        assert (await prober.probed(url, bearer="aws-ssm:/mcp/token")).verdict is Verdict.DOWN
        kept.append(lab_credentials.TOKEN)
        assert (await prober.probed(url, bearer="aws-ssm:/mcp/token")).verdict is Verdict.UP


async def test_a_token_endpoint_that_is_not_there_is_not_the_endpoints_fault() -> None:
    async with serving(Protected(app=StatelessServer())) as (lab, url):
        report = await Prober().probed(url, oauth=oauth_at("http://127.0.0.1:9/mcp"))
        assert asked(lab, "/mcp") == 0
    assert failure(report) == "token-endpoint"


async def test_a_token_endpoint_that_refuses_the_client_is_not_the_endpoints_fault() -> None:
    async with serving(Protected(app=StatelessServer())) as (_, url):
        report = await Prober().probed(url, oauth=oauth_at(url, client_secret="env:WRONG"))
    assert failure(report) == "token-endpoint"
    assert "invalid_client" in report.diagnoses[0].summary


async def test_a_token_endpoint_that_hangs_takes_half_of_the_probes_time() -> None:
    async def hang(_: Request) -> Response:
        return await asyncio.Event().wait() or text(500, "unreachable")

    async with serving(hang) as (_, token_url), serving(StatelessServer()) as (_, url):
        began = time.monotonic()
        report = await Prober().probed(url, oauth=oauth_at(token_url), timeout_s=0.6)
        took = time.monotonic() - began
    assert failure(report) == "token-endpoint"
    assert 0.3 <= took < 4


@pytest.mark.parametrize(
    ("policy", "where", "said"),
    [
        (GuardPolicy(allow_private=True), "http://[4000::1]", "a public address, where a secret would go in plain"),
        (GuardPolicy(), "https://127.0.0.1", "network.allow_cidrs"),
        (GuardPolicy(), "http://127.0.0.1", "network.allow_cidrs"),
    ],
)
async def test_the_guard_stands_before_token_endpoints_too(policy: GuardPolicy, where: str, said: str) -> None:
    report = await Prober(policy=policy).probed("https://orders.example/mcp", oauth=oauth_at(where))
    assert failure(report) == "token-endpoint-blocked"
    assert said in report.diagnoses[0].summary
    assert "allow_cidrs" in report.diagnoses[0].fix


async def test_credentials_for_a_public_address_without_tls_stay_here_and_nothing_is_known_of_it() -> None:
    report = await Prober(policy=GuardPolicy(allow_private=True)).probed(
        "http://[4000::1]/mcp", headers={"X-Code": "env:TOKEN"}
    )
    assert report.verdict is Verdict.UNKNOWN
    (diagnosis,) = report.diagnoses
    assert diagnosis.id == "target-blocked"
    assert "a public address, where a secret would go in plain text; use https" in diagnosis.summary


async def test_a_store_of_secrets_that_hangs_holds_up_nothing() -> None:
    released = threading.Event()

    def slow(_: str) -> str:
        released.wait()
        return "late"

    with ThreadPoolExecutor(1) as threads:
        net = Net(GuardPolicy(allow_private=True), clock=SystemClock())
        credentials = Credentials(Vault(threads, fetch=slow), net=net, clock=SystemClock(), executor=threads)
        endpoint = Endpoint(name="a", url="http://127.0.0.1:9/mcp", bearer="aws-ssm:/a", timeout_s=0.4)
        assignment = Assignment(endpoint=endpoint, slot=datetime.now(UTC))
        report = await probe(assignment, net=net, clock=SystemClock(), credentials=credentials)
        released.set()
    assert failure(report) == "secret"
    assert report.duration_ms < 900


async def lured(make: Callable[[str], Handler], **fields: Any) -> tuple[tuple[Any, ...], str]:
    """What a server of another origin was asked, by a full probe of one that names it in every way; and the report."""

    async def stranger(_: Request) -> Response:
        return text(200, "{}")

    everything = {
        "bearer": "env:TOKEN",
        "headers": {"X-Api-Key": "env:CLIENT_SECRET"},
        "browser_origins": ("https://app.example",),
        **fields,
    }
    async with serving(stranger) as (canary, elsewhere), serving(make(elsewhere)) as (_, url):
        report = await Prober().probed(url, profile=Profile.FULL, **everything)
        return canary.served("served"), json.dumps(as_json(report))


def redirecting(elsewhere: str) -> Handler:
    async def handler(_: Request) -> Response:
        return Response(status=307, headers=(("Location", elsewhere),), body=b"")

    return handler


def challenging(elsewhere: str) -> Handler:
    return Protected(app=StatelessServer(), metadata=elsewhere)


def refusing(elsewhere: str) -> Handler:
    async def handler(_: Request) -> Response:
        challenge = f'Bearer resource_metadata="{elsewhere}"'
        return Response(status=401, headers=(("WWW-Authenticate", challenge),), body=b"")

    return handler


def moved(elsewhere: str) -> Handler:
    server = LegacySseServer()

    async def handler(request: Request) -> Response:
        if request.method != "GET":
            return await server(request)
        event = f"event: endpoint\ndata: {elsewhere}\n\n".encode()
        return Response(status=200, headers=(("Content-Type", "text/event-stream"),), body=event)

    return handler


@pytest.mark.parametrize("make", [redirecting, challenging, refusing, moved])
@pytest.mark.parametrize("fields", [{}, {"sigv4": SCOPE, "token_header": "X-App-Token"}])
async def test_nothing_secret_leaves_the_endpoints_own_origin(
    make: Callable[[str], Handler], fields: dict[str, Any]
) -> None:
    requests, written = await lured(make, **fields)
    assert requests == ()
    for secret in (lab_credentials.TOKEN, lab_credentials.CLIENT_SECRET, "session-t0ken"):
        assert secret not in written


async def test_what_is_asked_without_credentials_carries_none() -> None:
    seen: list[dict[str, str]] = []
    server = Protected(app=StatelessServer())

    async def watched(request: Request) -> Response:
        seen.append({name.lower(): value for name, value in request.headers})
        return await server(request)

    async with serving(watched) as (_, url):
        await Prober().probed(
            url, profile=Profile.FULL, bearer="env:TOKEN", headers={"X-Api-Key": "env:CLIENT_SECRET", "X-Tenant": "a"}
        )
    bare = [headers for headers in seen if "authorization" not in headers]
    assert bare, "the full profile asks without credentials"
    assert not [headers for headers in bare if "x-api-key" in headers]
