"""The configuration as the rest of the prober sees it: frozen values, every default filled in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from checks.model import Endpoint
from prober.incidents.notice import Route
from prober.incidents.rules import Alerting, Rules
from prober.incidents.windows import MaintenanceWindow
from prober.limits import Limits
from prober.secrets.allowance import AllowList


class MetricSet(StrEnum):
    """How much of an endpoint is published to CloudWatch, where every metric has a price."""

    NONE = "none"
    MINIMAL = "minimal"
    STANDARD = "standard"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointOptions:
    """What is decided for one endpoint beside how it is probed; None leaves it to the rest of the configuration."""

    fail_after: int | None = None
    recover_after: int | None = None
    depends_on: tuple[str, ...] = ()
    """Names of the endpoints whose trouble explains its own: nobody is told of it while one of them is not well."""
    metrics: MetricSet | None = None
    public: str | None = None
    """Its name on the public status page; None keeps it off that page."""
    written: Mapping[str, Any] | None = None
    """The entry as people wrote it who keep the endpoint in the database; None where the file keeps it. Whoever writes
    there need not be whoever runs the prober: a secret of such an endpoint has to be named by `secrets.allow`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings:
    """Where reports wait on the disk until the database has them."""

    quota_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how many days what is kept; None: for ever."""

    evidence_days: int = 3
    """What was sent and received in probes that found nothing wrong."""
    reports_days: int = 30
    """One row for each probe, and the evidence of those that found something wrong."""
    hours_days: int = 90
    """Figures by the hour."""
    days_days: int | None = None
    """Figures by the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverSettings:
    """How the prober notices that it is the one who cannot see."""

    canaries: tuple[str, ...] | None = None
    """`host:port` of places that answer whenever the network does. None: a few public ones, for public endpoints."""
    lag_ms: float = 250.0
    """From which delay of its own event loop a probe's figures are not believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogSettings:
    """Who is told that this prober is alive, each time that a probe, its commit and the delivery have worked."""

    url: str | None = field(default=None, repr=False)
    """Or a reference to it; such an address is a secret."""
    every_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSettings:
    """Where a worker answers `/livez`, `/readyz` and `/metrics`; None: nowhere."""

    host: str = "127.0.0.1"
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Which addresses beyond the public ones may be probed."""

    allow_cidrs: tuple[str, ...] = ()
    allow_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierSpec:
    """One channel. Its own options are judged by its kind, see `prober.settings.notifier_settings`."""

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    place: str = ""
    """Where the channel stands in the file, for messages."""
    option_places: Mapping[str, str] = field(default_factory=dict, repr=False)
    directory: Path = Path()
    """Where relative paths among the options begin."""
    route: Route = Route(channel="")
    fallback: str | None = None
    """Name of the channel that takes over what this one refuses for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchSettings:
    """Whether and where metrics are published."""

    enabled: bool = False
    namespace: str = "McpProber"
    region: str | None = None
    """None: the region of the AWS configuration."""
    flush_s: float = 60.0
    metrics: MetricSet = MetricSet.STANDARD
    """Of endpoints that decide nothing else."""
    aggregates: bool = True
    """Whether figures of the whole fleet are published."""
    emf_file: Path | None = None
    """Embedded metric format is appended to this file instead of calling PutMetricData; `/dev/stdout` works."""


class Access(StrEnum):
    """Who may come in to the dashboard."""

    LOGIN = "login"
    """Whoever says who they are."""
    OPEN = "open"
    """Everybody, and each may do everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """Where the dashboard listens, and the address under which people reach it."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str | None = None
    access: Access | None = None
    """None: `prober.app.dashboard_process` decides by where it listens."""
    login_idle: float = 43_200.0
    """Seconds without a request after which a login ends."""
    login_lasts: float = 604_800.0
    """Seconds after which a login ends in any case."""
    vouching: Mapping[str, str] = field(default_factory=dict)
    """Who vouches for people beside their passwords, as variables that the dashboard's process reads. Without secrets:
    that of the client is a reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be configured, from the environment over the file over the defaults."""

    endpoints: tuple[Endpoint, ...] = ()
    options: Mapping[str, EndpointOptions] = field(default_factory=dict)
    """By the name of the endpoint; those without any are left out."""
    rules: Rules = Rules()
    alerting: Alerting = Alerting()
    maintenance: tuple[MaintenanceWindow, ...] = ()
    spool: SpoolSettings = SpoolSettings()
    retention: Retention = Retention()
    observer: ObserverSettings = ObserverSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    status: StatusSettings = StatusSettings()
    network: Network = Network()
    limits: Limits = Limits()
    secrets: AllowList | None = None
    """None: every reference may be used, because whoever writes the file is whoever runs the prober."""
    notifiers: tuple[NotifierSpec, ...] = ()
    cloudwatch: CloudWatchSettings = CloudWatchSettings()
    dashboard: DashboardSettings = DashboardSettings()
    location: str = "local"
    database_url: str | None = field(default=None, repr=False)
    """None: a PostgreSQL of the prober's own. It may hold a password."""
    data_dir: Path | None = None
    """None: the data directory of the platform."""
