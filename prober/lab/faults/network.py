"""Faults of the way to a server, and of the prober itself."""

from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.credentials import MISSING_VARIABLE
from prober.lab.faults.parts import streaming
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.stateless import StatelessServer

NETWORK_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="dns-failure",
        title="The name does not resolve",
        verdict="down",
        diagnosis="dns-failure",
        front=Front.ELSEWHERE,
        address="http://mcp-prober-lab.invalid/mcp",
    ),
    Scenario(
        id="connect-failure",
        title="Nothing listens on the port",
        verdict="down",
        diagnosis="connect-failure",
        front=Front.CLOSED,
    ),
    Scenario(
        id="tls-invalid",
        title="The certificate is signed by nobody whom anybody trusts",
        verdict="down",
        diagnosis="tls-invalid",
        front=Front.HTTPS,
        build=StatelessServer,
    ),
    Scenario(
        id="response-timeout",
        title="Takes the request and never answers",
        verdict="down",
        diagnosis="response-timeout",
        front=Front.HTTP,
        options={"timeout_s": 2.0},
        build=lambda: bad.never,
    ),
    Scenario(
        id="connection-lost",
        title="The connection breaks in the middle of every answer",
        verdict="down",
        diagnosis="connection-lost",
        front=Front.HTTP,
        build=lambda: bad.broken_off(StatelessServer(streams=False)),
    ),
    Scenario(
        id="target-blocked",
        title="A metadata address, which no prober may ask",
        verdict="unknown",
        diagnosis="target-blocked",
        front=Front.ELSEWHERE,
        address="http://169.254.169.254/",
    ),
    Scenario(
        id="observer-impaired",
        title="Healthy, but the prober lacks the secret that it should send",
        verdict="unknown",
        diagnosis="observer-impaired",
        front=Front.FUNCTION_URL_STREAMING,
        options={"headers": {"Authorization": f"env:{MISSING_VARIABLE}"}},
        build=streaming(StatelessServer),
    ),
)
