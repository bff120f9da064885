"""The server declares a capability that it does not serve, or serves one that it does not declare.

Source: MCP, server/tools, server/prompts and server/resources, "Capabilities", of each revision.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from checks.detectors.scene import Scene
from checks.messages import error_of
from checks.model import Effect, Evidence, Exchange, Proof
from checks.proofs import answer_line, answer_proof
from checks.spec import ErrorCode
from checks.unit import Cause, detector

_BROKEN_BEHIND: Final = (
    "The capability is meant, and what it reads is broken: then the server's log holds the error of this request."
)


@detector("capability-untruthful", effect=Effect.DEGRADED)
def capability_untruthful(evidence: Evidence) -> Cause | None:
    """The server declares a capability that it does not serve, or serves one that it does not declare."""
    return _unserved(evidence) or _undeclared(evidence)


def _unserved(evidence: Evidence) -> Cause | None:
    found = _in_state(evidence, "unserved")
    if not found:
        return None
    exchange = found[0][1]
    error = error_of(exchange)
    unknown = error is not None and error.code == ErrorCode.METHOD_NOT_FOUND
    return Scene(evidence, exchange).cause(
        0.95 if unknown else 0.75,
        f"{_joined(found)} declared, but not served: {exchange.rpc_method} → {answer_line(exchange)}.",
        "Take the capability out of what the server declares, or register what serves it. An SDK declares what it has "
        "handlers for: a declaration written by hand, or a gateway that answers the opening itself, is the usual "
        "reason.",
        proofs=_others(found),
        alternatives=() if unknown else (_BROKEN_BEHIND,),
    )


def _undeclared(evidence: Evidence) -> Cause | None:
    """No client is worse off than it knows, so this is information."""
    found = _in_state(evidence, "undeclared")
    if not found:
        return None
    exchange = found[0][1]
    return Scene(evidence, exchange).cause(
        0.9,
        f"{_joined(found)} served, but not declared: {exchange.rpc_method} → {answer_line(exchange)}.",
        "Declare it in the capabilities of the server: clients read them, and do not ask for what is not there.",
        proofs=_others(found),
        effect=Effect.INFORMATION,
    )


def _in_state(evidence: Evidence, state: str) -> list[tuple[str, Exchange]]:
    """The capabilities that the check found in this state, each with the exchange that shows it."""
    result = evidence.result("capabilities")
    facts: Mapping[str, Any] = {} if result is None else result.facts
    exchanges = {each.id: each for each in evidence.exchanges}
    kept = {name: facts[name] for name in ("tools", "prompts", "resources") if name in facts}
    return [
        (name, exchanges[fact["exchange"]])
        for name, fact in kept.items()
        if fact["state"] == state and fact["exchange"] in exchanges
    ]


def _others(found: Sequence[tuple[str, Exchange]]) -> tuple[Proof, ...]:
    return tuple(answer_proof(exchange) for _, exchange in found[1:])


def _joined(found: Sequence[tuple[str, Exchange]]) -> str:
    names = [name for name, _ in found]
    return f"{names[0]} is" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} are"
