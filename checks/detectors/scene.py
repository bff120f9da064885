"""Where a detector looks: the exchange that shows a fault, and the cause that is built around it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from checks.front_door import FrontDoor, front_door_of
from checks.model import NOTHING, Effect, Evidence, Exchange, Proof
from checks.proofs import answer_proof, request_line
from checks.reproduce import curl
from checks.symptoms import Symptom, is_tool_call, symptom_of, troubled
from checks.unit import Cause

_UNKNOWN_METHOD: Final = (
    "A server of the handshake era that crashes on methods it does not know: then a probe with the era pinned "
    "(--era handshake, or `era: handshake` in the configuration) opens it."
)


@dataclass(frozen=True, slots=True)
class Scene:
    """One exchange that shows a fault, within the evidence of its probe."""

    evidence: Evidence
    exchange: Exchange

    @property
    def symptom(self) -> Symptom:
        return symptom_of(self.exchange)

    @property
    def door(self) -> FrontDoor:
        return front_door_of(self.exchange)

    @property
    def who(self) -> str:
        """The front door at the beginning of a sentence."""
        if self.door is FrontDoor.CLOUDFRONT:
            return self.door.value
        return "The gateway" if self.door is FrontDoor.UNKNOWN else f"The {self.door.value}"

    @property
    def asked(self) -> str:
        return request_line(self.exchange)

    @property
    def unknown_method(self) -> tuple[str, ...]:
        """What else a failure may be where the server was only asked what those of the stateless era alone know."""
        otherwise = any(each.rpc_method == "initialize" for each in self.evidence.opening.exchanges)
        return (_UNKNOWN_METHOD,) if self.exchange.rpc_method == "server/discover" and not otherwise else ()

    def cause(
        self,
        confidence: float,
        summary: str,
        fix: str,
        *,
        proofs: Sequence[Proof] = (),
        alternatives: Sequence[str] = (),
        effect: Effect | None = None,
        facts: Mapping[str, Any] = NOTHING,
    ) -> Cause:
        """The cause, with the answer itself as first proof and the request as the way to see it again.

        A fault seen in nothing but a tool call degrades the endpoint, unless `effect` says otherwise. Where we could
        not or would not ask, there is nothing to repeat: a refused address should not be asked by hand, either.
        """
        return Cause(
            confidence=confidence,
            # What the server said may bring a full stop of its own, or be cut.
            summary=summary[:-1] if summary.endswith(("..", "….")) else summary,
            evidence=(answer_proof(self.exchange), *proofs),
            fix=fix,
            reproduce="" if effect is Effect.UNKNOWN else self._curl(),
            alternatives=tuple(alternatives),
            facts=facts,
            effect=effect or (Effect.DEGRADED if is_tool_call(self.exchange) else None),
        )

    def _curl(self) -> str:
        return curl(self.exchange, insecure=not self.evidence.endpoint.verify_tls)


def scene(evidence: Evidence, *symptoms: Symptom, tool_calls: bool = False) -> Scene | None:
    """The exchange with one of these symptoms that says most, or None.

    Later exchanges got further than earlier ones. Tool calls count only where asked for: most of what can happen to a
    single tool is for the sentinel's own detectors to say.
    """
    shown = [
        exchange
        for exchange, symptom in troubled(evidence)
        if symptom in symptoms and (tool_calls or not is_tool_call(exchange))
    ]
    whole = [exchange for exchange in shown if not is_tool_call(exchange)]
    chosen = whole or shown
    return Scene(evidence, chosen[-1]) if chosen else None
