"""Which clients can connect: those of which eras, and of which revisions?"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from checks.full_profile import opener_of, skipped, unobserved, why_not
from checks.messages import error_of, result_of, revision_of
from checks.model import CheckResult, Exchange, Finding, Opening, Outcome, Profile
from checks.proofs import answer_line, shown_json
from checks.spec import META_VERSION, NEWEST_STATELESS, REVISIONS, Chapter, Era, Transport, pinned_era, section
from checks.symptoms import Symptom, symptom_of
from checks.text import clean
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check

_OPENINGS: Final[Mapping[str, Era]] = {"initialize": Era.HANDSHAKE, "server/discover": Era.STATELESS}
_KEPT_FROM_DISCOVERY: Final = "not asked, because the endpoint's settings pin the handshake era"
"""Some servers do not survive `server/discover`; their owners pin the era."""
_HANDSHAKES: Final = tuple(revision for revision, era in REVISIONS.items() if era is Era.HANDSHAKE)


class Answer(StrEnum):
    """What a revision met that was offered; the values stand in the check's facts."""

    SERVED = "served"
    COUNTER_OFFERED = "counter-offered"
    """Another revision came back, as the handshake has it where the offered one is not served."""
    REFUSED = "refused"
    NOT_OBSERVED = "not-observed"


@dataclass(frozen=True, slots=True)
class Offer:
    """One revision that was offered, and what came of it."""

    revision: str
    answer: Answer
    detail: str = ""
    instead: str | None = None
    """The revision of a counter-offer, as it came."""
    exchange: Exchange | None = None

    @property
    def said(self) -> str:
        """The answer in one line, for people."""
        if self.answer is Answer.COUNTER_OFFERED:
            return f"counter-offered {clean(self.instead or '', 40)}"
        words = self.answer.value.replace("-", " ")
        return f"{words}: {self.detail}" if self.detail else words


@check(
    "eras",
    Chapter(
        page="basic/versioning",
        anchor="backward-compatibility-with-initialization-based-versions",
        since=NEWEST_STATELESS,
    ),
    profiles=frozenset({Profile.FULL}),
)
async def eras(ctx: CheckContext) -> CheckResult:
    """Which clients can connect: those of which eras, and of which revisions?

    Offers every published revision in a conversation of its own, over the transport of the open one, except those whose
    offer that one has seen answered. Over HTTP+SSE, and where the owner pins that era, only the revisions of the
    handshake.
    Facts: `revisions`, for each revision asked for a `{"answer", "said", "instead", "exchange"}`: a value of `Answer`,
    the same in one line (`served`, `counter-offered X`, `refused: …`, `not observed: …`), the revision of a
    counter-offer or None, and the exchange that shows it or None. `clients`, rows for people, each
    `{"clients", "connect", "detail"}` with `connect` one of `yes`, `no`, `unknown`. `transport`, over which all this
    holds. `echo_violations`, the revisions that are answered to other offers and not to their own.
    """
    reason = why_not(ctx)
    if reason is not None:
        return skipped("eras", reason)
    transport = opener_of(ctx).transport
    offers, beside = await _every_offer(ctx, transport)
    findings = tuple(_findings(offers))
    clients = list(_clients(offers))
    return CheckResult(
        check="eras",
        outcome=_outcome(offers, findings),
        summary=_summary(offers, findings),
        ms=elapsed_ms(beside),
        exchanges=beside,
        findings=findings,
        facts={
            "revisions": {offer.revision: _fact(offer) for offer in offers},
            "clients": clients,
            "transport": transport.value,
            "echo_violations": [offer.revision for offer in _unechoed(offers)],
        },
    )


async def _every_offer(ctx: CheckContext, transport: Transport) -> tuple[Sequence[Offer], tuple[Exchange, ...]]:
    """What became of every revision, with the exchanges that this took beside the open conversation."""
    pinned = pinned_era(ctx.endpoint.era, ctx.endpoint.protocol_version)
    known = {offer.revision: offer for offer in _already_made(ctx.wire.opening)}
    offers: list[Offer] = []
    beside: list[Exchange] = []
    for revision, era in REVISIONS.items():
        if transport is Transport.SSE and era is Era.STATELESS:
            continue
        if revision not in known and era is Era.STATELESS and pinned is Era.HANDSHAKE:
            known[revision] = Offer(revision, Answer.NOT_OBSERVED, _KEPT_FROM_DISCOVERY)
        elif revision not in known:
            opening = await ctx.wire.open_beside(era, revision)
            beside += opening.exchanges
            known[revision] = _of_opening(revision, opening)
        offers.append(known[revision])
    return offers, tuple(beside)


def _already_made(opening: Opening) -> Iterator[Offer]:
    """The offers of the open conversation that were answered, with those before a way in worked."""
    for exchange in opening.exchanges:
        revision = _offered(exchange)
        if revision in REVISIONS and _OPENINGS.get(exchange.rpc_method or "") is REVISIONS[revision]:
            offer = _judged(revision, exchange)
            if offer.answer is not Answer.NOT_OBSERVED:
                yield offer


def _offered(exchange: Exchange) -> str:
    """The revision that an opening request of ours offers; empty where the body, as it was kept, does not tell."""
    try:
        params = json.loads(exchange.request_body)["params"]
        stateless = exchange.rpc_method == "server/discover"
        offered = params["_meta"][META_VERSION] if stateless else params["protocolVersion"]
    except (ValueError, KeyError, TypeError):
        return ""
    return offered if isinstance(offered, str) else ""


def _of_opening(revision: str, opening: Opening) -> Offer:
    asked = [each for each in opening.exchanges if each.rpc_method in _OPENINGS] or list(opening.exchanges)
    if not asked:
        return Offer(revision, Answer.NOT_OBSERVED, "nothing was sent")
    return _judged(revision, asked[-1])


