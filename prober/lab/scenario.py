"""What a scenario is: a server in a known state, and the verdict that a prober should reach about it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NotRequired, TypedDict
from urllib.parse import urljoin

from prober.lab.http import Handler


class Front(StrEnum):
    """What a client finds at the scenario's address."""

    FUNCTION_URL_BUFFERED = "function-url buffered"
    FUNCTION_URL_STREAMING = "function-url streaming"
    REST_API = "rest-api buffered"
    REST_API_STREAMING = "rest-api streaming"
    HTTP_API = "http-api"
    LOAD_BALANCER = "load balancer"
    CLOUDFRONT = "cloudfront"
    WEB_FUNCTION = "web function"
    HTTP = "plain http"
    HTTPS = "plain https, self-signed"
    CLOSED = "closed port"
    ELSEWHERE = "an address outside the lab"


class SentinelHint(TypedDict):
    """A tool call that is safe to repeat; `expect` holds any of `text`, `matches`, `json`, `at` and `schema`."""

    tool: str
    arguments: dict[str, Any]
    expect: dict[str, Any]
    pinned: NotRequired[str]
    """Fingerprint of the tool as it was when its owner approved it."""


class OAuthHint(TypedDict):
    """Where an access token comes from. `token_url` is relative to the endpoint's own address."""

    token_url: str
    client_id: str
    client_secret: str


class SigV4Hint(TypedDict):
    """What AWS signatures are made for, where the host's name does not say it."""

    service: str
    region: str


class EndpointHints(TypedDict, total=False):
    """What the owner of such an endpoint would configure. What is not said keeps the prober's default.

    Secrets are references, to the variables of `prober.lab.credentials.ENVIRONMENT`.
    """

    sentinels: list[SentinelHint]
    streaming: bool
    expected_tools: list[str]
    transport: Literal["streamable-http", "sse"]
    era: Literal["handshake", "stateless"]
    protocol_version: str
    timeout_s: float
    headers: dict[str, str]
    """A value may refer to a secret, as `env:NAME` does."""
    bearer: str
    oauth: OAuthHint
    token_header: str
    sigv4: SigV4Hint
    on_request: list[Literal["tasks", "subscriptions", "cold-starts"]]
    browser_origins: list[str]
    client_timeout: float
    """Seconds that clients wait."""
    slow_after: float
    """Seconds from which on a warm answer is slow."""


class HistoryHint(TypedDict, total=False):
    """What earlier probes of such a server would have seen, in milliseconds, newest last."""

    warm_wait_ms: list[float]
    usual_wait_ms: list[float]
    """Medians of half hours."""
    cold_answer_ms: list[float]
    """First answers of cold starts within the last day."""
    accepted_tools: list[Any]
    """The list of tools that was accepted, as a server lists them."""
    read_tools: list[list[Any]]
    """The lists that earlier probes read."""
    deployed_s_ago: float


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
    warns: tuple[str, ...] = ()
    """Ids of the checks that warn of a fault which no diagnosis names."""
    profile: Literal["standard", "full"] = "standard"
    """How much a probe must ask to see the fault."""
    options: EndpointHints = field(default_factory=EndpointHints)
    history: HistoryHint = field(default_factory=HistoryHint)
    """Needed where one probe does not show the fault."""
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
        return self.verdict == "up" and self.diagnosis is None and self.steady and not self.warns

    @property
    def in_demo(self) -> bool:
        """Whether a standard probe shows what the scenario is, with credentials that the demo can configure.

        It can configure neither AWS keys, which its environment may hold already, nor a token endpoint without TLS; and
        it has no past.
        """
        return self.profile == "standard" and not self.history and not {"sigv4", "oauth"} & self.options.keys()

    def options_at(self, url: str) -> EndpointHints:
        """The options for the scenario as it is served at `url`, with whole addresses."""
        if "oauth" not in self.options:
            return self.options
        oauth = self.options["oauth"]
        return {**self.options, "oauth": {**oauth, "token_url": urljoin(url, oauth["token_url"])}}
