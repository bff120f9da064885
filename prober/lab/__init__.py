"""A local stand-in for Lambda that breaks on command: for the demo, for tests and for trying the prober out."""

from prober.lab.faults import SCENARIOS
from prober.lab.lab import Lab, LabError, Served, chosen, list_text, serve
from prober.lab.scenario import EndpointHints, Front, Scenario, SentinelHint

__all__ = [
    "SCENARIOS",
    "EndpointHints",
    "Front",
    "Lab",
    "LabError",
    "Scenario",
    "SentinelHint",
    "Served",
    "chosen",
    "list_text",
    "serve",
]
