"""The frozen values that travel through a probe: endpoint, exchange, result, evidence, diagnosis, report.

All times called `*_ms` are milliseconds. Offsets inside an exchange count from its start; `Exchange.offset_ms`
counts from the start of the probe.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from checks.inventory import Inventory
from checks.spec import Era, Transport
from checks.tool_memory import ToolMemory

NOTHING: Mapping[str, Any] = MappingProxyType({})

FULL_TIMES: Final = 3
"""How many times as long as a standard probe a full one may take."""


def nothing() -> Mapping[str, Any]:
    """The default of a mapping field: dataclasses refuse an unhashable default, although this one is immutable."""
    return NOTHING


class Verdict(StrEnum):
    """What a probe concludes about an endpoint. `unknown` means that we could not observe."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """The answer of one check. `error` is a bug of ours and never a fault of the endpoint."""

    PASS = "pass"  # noqa: S105 - the word of the check vocabulary, not a credential
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    ERROR = "error"


class Effect(StrEnum):
    """What a diagnosis does to the verdict."""

    DOWN = "down"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    INFORMATION = "information"


class Profile(StrEnum):
    """How much a probe asks: `quick` is the opening and the tool list, `standard` adds what the owner configured,
    `full` adds what is too dear for every minute, and what shows up as 4xx in the owner's metrics."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"


class OnRequest(StrEnum):
    """What is asked only where the owner wants it, because it makes the server hold or start something."""

    TASKS = "tasks"
    """A sentinel as a task, polled to its end."""
    SUBSCRIPTIONS = "subscriptions"
    """`subscriptions/listen`, up to its acknowledgement."""
    COLD_STARTS = "cold-starts"
    """Requests at once, for which the function has to start new instances."""


class Failure(StrEnum):
    """Why an exchange did not end with a complete HTTP answer."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    DEADLINE = "deadline"
    CONNECTION_LOST = "connection-lost"
    PROTOCOL = "protocol"
    LIMIT = "limit"
    BLOCKED = "blocked"
    OBSERVER = "observer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the owner wants to see in a sentinel's result; every given part must hold."""

    text: str | None = None
    """This text stands somewhere in the text content."""
    matches: str | None = None
    """This regular expression (see `checks.patterns`) matches somewhere in the text content."""
    json: Any = None
    """`structuredContent` (or the text content read as JSON) contains this value: objects by subset."""
    at: Mapping[str, Any] = field(default_factory=nothing)
    """What the same JSON holds at each of these paths (see `checks.json_paths`), exactly."""
    schema: Mapping[str, Any] | None = None
    """The same JSON is as this JSON Schema says (see `checks.json_schema`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinel:
    """A tool call that shows that the tools really work.

    It is made where the server marks the tool as read-only, or its owner says that a call is safe to repeat.
    """

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=nothing)
    expect: Expectation = Expectation()
    safe_to_repeat: bool = False
    """The owner's word that calling it again and again harms nothing, whatever the server says of it."""
    pinned: str | None = None
    """Fingerprint of the tool (see `checks.inventory`) as its owner approved it: another one is not called."""


