"""Lists of tools that are no longer what was accepted, and what a deploy costs while its instances are on their way."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from checks.detectors.slow import is_observed
from checks.drift import Change, Difference, Impact, difference
from checks.encode import as_json
from checks.instances import limit_ms
from checks.inventory import Inventory
from checks.model import Effect, Evidence, Exchange, Proof
from checks.proofs import answer_proof, counted, milliseconds
from checks.protocol.sentinel_call import Called
from checks.reproduce import curl
from checks.text import clean
from checks.timing import first_wait_ms
from checks.tool_lists import Listing, latest_deploy, listings, remembered
from checks.tool_memory import AGREE, ToolMemory
from checks.unit import Cause, detector

_LINES: Final = 12
"""Changes that a diagnosis spells out."""
_FACTS: Final = 100

ENOUGH_HISTORY: Final = 5

_BY_CALLER: Final = "The tools depend on the caller: then other credentials see another list."
_ON_THE_WAY: Final = (
    "A deploy is under way: then the old list is gone within minutes.",
    "An alias or a canary shares requests out between two versions: then both lists keep coming "
    "(aws lambda get-alias --function-name NAME --name ALIAS shows RoutingConfig).",
    "The list depends on the instance or the moment, such as a date in a description or a registry that is filled "
    "while others are served: then `mcp-prober check` shows another list each time.",
    _BY_CALLER,
)
_ACCEPT: Final = (
    "If the change was meant, accept the new list: mcp-prober baseline accept NAME, or the button on the endpoint's "
    "page."
)
_REPIN: Final = (
    "Look at what the tool takes and does now; if a call is still safe, write the listed fingerprint as `pinned` of "
    "the sentinel."
)
_MEND: Final = (
    "If it was not meant, restore the old definition, or keep the old tool beside a new one with another name until "
    "its clients have moved."
)


@detector("tools-drift", effect=Effect.DEGRADED)
def tools_drift(evidence: Evidence) -> Cause | None:
    """The tools are no longer those that were accepted: what clients call may be gone, or take other arguments.

    A change counts once enough probes agree on it. Before that, and while different lists take turns, it is
    information, as is a change that breaks nobody. Where a sentinel pins its tool, any change of that tool counts: the
    tool is no longer watched.
    Facts: `changes` (each with `tool`, `path`, `kind`, `impact`, `certain`, `before`, `after`; at most `_FACTS`),
    `impact` (of the worst), `breaking`, `additive` and `text` (how many), `accepted` and `found` (fingerprints).
    """
    cause, paused = _drifted(evidence), _paused(evidence)
    if not paused:
        return cause
    tools = ", ".join(clean(fact["tool"], 60) for fact in paused[:3])
    told = f"A tool is not the one that was pinned, and is not called: {tools}."
    listing = evidence.result("tools_list")
    seen = listing.exchanges[0].id if listing is not None and listing.exchanges else None
    proofs = tuple(Proof(text=f"{clean(fact['tool'], 60)}: {fact['summary']}", exchange=seen) for fact in paused)
    if cause is not None:
        summary, fix = f"{cause.summary} {told}", f"{cause.fix}\n{_REPIN}"
        return replace(cause, summary=summary, evidence=(*cause.evidence, *proofs), fix=fix, effect=Effect.DEGRADED)
    return Cause(
        confidence=0.95,
        summary=told,
        evidence=proofs,
        fix=f"{_REPIN} {_MEND}",
        reproduce="" if listing is None or not listing.exchanges else _curl(evidence, listing.exchanges[0]),
        alternatives=_ON_THE_WAY,
        effect=Effect.DEGRADED,
    )


def _paused(evidence: Evidence) -> list[Mapping[str, Any]]:
    """What is known of the sentinels whose tools are no longer those that their owner pinned."""
    result = evidence.result("sentinel_call")
    facts = () if result is None else result.facts.get("sentinels", ())
    return [fact for fact in facts if fact["outcome"] == Called.CHANGED]


def _drifted(evidence: Evidence) -> Cause | None:
    found = listings(evidence)
    if not found:
        return None
    if len(found) > 1:
        return _within_one_probe(evidence, found)
    memory, accepted = remembered(evidence, evidence.opening.exchanges[0].started_at), evidence.history.accepted
    first = found[0].pages[0]
    if memory.takes_turns:
        return _between_probes(evidence, memory, first)
    if accepted is None:
        return None
    settled = memory.inventory(memory.settled)
    if settled is not None:
        return _changed(evidence, difference(accepted, settled), accepted, settled, first)
    return None if found[0].fingerprint == accepted.fingerprint else _not_yet(evidence, memory, accepted, found[0])


@detector("deploy-warming", effect=Effect.INFORMATION)
def deploy_warming(evidence: Evidence) -> Cause | None:
    """Slow because a new version has just been deployed, and its instances are not ready yet.

    Provisioned concurrency takes minutes to come up; what it does not serve meanwhile starts cold.
    """
    wait, limit = first_wait_ms(evidence.opening), _usual_limit_ms(evidence)
    if wait is None or limit is None or wait <= limit or not is_observed(evidence):
        return None
    deploy = latest_deploy(evidence)
    if deploy is None:
        return None
    first = evidence.opening.exchanges[0]
    return Cause(
        confidence=0.6,
        summary=f"Slow after a deploy: the first request waited {milliseconds(wait)}, where up to "
        f"{milliseconds(limit)} is ordinary; {deploy.what} was first seen {_since(first.started_at - deploy.at)}.",
        evidence=(
            Proof(text=f"first wait {milliseconds(wait)}, from request sent to first byte", exchange=first.id),
            Proof(text=f"ordinary up to {milliseconds(limit)}, by the probes before"),
            Proof(text=f"{deploy.what}, first seen at {deploy.at:%Y-%m-%d %H:%M:%S} UTC"),
        ),
        fix="Nothing, if it passes. Where clients notice: shift the alias to a new version only once its provisioned "
        "concurrency is READY.\n"
        "  aws lambda get-provisioned-concurrency-config --function-name NAME --qualifier ALIAS",
        reproduce=curl(first, insecure=not evidence.endpoint.verify_tls),
        alternatives=("The new version does more work per request: then it stays slow, and is called so.",),
    )


def _usual_limit_ms(evidence: Evidence) -> float | None:
    """From which wait on a probe is slow: by the past, or as the owner says where that is stricter."""
    usual, owner = evidence.history.usual_wait_ms or evidence.history.warm_wait_ms, evidence.endpoint.slow_after_s
    limits = [limit_ms(usual)] if len(usual) >= ENOUGH_HISTORY else []
    return min([*limits, *([] if owner is None else [owner * 1000])], default=None)


def _changed(
    evidence: Evidence, changes: Difference, accepted: Inventory, found: Inventory, first: Exchange
) -> Cause | None:
    impact = changes.impact
    if impact is None:
        return None
    certain = changes.is_certain or impact is not Impact.BREAKING
    return Cause(
        confidence=0.95 if certain else 0.6,
        summary=f"The tools changed against the accepted list: {_counts(changes)}; {_first(changes)}.",
        evidence=(answer_proof(first), *_lines(changes, first)),
        fix=_ACCEPT if impact is not Impact.BREAKING else f"{_MEND}\n{_ACCEPT}",
        reproduce=_curl(evidence, first),
        alternatives=(_BY_CALLER,),
        facts=_facts(changes, accepted, found),
        effect=None if impact is Impact.BREAKING else Effect.INFORMATION,
    )


def _not_yet(evidence: Evidence, memory: ToolMemory, accepted: Inventory, found: Listing) -> Cause:
    first, now = found.pages[0], found.inventory
    changes = difference(accepted, now)
    times = memory.fingerprints.count(found.fingerprint)
    return Cause(
        confidence=0.7,
        summary=f"A list of tools that is not the accepted one, in {times} of the last "
        f"{counted(len(memory.fingerprints), 'probe')}; it counts once {AGREE} agree. {_counts(changes).capitalize()}.",
        evidence=(answer_proof(first), *_lines(changes, first)),
        fix=_ACCEPT,
        reproduce=_curl(evidence, first),
        alternatives=_ON_THE_WAY,
        facts=_facts(changes, accepted, now),
        effect=Effect.INFORMATION,
    )


def _within_one_probe(evidence: Evidence, found: Sequence[Listing]) -> Cause:
    first = found[0].pages[0]
    changes = difference(found[0].inventory, found[1].inventory)
    return Cause(
        confidence=0.8,
        summary=f"Different versions answer: {counted(len(found), 'different list')} of tools within one probe. "
        f"{_counts(changes).capitalize()}.",
        evidence=(*(answer_proof(each.pages[0]) for each in found[:2]), *_lines(changes, found[1].pages[0])),
        fix="Wait for the end of the deploy. Where it lasts, give the versions lists that agree: a client keeps the "
        "list that it read, and calls whatever version answers.",
        reproduce=_curl(evidence, first),
        alternatives=_ON_THE_WAY,
        facts=_facts(changes, found[0].inventory, found[1].inventory),
        effect=Effect.INFORMATION,
    )


def _between_probes(evidence: Evidence, memory: ToolMemory, first: Exchange) -> Cause:
    kinds = list(dict.fromkeys(memory.fingerprints))
    letters = " ".join(chr(ord("A") + kinds.index(each)) for each in memory.fingerprints)
    return Cause(
        confidence=0.8,
        summary=f"Different versions answer: {counted(len(kinds), 'different list')} of tools take turns over the last "
        f"{counted(len(memory.fingerprints), 'probe')}.",
        evidence=(answer_proof(first), Proof(text=f"the lists of these probes, oldest first: {letters}")),
        fix="Wait for the end of the deploy. Where it lasts, give the versions lists that agree: a client keeps the "
        "list that it read, and calls whatever version answers.",
        reproduce=_curl(evidence, first),
        alternatives=_ON_THE_WAY,
        effect=Effect.INFORMATION,
    )


def _counts(changes: Difference) -> str:
    parts = [f"{changes.count(each)} {_WORDS[each]}" for each in Impact if changes.count(each)]
    more = "" if changes.is_whole else " and more"
    return f"{counted(len(changes.changes), 'change')}{more}, {', '.join(parts)}" if parts else "no change"


_WORDS: Final = {Impact.BREAKING: "breaking", Impact.ADDITIVE: "additive", Impact.TEXT: "of text only"}


def _first(changes: Difference) -> str:
    return f"first: {clean(changes.changes[0].line, 200)}"


def _lines(changes: Difference, exchange: Exchange) -> tuple[Proof, ...]:
    shown = [Proof(text=clean(each.line, 400), exchange=exchange.id) for each in changes.changes[:_LINES]]
    more = len(changes.changes) - len(shown)
    return (*shown, *([Proof(text=f"and {counted(more, 'more change')}")] if more > 0 else []))


def _facts(changes: Difference, accepted: Inventory, found: Inventory) -> dict[str, object]:
    listed: Sequence[Change] = changes.changes[:_FACTS]
    return {
        "changes": as_json(listed),
        "impact": None if changes.impact is None else changes.impact.value,
        **{each.value: changes.count(each) for each in Impact},
        "accepted": accepted.fingerprint,
        "found": found.fingerprint,
    }


def _since(passed: timedelta) -> str:
    minutes = int(passed.total_seconds() // 60)
    return "by this probe" if passed <= timedelta() else f"{counted(minutes, 'minute')} ago" if minutes else "just now"


def _curl(evidence: Evidence, exchange: Exchange) -> str:
    return curl(exchange, insecure=not evidence.endpoint.verify_tls)
