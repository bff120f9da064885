"""The file as pydantic sees it: which keys there are, of which type, and what each is for."""

import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    create_model,
    model_validator,
)

from checks import json_paths, json_schema, patterns
from checks.credentials import REFERENCE_SCHEMES
from checks.inventory import FINGERPRINT_DIGITS
from checks.model import ClientAuth, OnRequest
from checks.spec import REVISIONS
from prober import values
from prober.incidents.rules import Severity
from prober.limits import Limits
from prober.secrets.allowance import problem_with_pattern
from prober.settings import vouching
from prober.settings.limits import limit_field
from prober.settings.model import Access, MetricSet

MAX_ENDPOINTS: Final = 10_000
LONGEST_CONFIRM_S: Final = 300.0
AUTO: Final = "auto"
NEVER: Final = "never"


def _seconds(low: float, high: float, wording: str) -> Callable[[object], float]:
    def within(value: object) -> float:
        seconds = values.duration_s(value)
        if not low <= seconds <= high:
            raise values.Refused(f"is out of range: {wording}", "such as 60s or 5m")
        return seconds

    return within


def _revision(text: str) -> str:
    if text != AUTO and text not in REVISIONS:
        raise values.Refused("is not a revision of MCP", f"auto, or one of {', '.join(REVISIONS)}")
    return text