def _judged(revision: str, exchange: Exchange) -> Offer:
    unseen = unobserved(exchange)
    # A platform's error page may have any reason, and an unknown method is one of them only for some servers.
    if unseen is not None or symptom_of(exchange) is Symptom.CRASH:
        return Offer(revision, Answer.NOT_OBSERVED, unseen or answer_line(exchange), exchange=exchange)
    if REVISIONS[revision] is Era.STATELESS:
        return _judged_stateless(revision, exchange)
    spoken = revision_of(exchange)
    if spoken == revision:
        return Offer(revision, Answer.SERVED, exchange=exchange)
    if spoken is not None:
        return Offer(revision, Answer.COUNTER_OFFERED, instead=spoken, exchange=exchange)
    return Offer(revision, Answer.REFUSED, answer_line(exchange), exchange=exchange)


def _judged_stateless(revision: str, exchange: Exchange) -> Offer:
    result = result_of(exchange)
    if result is None:
        return Offer(revision, Answer.REFUSED, answer_line(exchange), exchange=exchange)
    listed = result.get("supportedVersions")
    if isinstance(listed, list) and revision in listed:
        return Offer(revision, Answer.SERVED, exchange=exchange)
    return Offer(revision, Answer.REFUSED, f"server/discover lists {shown_json(listed, 80)}", exchange=exchange)


def _unechoed(offers: Sequence[Offer]) -> list[Offer]:
    """Offers of a revision that the server answers to another offer, and not to its own."""
    spoken = {offer.instead for offer in offers if offer.answer is Answer.COUNTER_OFFERED}
    missed = (Answer.COUNTER_OFFERED, Answer.REFUSED)
    return [offer for offer in offers if offer.revision in spoken and offer.answer in missed]


def _findings(offers: Sequence[Offer]) -> Iterator[Finding]:
    unechoed = {offer.revision: offer for offer in _unechoed(offers)}
    for offer in unechoed.values():
        to = next(each.revision for each in offers if each.instead == offer.revision)
        text = f"answers {offer.revision} where {to} is offered, but where {offer.revision} itself is: {offer.said}"
        yield Finding(text=text, rule=section(offer.revision, "basic/lifecycle", "version-negotiation"))
    if not _spoken(offers):
        return
    for offer in offers:
        refused = offer.answer is Answer.REFUSED and offer.exchange is not None and error_of(offer.exchange) is not None
        if refused and offer.revision in _HANDSHAKES and offer.revision not in unechoed:
            text = (
                f"refuses {offer.revision} instead of offering a revision of its own: {offer.detail} (the "
                "specification's text wants the counter-offer, one of its examples shows an error)"
            )
            yield Finding(text=text, rule=section(offer.revision, "basic/lifecycle", "version-negotiation"))


def _spoken(offers: Sequence[Offer]) -> list[str]:
    """The revisions that the server answers to some offer of a handshake, oldest first."""
    handshakes = [offer for offer in offers if offer.revision in _HANDSHAKES]
    served = {offer.revision for offer in handshakes if offer.answer is Answer.SERVED}
    return sorted(served | {offer.instead for offer in handshakes if offer.instead is not None})


def _clients(offers: Sequence[Offer]) -> Iterator[dict[str, str]]:
    """Which kinds of clients find a common revision, in plain words."""
    stateless = next((offer for offer in offers if offer.revision == NEWEST_STATELESS), None)
    said = "HTTP+SSE carries only the handshake" if stateless is None else stateless.said
    no_way = stateless is None or stateless.answer is Answer.REFUSED
    unseen = stateless is not None and stateless.answer is Answer.NOT_OBSERVED
    yield _row(f"stateless-era clients ({NEWEST_STATELESS})", "no" if no_way else "unknown" if unseen else "yes", said)
    spoken = _spoken(offers)
    partly = any(offer.answer is Answer.NOT_OBSERVED for offer in offers if offer.revision in _HANDSHAKES)
    nobody = "unknown" if partly else "no"
    yield _row(
        "handshake-era clients that take a counter-offer",
        "yes" if spoken else nobody,
        f"where they speak {_listed(spoken)}" if spoken else "no revision of the handshake is answered",
    )
    served = [offer.revision for offer in offers if offer.answer is Answer.SERVED and offer.revision in _HANDSHAKES]
    yield _row(
        "handshake-era clients that take only what they offer",
        "yes" if served else nobody,
        f"where they offer {_listed(served)}" if served else "no revision of the handshake is answered with itself",
    )


def _row(clients: str, connect: str, detail: str) -> dict[str, str]:
    return {"clients": clients, "connect": connect, "detail": detail}


def _listed(revisions: Sequence[str]) -> str:
    names = [clean(each, 40) for each in revisions]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _outcome(offers: Sequence[Offer], findings: Sequence[Finding]) -> Outcome:
    if findings:
        return Outcome.WARN
    return Outcome.SKIP if all(offer.answer is Answer.NOT_OBSERVED for offer in offers) else Outcome.PASS


def _summary(offers: Sequence[Offer], findings: Sequence[Finding]) -> str:
    if findings:
        return "; ".join(finding.text for finding in findings)
    alike = {answer: [offer.revision for offer in offers if offer.answer is answer] for answer in Answer}
    return "; ".join(f"{answer.value}: {', '.join(revisions)}" for answer, revisions in alike.items() if revisions)


def _fact(offer: Offer) -> dict[str, Any]:
    return {
        "answer": offer.answer.value,
        "said": offer.said,
        "instead": None if offer.instead is None else clean(offer.instead, 40),
        "exchange": None if offer.exchange is None else offer.exchange.id,
    }
