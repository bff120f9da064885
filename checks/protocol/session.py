"""Is the session honoured on every connection, and refused once it has ended?"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from checks.full_profile import harmless_method, opener_of, published, skipped, unobserved, why_not
from checks.messages import result_of
from checks.model import CheckResult, Exchange, Finding, Outcome, Profile
from checks.proofs import answer_line, counted
from checks.sessions import refuses_session, refuses_session_beside_others
from checks.spec import NEWEST_HANDSHAKE, Chapter, Era, Transport, section
from checks.symptoms import Symptom, symptom_of
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check

AT_ONCE: Final = 6
"""Connections at once. One after the other they would always meet the same warm instance; Lambda serves one request per
instance at a time, so that this many reach as many instances, unless one is free again before the next comes."""

_ENOUGH: Final = 2
"""Connections that must have been answered before their answers say something."""


class Ended(StrEnum):
    """What became of the session id after its end; the values stand in the check's facts."""

    REFUSED = "refused"
    """404, as specified."""
    REFUSED_OTHERWISE = "refused-otherwise"
    SERVED = "served"
    NOT_ALLOWED = "not-allowed"
    """DELETE is answered with 405, which the specification allows."""
    NOT_ENDED = "not-ended"
    """DELETE is answered with another error."""
    NOT_OBSERVED = "not-observed"
    NOT_ASKED = "not-asked"


@dataclass(frozen=True, slots=True)
class _Crowd:
    """What came back on the connections at once."""

    exchanges: tuple[Exchange, ...]
    honoured: tuple[Exchange, ...]
    refused: tuple[Exchange, ...]
    throttled: tuple[Exchange, ...]
    failed: tuple[Exchange, ...]
    """Anything else: no answer, an error page, an error that has nothing to do with the session."""


@check(
    "session",
    Chapter(page="basic/transports", anchor="session-management", since="2025-03-26", until=NEWEST_HANDSHAKE),
    profiles=frozenset({Profile.FULL}),
)
async def session(ctx: CheckContext) -> CheckResult:
    """Is the session honoured on every connection, and refused once it has ended?

    Asks `AT_ONCE` times at once, each time over a connection of its own, then ends the session and asks once more.
    Where every one of them is refused, the connection that the session was opened over is asked instead: a session
    that is refused there too is over for everybody, by an idle timeout or a deploy, and says nothing about instances.
    Facts: `asked` (connections at once), of which `honoured`, `refused`, `throttled` (HTTP 429) and `failed` (in
    another way, which says nothing about sessions); `refusals`, one `{"exchange", "status", "said"}` per refusal that
    blames the connection; `after_end`, a value of `Ended`.
    """
    reason = why_not(ctx) or _without_session(ctx)
    if reason is not None:
        return skipped("session", reason)
    method = harmless_method(ctx)
    crowd = _sorted(await ctx.wire.at_once(method, AT_ONCE))
    control = (await ctx.wire.request(method),) if crowd.refused and not crowd.honoured else ()
    if control and result_of(control[0]) is None:
        return _for_everybody(crowd, control[0])
    ended, after = (Ended.NOT_ASKED, ()) if crowd.refused else await _end(ctx, method)
    findings = tuple(_findings(ctx, ended, after))
    exchanges = (*crowd.exchanges, *control, *after)
    return CheckResult(
        check="session",
        outcome=_outcome(crowd, findings),
        summary="; ".join([_of_crowd(crowd), *_of_end(ended, after)]),
        ms=elapsed_ms(exchanges),
        exchanges=exchanges,
        findings=findings,
        facts=_facts(crowd, ended),
    )


def _for_everybody(crowd: _Crowd, control: Exchange) -> CheckResult:
    """The result where nobody is served, so that nothing can be laid on the connections."""
    over = (
        "the session is over, whoever asks" if refuses_session(control) else "whether the session is over was not seen"
    )
    exchanges = (*crowd.exchanges, control)
    return CheckResult(
        check="session",
        outcome=Outcome.SKIP,
        summary=f"{over}: {_of_crowd(crowd)}; over the connection that it was opened over: {answer_line(control)}",
        ms=elapsed_ms(exchanges),
        exchanges=exchanges,
        facts={**_facts(crowd, Ended.NOT_ASKED), "refusals": []},
    )


def _without_session(ctx: CheckContext) -> str | None:
    opener = opener_of(ctx)
    if opener.era is Era.STATELESS:
        return "not asked: the stateless era has no sessions"
    if opener.transport is Transport.SSE:
        return "not asked: a session over HTTP+SSE is bound to its one event stream"
    return None if ctx.wire.opening.has_session else "not asked: the server gives out no session id"