def _cidr(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise values.Refused("is not a network", "such as 10.20.0.0/16, without host bits") from None


def _quota(value: object) -> int:
    size = values.size(value)
    if not 4 << 20 <= size <= 1 << 40:  # below, a report on very many tools might not fit even without its evidence
        raise values.Refused("is out of range: 4 MiB to 1 TiB", "such as 64MiB")
    return size


def _full_every(value: object) -> float:
    """Seconds between two probes of the full profile; infinite for `never`."""
    return _or_never(value, _seconds(60.0, 30 * 86400.0, "1 minute to 30 days, or never"))


def _cold_every(value: object) -> float:
    """Seconds between two cold probes; infinite for `never`."""
    return _or_never(value, _seconds(600.0, 30 * 86400.0, "10 minutes to 30 days, or never"))


def _or_never(value: object, seconds: Callable[[object], float]) -> float:
    if value == NEVER:
        return math.inf
    try:
        return seconds(value)
    except values.Refused as refused:
        raise values.Refused(refused.message, "such as 6h or 1d, or never") from None


def _pattern(text: str) -> str:
    problem = problem_with_pattern(text)
    if problem is not None:
        raise values.Refused("is not a pattern of references", problem)
    return text


def _regular_expression(text: str) -> str:
    problem = patterns.problem_with(text)
    if problem is not None:
        raise values.Refused(
            f"is no regular expression that can be used: it {problem}",
            "write it in the syntax of RE2, which has no look-around and no back-references",
        )
    return text


def _json_path(text: str) -> str:
    problem = json_paths.problem_with(text)
    if problem is not None:
        raise values.Refused(f"is no path to one place: it {problem}", "such as $.items[0].id or $['unit price']")
    return text


def _json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    problem = json_schema.problem_with(schema)
    if problem is not None:
        raise values.Refused(
            f"is no JSON Schema that can be used: {problem}",
            "write one of 2020-12 or draft-07 that refers to nothing outside of it",
        )
    return schema


def _fingerprint(text: str) -> str:
    if not re.fullmatch(rf"[0-9a-f]{{{FINGERPRINT_DIGITS}}}", text):
        raise values.Refused(
            f"is not the fingerprint of a tool ({FINGERPRINT_DIGITS} hexadecimal digits)",
            "take the one that init or a paused sentinel shows, in quotes",
        )
    return text


def _allowed(entry: object) -> object:
    """An entry of `secrets.allow`, of which the short form is a pattern alone."""
    return {"ref": entry} if isinstance(entry, str) else entry


def _signing(value: object) -> object:
    """`true` is short for an empty mapping, and `false` for nothing."""
    if isinstance(value, bool):
        return {} if value else None
    if not isinstance(value, dict):
        raise values.Refused("is neither true nor a mapping", "write true, or {service: lambda, region: eu-central-1}")
    return value


def _metric_namespace(text: str) -> str:
    # PutMetricData, parameter Namespace: its pattern, and "AWS/" is reserved
    if not 1 <= len(text) <= 255 or text.startswith(("AWS/", ":")) or not text.isascii() or not text.strip():
        raise values.Refused("is not a CloudWatch namespace", "1 to 255 ASCII characters, not beginning with AWS/")
    return text


_DURATIONS: Final = ({"type": "string", "pattern": values.DURATION_PATTERN}, {"type": "number", "minimum": 0})
_DURATION_SCHEMA: Final = WithJsonSchema({"anyOf": [*_DURATIONS]})
Interval = Annotated[float, BeforeValidator(_seconds(1.0, 7 * 86400.0, "1 second to 7 days")), _DURATION_SCHEMA]
Timeout = Annotated[float, BeforeValidator(_seconds(0.1, 900.0, "0.1 seconds to 15 minutes")), _DURATION_SCHEMA]
Confirm = Annotated[float, BeforeValidator(_seconds(1.0, LONGEST_CONFIRM_S, "1 second to 5 minutes")), _DURATION_SCHEMA]
Mute = Annotated[float, BeforeValidator(_seconds(60.0, 30 * 86400.0, "1 minute to 30 days")), _DURATION_SCHEMA]
Lag = Annotated[float, BeforeValidator(_seconds(0.05, 10.0, "50 milliseconds to 10 seconds")), _DURATION_SCHEMA]
_SIZES: Final = ({"type": "string", "pattern": values.SIZE_PATTERN}, {"type": "integer"})
Quota = Annotated[int, BeforeValidator(_quota), WithJsonSchema({"anyOf": [*_SIZES]})]
Days = Annotated[int, Field(ge=1, le=3660)]
LoginSpan = Annotated[float, BeforeValidator(_seconds(60.0, 366 * 86400.0, "1 minute to 366 days")), _DURATION_SCHEMA]
Flush = Annotated[float, BeforeValidator(_seconds(1.0, 3600.0, "1 second to 1 hour")), _DURATION_SCHEMA]
FullEvery = Annotated[float, BeforeValidator(_full_every), WithJsonSchema({"anyOf": [{"const": NEVER}, *_DURATIONS]})]
ColdEvery = Annotated[float, BeforeValidator(_cold_every), WithJsonSchema({"anyOf": [{"const": NEVER}, *_DURATIONS]})]
Name = Annotated[str, AfterValidator(values.name)]
Url = Annotated[str, AfterValidator(values.url), Field(json_schema_extra={"format": "uri"})]
Origin = Annotated[str, AfterValidator(values.origin), Field(json_schema_extra={"format": "uri"})]
HeaderName = Annotated[str, AfterValidator(values.header_name)]
AwsName = Annotated[str, AfterValidator(values.aws_name)]
FunctionName = Annotated[str, AfterValidator(values.function)]
_REFERENCE_SCHEMA: Final[dict[str, Any]] = {"pattern": f"^({'|'.join(REFERENCE_SCHEMES)})"}
Reference = Annotated[str, AfterValidator(values.reference), Field(json_schema_extra=_REFERENCE_SCHEMA)]
Pattern = Annotated[str, AfterValidator(_pattern), Field(json_schema_extra=_REFERENCE_SCHEMA)]
Tool = Annotated[str, AfterValidator(values.tool_name)]
Revision = Annotated[str, AfterValidator(_revision), Field(json_schema_extra={"enum": [AUTO, *REVISIONS]})]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
PublicName = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]
Count = Annotated[int, Field(ge=1, le=100)]
TransportChoice = Literal["auto", "streamable-http", "sse"]
EraChoice = Literal["auto", "stateless", "handshake"]