class ClientAuth(StrEnum):
    """How an OAuth client shows its secret at the token endpoint (RFC 6749 section 2.3.1)."""

    BASIC = "basic"
    POST = "post"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigV4:
    """Requests are signed with the AWS credentials of the prober's environment. None: read off the host name."""

    service: str | None = None
    """`lambda` for Function URLs, `execute-api` for API Gateway."""
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """An access token by the client credentials grant (RFC 6749 section 4.4)."""

    token_url: str
    client_id: str
    client_secret: str
    """Reference to the secret."""
    scope: str | None = None
    resource: str | None = None
    """Resource indicator (RFC 8707). None: the endpoint's URL."""
    client_auth: ClientAuth = ClientAuth.BASIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One MCP server that we watch. Header values and credentials are references or plain text, never secrets."""

    name: str
    url: str
    labels: Mapping[str, str] = field(default_factory=nothing)
    interval_s: float = 60.0
    timeout_s: float = 10.0
    """The total deadline of one probe; see `deadline_s` for those of the full profile."""
    transport: Transport | None = None
    era: Era | None = None
    protocol_version: str | None = None
    expected_tools: tuple[str, ...] = ()
    sentinels: tuple[Sentinel, ...] = ()
    streaming: bool | None = None
    """True: the owner says events must arrive one by one. False: the owner says they need not. None: not said."""
    headers: Mapping[str, str] = field(default_factory=nothing)
    bearer: str | None = None
    """Reference to a bearer token."""
    oauth: OAuth | None = None
    """Where the bearer token comes from, instead of `bearer`."""
    token_header: str = "Authorization"  # noqa: S105 - the name of a header, not a credential
    """Which header carries the token. Another one than Authorization beside `sigv4`, whose signature needs that one:
    the Lambda Web Adapter moves it back where AWS_LWA_AUTHORIZATION_SOURCE names it."""
    sigv4: SigV4 | None = None
    on_request: tuple[OnRequest, ...] = ()
    browser_origins: tuple[str, ...] = ()
    """Origins of web pages whose scripts use this endpoint. Empty: no browser client is known of."""
    full_every_s: float | None = 86_400.0
    """How often a probe of the full profile takes the place of a standard one. None: never."""
    cold_every_s: float | None = None
    """How often it is left to cool down for a cold probe. None: never."""
    cool_down_s: float = 1800.0
    """For how long no probe keeps an instance warm before a cold one. Nobody looks meanwhile."""
    client_timeout_s: float | None = None
    """How long the clients of this endpoint wait for a first answer before they give up. None: not said."""
    slow_after_s: float | None = None
    """From which wait for a first answer on the endpoint is slow, cold starts aside. None: its own past decides."""
    function: str | None = None
    """Name or ARN of the Lambda function behind it, in whose log cold starts are confirmed. None: nobody looks."""
    verify_tls: bool = True
    enabled: bool = True

    def deadline_s(self, profile: Profile) -> float:
        """How long a probe of this profile may take.

        A full one asks several times as much and gets three times the time, but it leaves the next slot alone. Where
        the owner's own limit is longer than the interval, it is the limit of both.
        """
        if profile is not Profile.FULL:
            return self.timeout_s
        return max(self.timeout_s, min(FULL_TIMES * self.timeout_s, self.interval_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Where the time of one exchange went. A phase that did not happen (a reused connection has no DNS) is None.

    `dns_ms`, `connect_ms` and `tls_ms` are durations; the others are offsets from the start of the exchange.
    """

    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    sent_ms: float | None = None
    first_byte_ms: float | None = None
    first_event_ms: float | None = None
    last_event_ms: float | None = None
    total_ms: float = 0.0

    @property
    def wait_ms(self) -> float | None:
        """From the request's last byte to the answer's first: the server's own time plus one round trip."""
        if self.first_byte_ms is None or self.sent_ms is None:
            return None
        return self.first_byte_ms - self.sent_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportError:
    """Why no complete HTTP answer came. `reason` is a stable code within the failure, such as `expired`."""

    failure: Failure
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One JSON value that arrived, as a JSON body or as the data of one event."""

    data: Any
    at_ms: float
    event_id: str | None = None
    event: str = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Irregularity:
    """Something about an answer's bytes that its JSON values no longer show. `code` is stable, such as `bom`."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One HTTP request and all that came back. Failure is part of it: asking never raises."""

    id: str
    """Unique within the probe, in order: `x1`, `x2`, …"""
    method: str
    url: str
    request_headers: tuple[tuple[str, str], ...] = ()
    """As sent, with every secret value replaced by its reference in `${…}`."""
    request_body: str = ""
    rpc_method: str | None = None
    rpc_id: str | None = None
    started_at: datetime
    offset_ms: float = 0.0
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Answer headers in their order and spelling."""
    body: bytes = b""
    """The first bytes of the answer as they came, up to the evidence limit."""
    body_size: int = 0
    """All bytes that came."""
    messages: tuple[Message, ...] = ()
    """JSON values in order of arrival; for legacy SSE, those that arrived on the stream for this request."""
    comments: int = 0
    """SSE comments (keep-alives) seen."""
    unterminated: bool = False
    """The event stream ended in the middle of an event."""
    irregularities: tuple[Irregularity, ...] = ()
    certificate_expires_at: datetime | None = None
    timings: Timings = Timings()
    transport_error: TransportError | None = None
    remote_address: str | None = None
    reused_connection: bool = False

    def header(self, name: str) -> str | None:
        """The first answer header of that name, whatever its spelling."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def media_type(self) -> str:
        """The answer's media type in lower case and without parameters; empty when there is none."""
        return (self.header("content-type") or "").split(";", 1)[0].strip().lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """Which way in worked, remembered per endpoint so that the next probe begins there."""

    transport: Transport
    era: Era
    protocol_version: str
    reason: str
    chosen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a conversation was opened, or why it could not be."""

    exchanges: tuple[Exchange, ...] = ()
    opener: Opener | None = None
    """None when no way in worked."""
    server_name: str | None = None
    server_version: str | None = None
    capabilities: Mapping[str, Any] = field(default_factory=nothing)
    instructions: str | None = None
    has_session: bool = False

    @property
    def established(self) -> bool:
        return self.opener is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One deviation that a check noticed, with the rule that it is measured by."""

    text: str
    rule: str | None = None
    """Link to the specification or to AWS documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The answer to one check's question."""

    check: str
    outcome: Outcome
    summary: str
    ms: float = 0.0
    exchanges: tuple[Exchange, ...] = ()
    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=nothing)
    """JSON-able measurements that detectors, metrics and pages read; the keys are documented in the check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """A cold start of an earlier probe, suspected or confirmed."""

    at: datetime
    """The slot of that probe."""
    answer_ms: float
    """From the start of its first request, with the connection, to the first byte of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The little of the past that detectors may read; newest last."""

    warm_wait_ms: tuple[float, ...] = ()
    """`Timings.wait_ms` of the opening exchange in recent probes that no `cold-start` marked."""
    usual_wait_ms: tuple[float, ...] = ()
    """The medians of such waits over half an hour each, of about a day (see `checks.baseline`)."""
    cold_starts: tuple[ColdStart, ...] = ()
    """The latest probes that `cold-start` marked."""
    log_streams: tuple[str, ...] = ()
    """Log streams of instances that answered lately; only Lambda Web Functions tell them."""
    answered_at: datetime | None = None
    """When the endpoint last let us open a conversation, and so when an instance of it was last seen at work."""
    tools: ToolMemory = field(default_factory=ToolMemory)
    """The lists of tools that earlier probes read, and the deploys that they saw."""
    accepted: Inventory | None = None
    """The list of tools that changes are measured by. None until there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """How the prober itself did while it probed."""

    lag_ms: float = 0.0
    """The worst delay of its own event loop meanwhile."""
    is_late: bool = False
    """That delay was beyond what is accepted: nothing that its clock says of the endpoint counts."""
    reason: str | None = None
    """Why it could not see the endpoint, as a word of `checks.observing`. None: it could, as far as it knows."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that the detectors see of one probe."""

    endpoint: Endpoint
    opening: Opening
    results: tuple[CheckResult, ...]
    history: History = History()
    observer: Observer = Observer()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every exchange of the probe, in the order in which they were made."""
        return tuple(exchange for result in self.results for exchange in result.exchanges)

    def result(self, check: str) -> CheckResult | None:
        return next((result for result in self.results if result.check == check), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One piece of what a diagnosis rests on."""

    text: str
    exchange: str | None = None
    """Id of the exchange in which it can be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A named cause. The ids are public vocabulary and do not change once released."""

    id: str
    effect: Effect
    confidence: float
    """0 to 1; it follows the confidence of the signature's source."""
    summary: str
    evidence: tuple[Proof, ...]
    fix: str
    reproduce: str = ""
    """A shell line that shows the fault without this tool, with secrets as placeholders."""
    alternatives: tuple[str, ...] = ()
    """Other causes that look the same from outside, each with what would tell it apart."""
    facts: Mapping[str, Any] = field(default_factory=nothing)
    """The same for machines, JSON-able and bounded; the keys are documented in the detector."""
    seen_at: datetime | None = None
    """Set where the report only carries it on: the slot of the full probe that saw it last (see `checks.standing`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """What one probe over one endpoint found."""

    endpoint: str
    endpoint_id: UUID | None = None
    slot: datetime
    """The time for which the probe was scheduled."""
    location: str = "local"
    profile: Profile = Profile.STANDARD
    started_at: datetime
    duration_ms: float
    verdict: Verdict
    opening: Opening
    results: tuple[CheckResult, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    observer: Observer = Observer()
    labels: Mapping[str, str] = field(default_factory=nothing)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        return tuple(exchange for result in self.results for exchange in result.exchanges)

    @property
    def cause(self) -> Diagnosis | None:
        """The diagnosis that weighs most: worst effect first, then the higher confidence."""
        weight = {Effect.DOWN: 3, Effect.UNKNOWN: 2, Effect.DEGRADED: 1, Effect.INFORMATION: 0}
        return max(self.diagnoses, key=lambda each: (weight[each.effect], each.confidence), default=None)

    def result(self, check: str) -> CheckResult | None:
        return next((result for result in self.results if result.check == check), None)
