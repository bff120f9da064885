"""The file as pydantic sees it: which keys there are, of which type, and what each is for."""

import ipaddress
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from checks.spec import REVISIONS
from prober import values

MAX_ENDPOINTS: Final = 10_000
AUTO: Final = "auto"


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


def _metric_namespace(text: str) -> str:
    # PutMetricData, parameter Namespace: its pattern, and "AWS/" is reserved
    if not 1 <= len(text) <= 255 or text.startswith(("AWS/", ":")) or not text.isascii() or not text.strip():
        raise values.Refused("is not a CloudWatch namespace", "1 to 255 ASCII characters, not beginning with AWS/")
    return text


_DURATION_SCHEMA: Final = WithJsonSchema(
    {"anyOf": [{"type": "string", "pattern": values.DURATION_PATTERN}, {"type": "number", "minimum": 0}]}
)
Interval = Annotated[float, BeforeValidator(_seconds(1.0, 7 * 86400.0, "1 second to 7 days")), _DURATION_SCHEMA]
Timeout = Annotated[float, BeforeValidator(_seconds(0.1, 900.0, "0.1 seconds to 15 minutes")), _DURATION_SCHEMA]
Flush = Annotated[float, BeforeValidator(_seconds(1.0, 3600.0, "1 second to 1 hour")), _DURATION_SCHEMA]
Name = Annotated[str, AfterValidator(values.name)]
Url = Annotated[str, AfterValidator(values.url), Field(json_schema_extra={"format": "uri"})]
Reference = Annotated[str, AfterValidator(values.reference), Field(json_schema_extra={"pattern": "^(env|file):"})]
Tool = Annotated[str, AfterValidator(values.tool_name)]
Revision = Annotated[str, AfterValidator(_revision), Field(json_schema_extra={"enum": [AUTO, *REVISIONS]})]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
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
    json_: Any = Field(default=None, alias="json", description="The structured content contains this value.")


class SentinelSection(Section):
    tool: Tool = Field(description="A tool that is safe to call on every probe.")
    arguments: dict[str, Any] = Field(default={}, description="Its arguments.")
    expect: ExpectSection = Field(default=ExpectSection(), description="What its answer must hold.")
    allow_destructive: bool = Field(default=False, description="Call it although the server calls it destructive.")


class AuthSection(Section):
    bearer: Reference = Field(description="Reference to a bearer token: env:NAME or file:/path.")


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
    verify_tls: bool | None = Field(default=None, description="Whether the certificate must be valid; true by default.")
    enabled: bool = Field(default=True, description="Whether it is probed.")


class DefaultsSection(Section):
    interval: Interval = Field(default=60.0, description="Interval of endpoints that give none.")
    timeout: Timeout | None = Field(default=None, description="Timeout of endpoints that give none; else 10s.")
    labels: dict[str, Text] = Field(default={}, description="Labels of every endpoint.")
    headers: dict[str, str] = Field(default={}, description="Headers sent to every endpoint.")
    verify_tls: bool = Field(default=True, description="Whether certificates must be valid.")


class IncidentsSection(Section):
    fail_after: Count = Field(default=3, description="Bad verdicts in a row that open an incident.")
    recover_after: Count = Field(default=2, description="Good verdicts in a row that close it.")


class NetworkSection(Section):
    allow_cidrs: list[Annotated[str, AfterValidator(_cidr)]] = Field(
        default=[], description="Private networks that may be probed."
    )
    allow_private: bool = Field(default=False, description="Whether every private address may be probed.")


class NotifierSection(BaseModel):
    """The rest of its keys belong to the kind."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    kind: Text = Field(description="Which channel: slack, sns, file, …")
    name: Name | None = Field(default=None, description="Unique name; the kind by default.")


class CloudWatchSection(Section):
    enabled: bool = Field(default=False, description="Whether custom metrics are published.")
    namespace: Annotated[str, AfterValidator(_metric_namespace)] = Field(
        default="McpProber", description="Namespace of the metrics."
    )
    region: Text | None = Field(default=None, description="AWS region; by default that of the AWS configuration.")
    flush: Flush = Field(default=60.0, description="Time between two uploads.")


class DashboardSection(Section):
    host: Text = Field(default="127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8080, description="Port to listen on; 0 is a free one.")
    public_url: Url | None = Field(default=None, description="Address under which people reach it, for links.")


class ConfigFile(Section):
    """What mcp-prober watches, and whom it tells."""

    endpoints: Annotated[list[EndpointSection], Field(max_length=MAX_ENDPOINTS)] = Field(
        description="The MCP servers to watch."
    )
    defaults: DefaultsSection = Field(default=DefaultsSection(), description="What holds for every endpoint.")
    incidents: IncidentsSection = Field(default=IncidentsSection(), description="When an incident opens and closes.")
    network: NetworkSection = Field(default=NetworkSection(), description="Which addresses may be probed.")
    notifiers: list[NotifierSection] = Field(default=[], description="Who is told about incidents.")
    cloudwatch: CloudWatchSection = Field(default=CloudWatchSection(), description="Custom metrics in CloudWatch.")
    dashboard: DashboardSection = Field(default=DashboardSection(), description="Where the dashboard listens.")
    location: Name = Field(default="local", description="Where this prober runs from, as shown in reports.")
    database_url: Text | None = Field(
        default=None, description="PostgreSQL to use, by reference; without it the prober brings its own."
    )
    data_dir: Text | None = Field(default=None, description="Directory for the prober's own PostgreSQL.")