class Section(BaseModel):
    """A part of the file. A key without a value counts as not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class ExpectSection(Section):
    text: Text | None = Field(default=None, description="This text stands in the tool's text content.")
    matches: Annotated[Text, AfterValidator(_regular_expression)] | None = Field(
        default=None, description="This regular expression (RE2) matches somewhere in the tool's text content."
    )
    json_: Any = Field(default=None, alias="json", description="The structured content contains this value.")
    at: dict[Annotated[str, AfterValidator(_json_path)], Any] = Field(
        default={}, description="What it holds, exactly, at each path such as $.items[0].id."
    )
    schema_: Annotated[dict[str, Any], AfterValidator(_json_schema)] | None = Field(
        default=None, alias="schema", description="It is as this JSON Schema (2020-12 or draft-07) says."
    )


class SentinelSection(Section):
    tool: Tool = Field(description="A tool to call: one that the server marks as read-only, or see safe_to_repeat.")
    arguments: dict[str, Any] = Field(default={}, description="Its arguments.")
    expect: ExpectSection = Field(default=ExpectSection(), description="What its answer must hold.")
    safe_to_repeat: bool = Field(
        default=False, description="Your word that repeated calls harm nothing, where the server marks no readOnlyHint."
    )
    pinned: Annotated[str, AfterValidator(_fingerprint)] | None = Field(
        default=None, description="Fingerprint of the tool as you approved it; another one is not called."
    )


class OAuthSection(Section):
    token_url: Url = Field(description="Token endpoint of the authorization server; https.")
    client_id: Annotated[str, AfterValidator(values.client_id)] = Field(description="Identifier of the client.")
    client_secret: Reference = Field(description="Reference to the client's secret.")
    scope: Annotated[str, AfterValidator(values.oauth_scope)] | None = Field(
        default=None, description="Scopes to ask for, separated by spaces."
    )
    resource: Url | None = Field(
        default=None, description="Resource indicator (RFC 8707); the endpoint's address by default."
    )
    client_auth: ClientAuth = Field(
        default=ClientAuth.BASIC, description="How the secret is shown: by HTTP Basic, or in the form."
    )


class SigV4Section(Section):
    service: AwsName | None = Field(default=None, description="Service in the signature: lambda or execute-api.")
    region: AwsName | None = Field(default=None, description="Region in the signature.")


_SIGV4_SCHEMA: Final = WithJsonSchema(
    {
        "anyOf": [
            {"type": "boolean"},
            {
                "type": "object",
                "properties": {"service": {"type": "string"}, "region": {"type": "string"}},
                "additionalProperties": False,
            },
        ]
    }
)


class AuthSection(Section):
    bearer: Reference | None = Field(default=None, description="Reference to a bearer token.")
    oauth: OAuthSection | None = Field(
        default=None, description="Where a bearer token comes from: OAuth client credentials."
    )
    sigv4: Annotated[SigV4Section | None, BeforeValidator(_signing), _SIGV4_SCHEMA] = Field(
        default=None,
        description="Sign requests with the prober's AWS credentials; service and region where the host does not tell.",
    )
    token_header: HeaderName | None = Field(
        default=None,
        description="Header for the token beside a signature: the one that AWS_LWA_AUTHORIZATION_SOURCE names.",
    )


class EndpointSection(Section):
    name: Name = Field(description="Unique name: letters, digits, dots, hyphens and underscores.")
    url: Url = Field(description="Address of the MCP endpoint, with its path.")
    labels: dict[str, Text] = Field(default={}, description="Free labels, shown beside the name.")
    interval: Interval | None = Field(default=None, description="Time between two probes, such as 60s.")
    timeout: Timeout | None = Field(default=None, description="Deadline of a whole probe, at most the interval.")
    transport: TransportChoice = Field(default=AUTO, description="Pin the transport, or let the prober find it.")
    era: EraChoice = Field(default=AUTO, description="Pin the era, or let the prober find it.")
    protocol_version: Revision = Field(default=AUTO, description="Pin the revision of MCP.")
    expected_tools: list[Tool] = Field(default=[], description="Tools that must be listed.")
    sentinels: list[SentinelSection] = Field(default=[], description="Tools to call on every probe.")
    streaming: bool | None = Field(default=None, description="Whether events must arrive one by one.")
    headers: dict[str, str] = Field(default={}, description="Extra headers; a secret by reference.")
    auth: AuthSection | None = Field(default=None, description="Credentials, by reference.")
    on_request: list[OnRequest] = Field(
        default=[], description="What is asked by full probes only where it is named here."
    )
    browser_origins: list[Origin] = Field(
        default=[], description="Origins of web pages whose scripts use the endpoint."
    )
    full_every: FullEvery | None = Field(
        default=None, description="Time between two probes of the full profile, or never; 24h by default."
    )
    cold_every: ColdEvery | None = Field(
        default=None, description="Time between two cold probes, each after a pause of cool_down; never by default."
    )
    cool_down: Interval | None = Field(
        default=None, description="How long probes pause before a cold one, and nobody looks; 30m by default."
    )
    client_timeout: Timeout | None = Field(
        default=None, description="How long clients wait for a first answer; less than the timeout."
    )
    slow_after: Timeout | None = Field(
        default=None, description="From which wait on a warm answer is slow; by default its own past decides."
    )
    function: FunctionName | None = Field(
        default=None, description="Name or ARN of the Lambda function: its log then confirms cold starts."
    )
    verify_tls: bool | None = Field(default=None, description="Whether the certificate must be valid; true by default.")
    depends_on: list[Name] = Field(
        default=[], description="Endpoints whose trouble explains its own: nobody is told of it meanwhile."
    )
    fail_after: Count | None = Field(default=None, description="As in incidents, for this endpoint.")
    recover_after: Count | None = Field(default=None, description="As in incidents, for this endpoint.")
    metrics: MetricSet | None = Field(default=None, description="What of it is published to CloudWatch.")
    public: PublicName | None = Field(
        default=None, description="Name under which the public status page shows it; without one it does not."
    )
    enabled: bool = Field(default=True, description="Whether it is probed.")


class DefaultsSection(Section):
    interval: Interval = Field(default=60.0, description="Interval of endpoints that give none.")
    timeout: Timeout | None = Field(default=None, description="Timeout of endpoints that give none; else 10s.")
    labels: dict[str, Text] = Field(default={}, description="Labels of every endpoint.")
    headers: dict[str, str] = Field(default={}, description="Headers sent to every endpoint.")
    full_every: FullEvery = Field(default=86_400.0, description="full_every of endpoints that give none.")
    verify_tls: bool = Field(default=True, description="Whether certificates must be valid.")


class WindowSection(Section):
    bad: Count = Field(description="So many verdicts are bad")
    of: Annotated[int, Field(ge=1, le=200)] = Field(description="of the last so many.")


class IncidentsSection(Section):
    fail_after: Count = Field(default=3, description="Bad verdicts in a row that open an incident.")
    recover_after: Count = Field(default=2, description="Good verdicts in a row that close it.")
    window: WindowSection | None = Field(
        default=None, description="So many bad verdicts among the last open an incident, too."
    )
    flaky: Annotated[WindowSection | Literal["never"], Field(union_mode="left_to_right")] = Field(
        default=WindowSection(bad=5, of=20),
        description="So many bad first attempts among the last make an endpoint flaky; or never.",
    )
    flap_changes: Count = Field(
        default=4, description="So many openings and closings within an hour are told as flapping, in one summary."
    )
    confirm_after: Confirm | None = Field(
        default=None, description="Repeat a bad probe once after this time; it decides about telling alone."
    )
    severities: dict[str, Severity] = Field(
        default={}, description="Severity by the id of a diagnosis, where it is another than usual."
    )
    mass_after: Annotated[int, Field(ge=2, le=10_000)] | Literal["never"] = Field(
        default=5,
        description="So many endpoints of a group that begin to fail together are told in one notice; or never.",
    )
    group_by: list[Text] = Field(default=[], description="Labels whose values make the groups.")
    deploy_mute: Mute = Field(default=600.0, description="For how long nobody is told after a marked deploy.")


class MaintenanceSection(Section):
    name: Name = Field(description="Unique name.")
    at: Annotated[str, AfterValidator(values.wall_time)] = Field(
        description="When it begins, on the zone's wall clock, such as 02:00."
    )
    lasts: Mute = Field(alias="for", description="How long it lasts, such as 2h.")
    zone: Annotated[str, AfterValidator(values.zone)] = Field(
        default="UTC", description="Time zone by its IANA name, such as Europe/Berlin."
    )
    weekdays: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=[], description="On these days; every day by default."
    )
    month_days: list[Annotated[int, Field(ge=-1, le=31, json_schema_extra={"not": {"const": 0}})]] = Field(
        default=[], description="On these days of the month; -1 is the last one."
    )
    endpoints: list[Name] = Field(default=[], description="Whom it is for; all by default.")
    labels: dict[str, Text] = Field(default={}, description="Or whoever bears all of these labels.")


class SpoolSection(Section):
    quota: Quota = Field(default=64 << 20, description="How much of the disk waiting reports may take.")


class RetentionSection(Section):
    evidence: Days = Field(default=3, description="Days for requests and answers of probes that found nothing wrong.")
    reports: Days = Field(default=30, description="Days for reports, and for the evidence of those that found a fault.")
    hours: Days = Field(default=90, description="Days for figures by the hour.")
    days: Days | Literal["forever"] = Field(default="forever", description="Days for figures by the day.")


class ObserverSection(Section):
    canaries: list[Annotated[str, AfterValidator(values.host_port)]] | None = Field(
        default=None,
        description="host:port of places that answer whenever the network does; an empty list asks none.",
    )
    lag: Lag = Field(default=0.25, description="Delay of its own from which the prober does not believe its figures.")


class WatchdogSection(Section):
    url: Text | None = Field(
        default=None, description="Reference to an address that is called while everything works, or the address."
    )
    every: Flush = Field(default=60.0, description="Time between two calls.")


class StatusSection(Section):
    host: Text = Field(default="127.0.0.1", description="Address on which a worker answers /livez, /readyz, /metrics.")
    port: Annotated[int, Field(ge=0, le=65535)] | None = Field(default=None, description="Port; without one, nowhere.")


class NetworkSection(Section):
    allow_cidrs: list[Annotated[str, AfterValidator(_cidr)]] = Field(
        default=[], description="Private networks that may be probed."
    )
    allow_private: bool = Field(default=False, description="Whether every private address may be probed.")


_REF: Final = "A reference, or a pattern of references in which * stands for any text."
_BOUND_TO: Final = (
    "The only origin that the secret may be sent to. A client secret of OAuth needs an entry for its endpoint's origin "
    "and one for its token endpoint's."
)


class AllowedSection(Section):
    ref: Pattern = Field(description=_REF)
    origin: Origin | None = Field(default=None, description=_BOUND_TO)


_ALLOWED_SCHEMA: Final = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", **_REFERENCE_SCHEMA},
            {
                "type": "object",
                "properties": {
                    "ref": {"type": "string", **_REFERENCE_SCHEMA, "description": _REF},
                    "origin": {"type": "string", "format": "uri", "description": _BOUND_TO},
                },
                "required": ["ref"],
                "additionalProperties": False,
            },
        ]
    }
)


class SecretsSection(Section):
    allow: list[Annotated[AllowedSection, BeforeValidator(_allowed), _ALLOWED_SCHEMA]] = Field(
        description="The references that may be used; without this section, every reference may."
    )


# The names of some limits are those of methods of pydantic's models, so that the keys are aliases.
_LIMITS: Final[dict[str, Any]] = {f"{field.name}_": limit_field(field.name) for field in fields(Limits)}
if TYPE_CHECKING:
    LimitsSection = Section
else:
    LimitsSection = create_model("LimitsSection", __base__=Section, **_LIMITS)
    """One key for each field of `Limits`, within its bounds."""


class NotifierSection(BaseModel):
    """The rest of its keys belong to the kind."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    kind: Text = Field(description="Which channel: slack, sns, file, …")
    name: Name | None = Field(default=None, description="Unique name; the kind by default.")
    least: Severity = Field(default=Severity.WARNING, description="Tell nothing that weighs less.")
    only: dict[str, Text] = Field(default={}, description="Tell only of endpoints that bear all of these labels.")
    after: Mute | None = Field(
        default=None, description="Tell only what nobody has acknowledged for this long: a channel for escalation."
    )
    remind: Mute | None = Field(default=None, description="Tell again and again after this time, until acknowledged.")
    impairments: bool = Field(default=True, description="Whether to tell that the prober itself cannot observe.")
    fallback: Name | None = Field(default=None, description="Channel that takes what this one refuses for good.")


