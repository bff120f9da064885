"""What a scenario is: a server in a known state, and the verdict that a prober should reach about it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypedDict

from prober.lab.http import Handler


class Front(StrEnum):
    """What a client finds at the scenario's address."""

    FUNCTION_URL_BUFFERED = "function-url buffered"
    FUNCTION_URL_STREAMING = "function-url streaming"
    REST_API = "rest-api buffered"
    CLOUDFRONT = "cloudfront"
    HTTP = "plain http"
    HTTPS = "plain https, self-signed"
    CLOSED = "closed port"
    ELSEWHERE = "an address outside the lab"


class SentinelHint(TypedDict):
    """A tool call that is safe to repeat; `expect` holds `text`, `json` or neither."""

    tool: str
    arguments: dict[str, Any]
    expect: dict[str, Any]


class EndpointHints(TypedDict, total=False):
    """What the owner of such an endpoint would configure. What is not said keeps the prober's default."""

    sentinels: list[SentinelHint]
    streaming: bool
    expected_tools: list[str]
    transport: Literal["streamable-http", "sse"]
    protocol_version: str
    timeout_s: float
    headers: dict[str, str]
    """A value may refer to a secret, as `env:NAME` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One server. `build` makes a fresh handler for every run of the lab."""

    id: str
    title: str
    verdict: Literal["up", "degraded", "down", "unknown"]
    front: Front
    diagnosis: str | None = None
    """Id of the diagnosis that explains the verdict, or that is worth knowing although all is well."""
    beside: tuple[str, ...] = ()
    """Ids of further diagnoses that the same fault brings."""
    options: EndpointHints = field(default_factory=EndpointHints)
    build: Callable[[], Handler] | None = None
    """None where nothing of the lab listens."""
    path: str = "/mcp"
    address: str | None = None
    """The whole URL of a scenario outside the lab."""
    steady: bool = True
    """False where the verdict changes with time; `verdict` is then the first one."""

    @property
    def diagnoses(self) -> tuple[str, ...]:
        """Every diagnosis that a prober should reach."""
        return (*((self.diagnosis,) if self.diagnosis is not None else ()), *self.beside)

    @property
    def healthy(self) -> bool:
        return self.verdict == "up" and self.diagnosis is None and self.steady
