"""How each sentinel of an endpoint stands: what became of it last, and since when."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from checks.inventory import spelled
from checks.model import ProbeReport, Sentinel
from checks.text import clean

STATES_KEPT: Final = 100

_KEY_DIGITS: Final = 16
_TOOL_KEPT: Final = 200
_SUMMARY_KEPT: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelState:
    """One sentinel as the latest probe that came to it left it."""

    key: str
    """Tells it from others of its endpoint, which may call the same tool with other arguments."""
    tool: str
    outcome: str
    """A value of `checks.protocol.sentinel_call.Called`."""
    since: datetime
    """The slot from which on every probe that came to it found this outcome."""
    at: datetime
    """The slot of the latest of them."""
    ms: float | None = None
    """How long the latest call took; None where nothing was called."""
    summary: str = ""


def after_probe(
    states: Sequence[SentinelState], sentinels: Sequence[Sentinel], report: ProbeReport
) -> tuple[SentinelState, ...]:
    """The states once this report is in, in the order of the endpoint's sentinels.

    A probe that did not come to its sentinels leaves them as they were; what is no longer a sentinel is forgotten.
    """
    before = {state.key: state for state in states}
    found = report.result("sentinel_call")
    facts = tuple(found.facts.get("sentinels", ())) if found is not None else ()
    told = dict(zip((_key(each) for each in sentinels), facts, strict=False)) if len(facts) == len(sentinels) else {}
    keys = dict.fromkeys(_key(each) for each in sentinels[:STATES_KEPT])
    after = (_state(key, before.get(key), told.get(key), report.slot) for key in keys)
    return tuple(state for state in after if state is not None)


def _state(
    key: str, before: SentinelState | None, fact: Mapping[str, Any] | None, slot: datetime
) -> SentinelState | None:
    if fact is None:
        return before
    is_same = before is not None and before.outcome == fact["outcome"]
    return SentinelState(
        key=key,
        tool=clean(fact["tool"], _TOOL_KEPT),
        outcome=fact["outcome"],
        since=before.since if before is not None and is_same else slot,
        at=slot,
        ms=fact["ms"],
        summary=clean(fact["summary"], _SUMMARY_KEPT),
    )


def _key(sentinel: Sentinel) -> str:
    text = spelled([sentinel.tool, dict(sentinel.arguments)])
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_KEY_DIGITS]