class CloudWatchSection(Section):
    enabled: bool = Field(default=False, description="Whether custom metrics are published.")
    namespace: Annotated[str, AfterValidator(_metric_namespace)] = Field(
        default="McpProber", description="Namespace of the metrics."
    )
    region: Text | None = Field(default=None, description="AWS region; by default that of the AWS configuration.")
    flush: Flush = Field(default=60.0, description="Time between two uploads.")
    metrics: MetricSet = Field(default=MetricSet.STANDARD, description="What of an endpoint is published.")
    aggregates: bool = Field(default=True, description="Whether figures of the whole fleet are published.")
    emf_file: Text | None = Field(
        default=None, description="Append embedded metric format to this file instead of calling CloudWatch."
    )


_ROLES_SCHEMA: Final = WithJsonSchema(
    {"type": "object", "additionalProperties": {"enum": ["viewer", "operator", "admin"]}, "minProperties": 1}
)
RoleName = Literal["viewer", "operator", "admin"]
Groups = Annotated[dict[Text, RoleName], BeforeValidator(vouching.groups), _ROLES_SCHEMA]
Networks = Annotated[list[Annotated[str, AfterValidator(_cidr)]], BeforeValidator(vouching.networks)]


class OidcSection(Section):
    issuer: Url = Field(description="The provider's name for itself, letter by letter: https, or http on this machine.")
    client_id: Text = Field(description="What the provider calls the dashboard.")
    client_secret: Reference | None = Field(
        default=None, description="env:NAME or file:/path, read at each login; without one, a public client."
    )
    groups: Groups = Field(description="The groups that may come in, each with viewer, operator or admin.")
    groups_claim: Text = Field(
        default="groups", description="Where groups stand; dots lead into nested objects, such as realm_access.roles."
    )
    name_claim: Text = Field(
        default="preferred_username", description="What people are called; then their e-mail address, then their name."
    )
    scopes: Text = Field(default="openid profile email", description="What is asked for, with spaces between.")
    label: Text = Field(default="Single sign-on", description="What the button of the login page says.")
    allow_cidrs: Networks = Field(default=[], description="Private networks in which the provider may be.")


