"""A deployment of MCP servers as its configuration tells it, the same for templates and for live accounts.

Everywhere None means that it cannot be told, and a text that holds `${` is told in part: what stands between the braces
is only known once it is deployed. Defaults of AWS are filled in by whoever makes the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DEFAULT_TIMEOUT_S: Final = 3.0
DEFAULT_MEMORY_MB: Final = 128
"""Lambda API reference, CreateFunction."""

REST_API_LIMIT_S: Final = 29.0
HTTP_API_LIMIT_S: Final = 30.0
"""API Gateway Developer Guide, quotas: integration timeouts that nobody has raised."""

CLOUDFRONT_READ_S: Final = 30.0
"""CloudFront Developer Guide, "Response timeout": the default."""
BALANCER_IDLE_S: Final = 60.0
"""User Guide for Application Load Balancers, "Connection idle timeout": the default."""


class Dialect(StrEnum):
    """In whose words a fix is told."""

    SAM = "sam"
    CLOUDFORMATION = "cloudformation"
    CDK = "cdk"
    CLI = "cli"
    """A live deployment, whose template we have not seen."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that is configured."""

    id: str
    """Logical id in a template, name or id in an account."""
    kind: str
    """Type of the resource."""
    path: tuple[str | int, ...] = ()
    """The way to its properties from the top of the template."""
    inherited: tuple[str | int, ...] | None = None
    """Where what it does not say itself may be said for all: the Globals of SAM."""


class Package(StrEnum):
    """How the code of a function is packed."""

    ZIP = "Zip"
    IMAGE = "Image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """A policy for browsers."""

    origins: tuple[str, ...] | None = ()
    headers: tuple[str, ...] | None = ()
    methods: tuple[str, ...] | None = ()
    exposed: tuple[str, ...] | None = ()
    credentials: bool | None = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionUrl:
    """A Function URL."""

    subject: Subject
    base: str = ""
    """Where its properties begin among those of the subject: `FunctionUrlConfig.` in SAM."""
    auth_type: str | None
    invoke_mode: str | None = "BUFFERED"
    cors: Cors | None = None
    grants_itself: bool = False
    """Whoever deploys it grants the public what it needs: SAM does."""
    needs_both: bool = True
    """Made since October 2025, so that both permissions are asked for."""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A statement of a function's resource policy."""

    subject: Subject
    action: str | None
    principal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A Lambda function with its Function URLs and its resource policy."""

    subject: Subject
    package: Package | None
    runtime: str | None
    handler: str | None
    architecture: str | None
    layers: tuple[str, ...] | None
    environment: Mapping[str, str] | None
    timeout_s: float | None
    memory_mb: float | None
    reserved: float | None
    """Reserved concurrency; -1 where there is none."""
    command: tuple[str, ...] = ()
    """What an image is told to run, where the configuration says so."""
    urls: tuple[FunctionUrl, ...] = ()
    grants: tuple[Grant, ...] | None = ()
    name: str = ""


class DoorKind(StrEnum):
    """What kind of gateway stands before a function."""

    REST_API = "REST API"
    HTTP_API = "HTTP API"
    BALANCER = "load balancer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A way from a gateway to a function."""

    subject: Subject
    base: str = ""
    method: str | None
    """`ANY` for all."""
    path: str | None
    """None for what no other route takes."""
    timeout_s: float | None = None
    """The gateway's limit on this route; None where it cannot be told."""
    streams: bool | None = False
    signed: bool = False
    """Requests have to be signed with AWS credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway with the routes of one function."""

    subject: Subject
    kind: DoorKind
    function: str
    """Id of the function."""
    routes: tuple[Route, ...]
    all_told: bool = True
    """No other route of it can lead to the function."""
    stage: str | None = None
    cors: Cors | None = None
    binary: tuple[str, ...] | None = ()
    address: str = ""


class Forwarded(StrEnum):
    """Which headers of a request CloudFront passes on, where it is no list."""

    ALL = "all"
    ALL_BUT_HOST = "all but Host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a CloudFront distribution does with requests for a function."""

    subject: Subject
    base: str
    function: str
    to_url: bool
    """The origin is the function's URL, not a gateway."""
    pattern: str
    methods: tuple[str, ...] | None
    forwards: Forwarded | frozenset[str] | None
    """Lower-case names where it is a list."""
    caches: bool | None
    signs: bool | None
    """Origin access control signs requests to the origin."""
    has_edge_function: bool
    read_timeout_s: float | None = CLOUDFRONT_READ_S
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """All that is judged together."""

    dialect: Dialect
    functions: tuple[Function, ...] = ()
    servers: frozenset[str] = frozenset()
    """Ids of the functions that are taken for MCP servers."""
    gateways: tuple[Gateway, ...] = ()
    behaviours: tuple[Behaviour, ...] = ()
    region: str | None = None
    client_timeout_s: float | None = None
    """How long clients wait, where somebody said it."""
    untold: tuple[str, ...] = ()
    """What cannot be told, in sentences."""

    @property
    def mcp_functions(self) -> Sequence[Function]:
        """The functions that are taken for MCP servers."""
        return [each for each in self.functions if each.subject.id in self.servers]

    def function(self, wanted: str) -> Function | None:
        """The function of this id."""
        return next((each for each in self.functions if each.subject.id == wanted), None)

    def gateways_of(self, function: Function) -> Sequence[Gateway]:
        """The gateways before a function."""
        return [each for each in self.gateways if each.function == function.subject.id]

    def behaviours_of(self, function: Function) -> Sequence[Behaviour]:
        """What CloudFront does before a function."""
        return [each for each in self.behaviours if each.function == function.subject.id]
