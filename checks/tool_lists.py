"""Which lists of tools a probe read, and what is remembered once it is over."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from checks.instances import log_stream
from checks.inventory import Inventory, inventory_of
from checks.messages import all_tools_of, next_cursor_of, result_of
from checks.model import CheckResult, Evidence, Exchange, Opening, Outcome
from checks.protocol.order import Second
from checks.symptoms import first_asked
from checks.tool_memory import WARMING, Deploy, Reading, ToolMemory, after_probe

_VERSION: Final = re.compile(r"\[(\d{1,9})\]")


@dataclass(frozen=True, slots=True)
class Listing:
    """One list that was read to its end, with its pages."""

    fingerprint: str
    pages: tuple[Exchange, ...]

    @property
    def inventory(self) -> Inventory:
        return _inventory(self.pages)


def listings(evidence: Evidence) -> tuple[Listing, ...]:
    """The different lists that this probe read in one conversation, in the order in which it met them.

    None where the first was not read to its end, or holds nothing that a client could use. More than one shows that
    different versions answer.
    """
    first = evidence.result("tools_list")
    if first is None or first.outcome is Outcome.FAIL or not first.facts.get("complete"):
        return ()
    found = {first.facts["fingerprint"]: Listing(first.facts["fingerprint"], first_asked(first))}
    for pages in _read_again(evidence, first):
        fingerprint = _inventory(pages).fingerprint
        found.setdefault(fingerprint, Listing(fingerprint, tuple(pages)))
    return tuple(found.values())


def remembered(evidence: Evidence, at: datetime) -> ToolMemory:
    """What is known of the lists and deploys with this probe, which was made at `at`."""
    history, found = evidence.history, listings(evidence)
    accepted = None if history.accepted is None else history.accepted.fingerprint
    listed = found[0] if found else None
    reading = Reading(
        at=at,
        version=evidence.opening.server_version,
        function=function_version(evidence.opening),
        fingerprint=None if listed is None else listed.fingerprint,
        inventory=None if listed is None or listed.fingerprint == accepted else listed.inventory,
    )
    return after_probe(history.tools, reading, accepted=accepted)


def function_version(opening: Opening) -> str | None:
    """The version of the function that answered first, where a header names its log stream."""
    return version_in(log_stream(opening.exchanges[0]) if opening.exchanges else None)


def version_in(stream: str | None) -> str | None:
    """The published version in the name of a log stream, or None where it tells none.

    Such a name is `2026/11/20/[7]…`, or `2026/11/20/name[7]…` in a log group that functions share (AWS Lambda Developer
    Guide, "Configuring CloudWatch log groups"). `$LATEST` says nothing of a deploy.
    """
    found = _VERSION.search(stream) if stream is not None else None
    return found[1] if found is not None else None


def latest_deploy(evidence: Evidence) -> Deploy | None:
    """The deploy whose instances may still be on their way, or None where there is none."""
    if not evidence.opening.exchanges:
        return None
    now = evidence.opening.exchanges[0].started_at
    deploys = remembered(evidence, now).deploys
    return deploys[-1] if deploys and now - deploys[-1].at <= WARMING else None


def _read_again(evidence: Evidence, first: CheckResult) -> Iterator[Sequence[Exchange]]:
    """The pages of what was read again: by `order`, and by `session` over connections of their own."""
    again, crowd = evidence.result("order"), evidence.result("session")
    if again is not None and again.facts.get("second") in (Second.SAME, Second.REORDERED, Second.OTHER_TOOLS):
        yield again.exchanges
    if crowd is not None and len(first_asked(first)) == 1:
        yield from ([exchange] for exchange in crowd.exchanges if _is_whole_list(exchange))


def _is_whole_list(exchange: Exchange) -> bool:
    listed = (result_of(exchange) or {}).get("tools")
    return exchange.rpc_method == "tools/list" and isinstance(listed, list) and next_cursor_of(exchange) is None


def _inventory(pages: Sequence[Exchange]) -> Inventory:
    return inventory_of(tool.raw for tool in all_tools_of(pages))
