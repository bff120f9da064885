"""All checks and detectors: two explicit lists, whose order is the order in which they run."""

from typing import Final

from checks.protocol.lifecycle import lifecycle
from checks.protocol.sentinel_call import sentinel_call
from checks.protocol.streaming import streaming
from checks.protocol.tools_list import tools_list
from checks.unit import Check, Detector

CHECKS: Final[tuple[Check, ...]] = (lifecycle, tools_list, sentinel_call, streaming)

DETECTORS: Final[tuple[Detector, ...]] = ()