class ProxySection(Section):
    trusted: Networks = Field(description="Addresses or networks of the proxies in front of the dashboard.")
    user_header: HeaderName | None = Field(
        default=None,
        description="Header that names a person; without it, the proxies are believed about addresses and https alone.",
    )
    groups_header: HeaderName | None = Field(default=None, description="Header that lists the groups of the person.")
    groups: Groups | None = Field(default=None, description="The groups that may come in, each with its role.")
    role: RoleName | None = Field(
        default=None, description="Role of everybody whom the proxy names, where groups give none or a lower one."
    )


class DashboardSection(Section):
    host: Text = Field(default="127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8080, description="Port to listen on; 0 is a free one.")
    public_url: Url | None = Field(default=None, description="Address under which people reach it, for links.")
    access: Access | None = Field(
        default=None,
        description="Whether people log in, or whoever reaches it may do everything; by default open on this machine "
        "alone, while nothing names people and no public_url another machine.",
    )
    login_idle: LoginSpan = Field(default=43_200.0, description="A login ends after so long without a request.")
    login_lasts: LoginSpan = Field(default=604_800.0, description="A login ends after so long in any case.")
    oidc: OidcSection | None = Field(
        default=None, description="An OpenID Connect provider at which people log in; its edits count after a restart."
    )
    proxy: ProxySection | None = Field(
        default=None, description="A proxy in front that says who asks; its edits count after a restart."
    )


class ConfigFile(Section):
    """What mcp-prober watches, and whom it tells."""

    endpoints: Annotated[list[EndpointSection], Field(max_length=MAX_ENDPOINTS)] = Field(
        description="The MCP servers to watch."
    )
    defaults: DefaultsSection = Field(default=DefaultsSection(), description="What holds for every endpoint.")
    incidents: IncidentsSection = Field(default=IncidentsSection(), description="When an incident opens and closes.")
    maintenance: list[MaintenanceSection] = Field(default=[], description="Times in which nobody is told.")
    network: NetworkSection = Field(default=NetworkSection(), description="Which addresses may be probed.")
    secrets: SecretsSection | None = Field(default=None, description="Which secrets may be used, and for whom.")
    limits: LimitsSection = Field(
        default=LimitsSection(), description="How much of an answer is read, and how long each phase may take."
    )
    notifiers: list[NotifierSection] = Field(default=[], description="Who is told about incidents.")
    cloudwatch: CloudWatchSection = Field(default=CloudWatchSection(), description="Custom metrics in CloudWatch.")
    dashboard: DashboardSection = Field(default=DashboardSection(), description="Where the dashboard listens.")
    spool: SpoolSection = Field(default=SpoolSection(), description="Reports that wait on the disk for the database.")
    retention: RetentionSection = Field(default=RetentionSection(), description="For how long what is kept.")
    observer: ObserverSection = Field(
        default=ObserverSection(), description="How the prober notices that it cannot see itself."
    )
    watchdog: WatchdogSection = Field(default=WatchdogSection(), description="Who is told that the prober is alive.")
    status: StatusSection = Field(default=StatusSection(), description="Where a worker says how it is.")
    location: Name = Field(default="local", description="Where this prober runs from, as shown in reports.")
    database_url: Text | None = Field(
        default=None, description="PostgreSQL to use, by reference; without it the prober brings its own."
    )
    data_dir: Text | None = Field(default=None, description="Directory for the prober's own PostgreSQL.")