def _sorted(exchanges: Sequence[Exchange]) -> _Crowd:
    honoured = tuple(each for each in exchanges if result_of(each) is not None)
    refuses = refuses_session_beside_others if honoured else refuses_session
    refused = tuple(each for each in exchanges if refuses(each))
    throttled = tuple(each for each in exchanges if symptom_of(each) is Symptom.THROTTLED)
    known = {each.id for each in (*honoured, *refused, *throttled)}
    failed = tuple(each for each in exchanges if each.id not in known)
    return _Crowd(tuple(exchanges), honoured, refused, throttled, failed)


async def _end(ctx: CheckContext, method: str) -> tuple[Ended, tuple[Exchange, ...]]:
    """What became of the session once it was ended, and the exchanges that show it."""
    ending = await ctx.wire.end_session()
    if ending is None:
        return Ended.NOT_ASKED, ()
    if unobserved(ending) is not None:
        return Ended.NOT_OBSERVED, (ending,)
    if not 200 <= (ending.status or 0) < 300:
        return (Ended.NOT_ALLOWED if ending.status == 405 else Ended.NOT_ENDED), (ending,)
    after = await ctx.wire.request(method)
    return _after_end(after), (ending, after)


def _after_end(after: Exchange) -> Ended:
    if symptom_of(after) is Symptom.ANSWERED:
        return Ended.SERVED
    if after.status == 404:
        return Ended.REFUSED
    unseen = unobserved(after) is not None or (after.status or 0) >= 500
    return Ended.NOT_OBSERVED if unseen else Ended.REFUSED_OTHERWISE


def _findings(ctx: CheckContext, ended: Ended, after: Sequence[Exchange]) -> list[Finding]:
    if ended not in (Ended.SERVED, Ended.REFUSED_OTHERWISE):
        return []
    rule = section(_ruling(opener_of(ctx).protocol_version), "basic/transports", "session-management")
    return [Finding(text=f"a session that was ended by DELETE is {_answered_how(ended, after[-1])}", rule=rule)]


def _ruling(version: str) -> str:
    """The revision whose rule on sessions applies: 2024-11-05 has none, and servers that speak it on this transport
    have theirs from its successor."""
    return max(published(version), "2025-03-26")


def _answered_how(ended: Ended, after: Exchange) -> str:
    if ended is Ended.SERVED:
        return f"not refused with 404: {answer_line(after)}"
    return f"refused, but not with 404: {answer_line(after)}"


def _outcome(crowd: _Crowd, findings: Sequence[Finding]) -> Outcome:
    if crowd.refused:
        return Outcome.FAIL
    if findings:
        return Outcome.WARN
    return Outcome.PASS if len(crowd.honoured) >= _ENOUGH else Outcome.SKIP


def _of_crowd(crowd: _Crowd) -> str:
    asked = len(crowd.exchanges)
    if not asked:
        return "not asked over several connections at once"
    connections = counted(asked, "connection")
    parts = [f"{len(crowd.honoured)} of {connections} at once honour the session"]
    if crowd.refused:
        parts.append(f"{len(crowd.refused)} refuse it: {answer_line(crowd.refused[0])}")
    if crowd.throttled:
        parts.append(
            f"{len(crowd.throttled)} are throttled (HTTP 429: the concurrency reserved for the function or left in the "
            "account does not reach), which says nothing about the session"
        )
    if crowd.failed:
        parts.append(f"{len(crowd.failed)} fail in another way: {answer_line(crowd.failed[0])}")
    return ", ".join(parts)


def _of_end(ended: Ended, after: Sequence[Exchange]) -> list[str]:
    """What is to be said about the end of the session, where it was asked for."""
    said = {
        Ended.REFUSED: "ended by DELETE, it is refused with 404",
        Ended.NOT_ALLOWED: "DELETE is not allowed (405), as the server may",
    }
    if ended is Ended.NOT_ASKED:
        return []
    if ended in said:
        return [said[ended]]
    if ended is Ended.NOT_ENDED:
        return [f"DELETE does not end it: {answer_line(after[-1])}"]
    if ended is Ended.NOT_OBSERVED:
        return [f"what its end changes was not seen: {answer_line(after[-1])}"]
    return [f"ended by DELETE, it is {_answered_how(ended, after[-1])}"]


def _facts(crowd: _Crowd, ended: Ended) -> dict[str, Any]:
    return {
        "asked": len(crowd.exchanges),
        "honoured": len(crowd.honoured),
        "refused": len(crowd.refused),
        "throttled": len(crowd.throttled),
        "failed": len(crowd.failed),
        "refusals": [{"exchange": each.id, "status": each.status, "said": answer_line(each)} for each in crowd.refused],
        "after_end": ended.value,
    }
