"""The configuration as the rest of the prober sees it: frozen values, every default filled in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checks.model import Endpoint
from prober.limits import Limits
from prober.secrets.allowance import AllowList


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRules:
    """How many verdicts in a row open an incident, and how many close it."""

    fail_after: int = 3
    recover_after: int = 2


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchSettings:
    """Whether and where metrics are published."""

    enabled: bool = False
    namespace: str = "McpProber"
    region: str | None = None
    """None: the region of the AWS configuration."""
    flush_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """Where the dashboard listens, and the address under which people reach it."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be configured, from the environment over the file over the defaults."""

    endpoints: tuple[Endpoint, ...] = ()
    incidents: IncidentRules = IncidentRules()
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
