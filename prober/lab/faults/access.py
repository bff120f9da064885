"""Faults of credentials, and of what a client without any is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prober.clock import SystemClock
from prober.lab import credentials
from prober.lab.faults.parts import CLIENT, PLAIN, SIGNED, TOKEN, behind, signed, streaming
from prober.lab.front_doors.function_url import Access
from prober.lab.front_doors.oauth import RESOURCE_DOCUMENT, Protected
from prober.lab.front_doors.rest_api import RestApi
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.stateless import StatelessServer


@dataclass(frozen=True)
class LateClock(SystemClock):
    """A clock that is ahead of ours."""

    by: timedelta = timedelta(hours=1)

    def now(self) -> datetime:
        return super().now() + self.by


ACCESS_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="auth-required",
        title="Asks for a bearer token, and none is configured",
        verdict="down",
        diagnosis="auth-required",
        front=Front.FUNCTION_URL_STREAMING,
        build=streaming(lambda: Protected(app=StatelessServer())),
    ),
    Scenario(
        id="auth-rejected",
        title="Refuses the token that is configured",
        verdict="down",
        diagnosis="auth-rejected",
        front=Front.FUNCTION_URL_STREAMING,
        options={"headers": {"Authorization": "Bearer expired-lab-token"}},
        build=streaming(lambda: Protected(app=StatelessServer())),
    ),
    Scenario(
        id="auth-challenge-remapped",
        title="Asks for a bearer token, but the gateway renames the challenge",
        verdict="down",
        diagnosis="auth-required",
        beside=("auth-challenge-remapped",),
        front=Front.REST_API,
        build=behind(RestApi, lambda: Protected(app=StatelessServer(streams=False))),
    ),
    Scenario(
        id="auth-challenge-remapped-for-others",
        title="Takes our token, but the gateway renames the challenge that others need",
        verdict="degraded",
        diagnosis="auth-challenge-remapped",
        profile="full",
        front=Front.REST_API,
        options=TOKEN,
        build=behind(RestApi, lambda: Protected(app=StatelessServer(streams=False))),
    ),
    Scenario(
        id="auth-challenge-missing",
        title="Tells a client without a token neither the scheme nor where to get one",
        verdict="up",
        warns=("auth_challenge",),
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=TOKEN,
        build=streaming(lambda: Protected(app=StatelessServer(), challenges=False, has_metadata=False)),
    ),
    Scenario(
        id="auth-metadata-missing",
        title="The challenge names a metadata document that is not there",
        verdict="up",
        warns=("auth_challenge",),
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=TOKEN,
        build=streaming(lambda: Protected(app=StatelessServer(), has_metadata=False)),
    ),
    Scenario(
        id="auth-metadata-of-another",
        title="The metadata document is that of another resource",
        verdict="up",
        warns=("auth_challenge",),
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=TOKEN,
        build=streaming(lambda: Protected(app=StatelessServer(), resource="https://staging.example.com/mcp")),
    ),
    Scenario(
        id="auth-metadata-elsewhere",
        title="The challenge names a metadata document of another origin",
        verdict="up",
        warns=("auth_challenge",),
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=TOKEN,
        build=streaming(
            lambda: Protected(app=StatelessServer(), metadata=f"https://auth.example.com{RESOURCE_DOCUMENT}")
        ),
    ),
    Scenario(
        id="auth-open",
        title="Lets everybody in, although a token is configured",
        verdict="up",
        warns=("auth_challenge",),
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=TOKEN,
        build=streaming(StatelessServer),
    ),
    Scenario(
        id="token-endpoint-down",
        title="Healthy, but the authorization server gives no token",
        verdict="unknown",
        diagnosis="observer-impaired",
        front=Front.FUNCTION_URL_STREAMING,
        options=CLIENT,
        build=streaming(lambda: Protected(app=StatelessServer(), token_status=503)),
    ),
    Scenario(
        id="token-client-refused",
        title="Healthy, but the authorization server does not know the prober as a client",
        verdict="unknown",
        diagnosis="observer-impaired",
        front=Front.FUNCTION_URL_STREAMING,
        options={**CLIENT, "oauth": {**CLIENT["oauth"], "client_id": "stranger"}},
        build=streaming(lambda: Protected(app=StatelessServer())),
    ),
    Scenario(
        id="aws-iam-unsigned",
        title="Function URL with AuthType AWS_IAM, and the prober does not sign",
        verdict="down",
        diagnosis="function-url-forbidden",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=signed(lambda: StatelessServer(streams=False)),
    ),
    Scenario(
        id="aws-iam-wrong-key",
        title="Function URL with AuthType AWS_IAM, and the prober signs with another secret key",
        verdict="down",
        diagnosis="signature-rejected",
        front=Front.FUNCTION_URL_BUFFERED,
        options=SIGNED,
        build=signed(lambda: StatelessServer(streams=False), secret_access_key=credentials.OTHER_SECRET_ACCESS_KEY),
    ),
    Scenario(
        id="aws-iam-not-allowed",
        title="Function URL with AuthType AWS_IAM, and whoever signs may not call it",
        verdict="down",
        diagnosis="function-url-forbidden",
        front=Front.FUNCTION_URL_BUFFERED,
        options=SIGNED,
        build=signed(lambda: StatelessServer(streams=False), access=Access.FORBIDDEN),
    ),
    Scenario(
        id="aws-iam-unknown-key",
        title="Function URL with AuthType AWS_IAM, and nobody knows the key that the prober signs with",
        verdict="down",
        diagnosis="auth-rejected",
        front=Front.FUNCTION_URL_BUFFERED,
        options=SIGNED,
        build=signed(lambda: StatelessServer(streams=False), access_key_id="AKIDANOTHER"),
    ),
    Scenario(
        id="aws-iam-skewed",
        title="Function URL with AuthType AWS_IAM, and the prober's clock is an hour late",
        verdict="unknown",
        diagnosis="signature-rejected",
        front=Front.FUNCTION_URL_BUFFERED,
        options=SIGNED,
        build=signed(lambda: StatelessServer(streams=False), clock=LateClock()),
    ),
)
