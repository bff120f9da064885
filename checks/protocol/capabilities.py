"""Is every declared capability served, and nothing served that is not declared?"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from checks.full_profile import opener_of, published, skipped, unobserved, why_not
from checks.messages import result_of
from checks.model import CheckResult, Exchange, Finding, Outcome, Profile
from checks.proofs import answer_line
from checks.spec import NEWEST_HANDSHAKE, NEWEST_STATELESS, Chapter, section
from checks.text import clean
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check

LIST_METHODS: Final[Mapping[str, str]] = {
    "tools": "tools/list",
    "prompts": "prompts/list",
    "resources": "resources/list",
}
"""The capabilities whose method has no effect and needs no params. The others would need either."""

_NAMES_KEPT: Final = 32


class Kept(StrEnum):
    """How one declaration is kept; the values stand in the check's facts."""

    SERVED = "served"
    """Declared, and answered with a list."""
    UNSERVED = "unserved"
    """Declared, and not answered with a result."""
    MISSHAPEN = "misshapen"
    """Declared, and answered with a result that holds no list."""
    UNDECLARED = "undeclared"
    """Not declared, and yet a list with something in it comes."""
    ABSENT = "absent"
    """Neither declared nor served. An empty list counts as that: it gives a client nothing to miss."""
    NOT_OBSERVED = "not-observed"


@check(
    "capabilities",
    Chapter(page="basic/lifecycle", anchor="capability-negotiation", until=NEWEST_HANDSHAKE),
    Chapter(page="server/discover", anchor="response", since=NEWEST_STATELESS),
    profiles=frozenset({Profile.FULL}),
)
async def capabilities(ctx: CheckContext) -> CheckResult:
    """Is every declared capability served, and nothing served that is not declared?

    Asks for prompts and resources; what came of asking for tools is known. Nothing is compared between the eras of one
    server, because official SDKs declare different things in each.
    Facts: `declared` (the names of all that is declared, at most `_NAMES_KEPT`), and for each of `tools`, `prompts`
    and `resources` a `{"state", "exchange", "said"}`, where `state` is a value of `Kept`.
    """
    reason = why_not(ctx)
    if reason is not None:
        return skipped("capabilities", reason)
    asked = {name: await ctx.wire.request(LIST_METHODS[name]) for name in ("prompts", "resources")}
    listing = ctx.result("tools_list")
    known = {"tools": listing.exchanges[0]} if listing is not None and listing.exchanges else {}
    declared = ctx.wire.opening.capabilities
    states = {name: _kept(name, declared, exchange) for name, exchange in (known | asked).items()}
    revision = published(opener_of(ctx).protocol_version)
    findings = [_finding(name, state, (known | asked)[name], revision) for name, state in states.items()]
    found = tuple(each for each in findings if each is not None)
    return CheckResult(
        check="capabilities",
        outcome=_outcome(states),
        summary=_summary(states, found),
        ms=elapsed_ms(tuple(asked.values())),
        exchanges=tuple(asked.values()),
        findings=found,
        facts={
            "declared": [clean(name, 100) for name in list(declared)[:_NAMES_KEPT]],
            **{name: _fact(state, (known | asked)[name]) for name, state in states.items()},
        },
    )


def _kept(name: str, declared: Mapping[str, Any], exchange: Exchange) -> Kept:
    if unobserved(exchange) is not None:
        return Kept.NOT_OBSERVED
    result = result_of(exchange)
    listed = None if result is None else result.get(name)
    if declared.get(name) is None:
        return Kept.UNDECLARED if isinstance(listed, list) and listed else Kept.ABSENT
    if result is None:
        return Kept.UNSERVED
    return Kept.SERVED if isinstance(listed, list) else Kept.MISSHAPEN


def _finding(name: str, state: Kept, exchange: Exchange, revision: str) -> Finding | None:
    method, rule = LIST_METHODS[name], section(revision, f"server/{name}", "capabilities")
    if state is Kept.UNSERVED:
        return Finding(text=f"{name} is declared, but {method} → {answer_line(exchange)}", rule=rule)
    if state is Kept.MISSHAPEN:
        return Finding(text=f"{name} is declared, but the result of {method} holds no array of them", rule=rule)
    if state is Kept.UNDECLARED:
        return Finding(text=f"{method} answers although {name} is not declared: clients will not ask", rule=rule)
    return None


def _outcome(states: Mapping[str, Kept]) -> Outcome:
    seen = set(states.values())
    if Kept.UNSERVED in seen:
        return Outcome.FAIL
    if seen & {Kept.MISSHAPEN, Kept.UNDECLARED}:
        return Outcome.WARN
    asked = [state for name, state in states.items() if name != "tools"]
    return Outcome.SKIP if set(asked) == {Kept.NOT_OBSERVED} else Outcome.PASS


def _summary(states: Mapping[str, Kept], findings: tuple[Finding, ...]) -> str:
    if findings:
        return "; ".join(finding.text for finding in findings)
    unseen = [name for name, state in states.items() if state is Kept.NOT_OBSERVED]
    served = [name for name, state in states.items() if state is Kept.SERVED]
    said = f"declared and served: {', '.join(served)}" if served else "nothing of tools, prompts, resources is declared"
    if not unseen:
        return said
    return f"{said}; not observed: {', '.join(unseen)}" if served else f"not observed: {', '.join(unseen)}"


def _fact(state: Kept, exchange: Exchange) -> dict[str, Any]:
    return {"state": state.value, "exchange": exchange.id, "said": answer_line(exchange)}
