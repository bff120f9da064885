"""The configuration: environment over file over defaults, with every problem named in one run."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from prober.settings.loading import Judge, endpoint_from, expectation_from, load, no_more, parse, read_file
from prober.settings.model import (
    Access,
    CloudWatchSettings,
    DashboardSettings,
    EndpointOptions,
    MetricSet,
    Network,
    NotifierSpec,
    ObserverSettings,
    Retention,
    Settings,
    SpoolSettings,
    StatusSettings,
    WatchdogSettings,
)
from prober.settings.notifiers import from_file, notifier_settings, with_notifiers
from prober.settings.problems import ConfigError, Problem
from prober.settings.schema import ConfigFile

__all__ = [
    "Access",
    "CloudWatchSettings",
    "ConfigError",
    "DashboardSettings",
    "EndpointOptions",
    "Judge",
    "MetricSet",
    "Network",
    "NotifierSpec",
    "ObserverSettings",
    "Problem",
    "Retention",
    "Settings",
    "SpoolSettings",
    "StatusSettings",
    "WatchdogSettings",
    "endpoint_from",
    "expectation_from",
    "from_file",
    "json_schema",
    "load",
    "no_more",
    "notifier_settings",
    "parse",
    "read_file",
]


def json_schema(notifiers: Mapping[str, type[BaseModel]] | None = None) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the file, for editors; with the options of each given kind of notifier."""
    described = ConfigFile.model_json_schema(ref_template="#/$defs/{model}")
    if notifiers:
        described = with_notifiers(described, notifiers)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described, "title": "mcp-prober configuration"}
