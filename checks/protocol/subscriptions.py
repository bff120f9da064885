"""`subscriptions/listen`: whether changes that the server announces can be listened for."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from checks.full_profile import opener_of, skipped, unobserved
from checks.messages import error_of
from checks.model import CheckResult, Exchange, Failure, Finding, OnRequest, Outcome, Profile
from checks.proofs import answer_line, milliseconds, shown_json
from checks.spec import EVENT_STREAM_TYPE, NEWEST_STATELESS, Chapter, Era, ErrorCode, section
from checks.unit import CheckContext, check

SUBSCRIPTION_ID: Final = "io.modelcontextprotocol/subscriptionId"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"

PATIENCE_MS: Final = 1000.0
"""An acknowledgement that has not come by then was held back by something, or is not going to come."""

_ANNOUNCED: Final = {"tools": "toolsListChanged", "prompts": "promptsListChanged", "resources": "resourcesListChanged"}
_PAGE: Final = "basic/patterns/subscriptions"
_ACKNOWLEDGMENT: Final = section(NEWEST_STATELESS, _PAGE, "acknowledgment")


@check(
    "subscriptions",
    Chapter(page="basic/patterns/subscriptions", since=NEWEST_STATELESS),
    profiles=frozenset({Profile.FULL}),
)
async def subscriptions(ctx: CheckContext) -> CheckResult:
    """Does the server acknowledge a subscription to the changes that it announces?

    Asked on request only, and only in the stateless era. The stream is closed at its first message. A server that
    announces no changes is asked for those of its tools, and may refuse.
    Facts: `announced` and `accepted`, names of the subscription's filter, and `acknowledged_ms`, from the start of the
    exchange, or None.
    """
    if OnRequest.SUBSCRIPTIONS not in ctx.endpoint.on_request:
        return skipped("subscriptions", "not asked: only on request")
    if not ctx.wire.opening.established:
        return skipped("subscriptions", "not asked: no conversation is open")
    if opener_of(ctx).era is not Era.STATELESS:
        return skipped("subscriptions", "not asked: revisions before 2026-07-28 have no subscriptions/listen")
    announced = _announced(ctx.wire.opening.capabilities)
    asked = announced or ["toolsListChanged"]
    exchange = await ctx.wire.listen(dict.fromkeys(asked, True))
    if not exchange.messages or error_of(exchange) is not None:
        return _unacknowledged(exchange, announced)
    findings = tuple(_violations(exchange, asked, announced))
    accepted = _accepted(exchange)
    named = ", ".join(name for name in asked if name in accepted) or "no change at all"
    return _result(
        exchange,
        Outcome.WARN if findings else Outcome.PASS,
        findings[0].text if findings else f"the server agrees to tell of {named}",
        announced,
        findings,
    )


def _announced(capabilities: Mapping[str, Any]) -> list[str]:
    """The changes of lists that the server declares to tell of."""
    return [
        kind
        for name, kind in _ANNOUNCED.items()
        if isinstance(capabilities.get(name), Mapping) and capabilities[name].get("listChanged") is True
    ]


def _unacknowledged(exchange: Exchange, announced: list[str]) -> CheckResult:
    """The result where no acknowledgement came: refused, silent, or not to be judged."""
    if _is_silent(exchange):
        waited = milliseconds(exchange.timings.total_ms)
        text = f"the stream of a subscription begins and stays silent: no acknowledgement within {waited}"
        return _result(exchange, Outcome.WARN, text, announced, (Finding(text=text, rule=_ACKNOWLEDGMENT),))
    said = answer_line(exchange)
    error = error_of(exchange)
    busy = error is not None and error.code == ErrorCode.INTERNAL_ERROR
    reason = unobserved(exchange)
    if reason is not None or busy or (exchange.status or 0) >= 500:
        return _result(exchange, Outcome.SKIP, f"not judged: {reason or said}", announced)
    if not announced:
        return _result(
            exchange, Outcome.SKIP, f"the server announces no changes, and takes no subscription: {said}", []
        )
    text = f"announces {', '.join(announced)} and takes no subscription to them: {said}"
    return _result(
        exchange, Outcome.WARN, text, announced, (Finding(text=text, rule=section(NEWEST_STATELESS, _PAGE)),)
    )


def _is_silent(exchange: Exchange) -> bool:
    """Whether an event stream came and no event within a time in which any server has written one."""
    streams = exchange.status == 200 and exchange.media_type == EVENT_STREAM_TYPE and not exchange.messages
    failed = exchange.transport_error
    if failed is None:
        return streams
    return streams and failed.failure is Failure.DEADLINE and exchange.timings.total_ms >= PATIENCE_MS


def _violations(exchange: Exchange, asked: list[str], announced: list[str]) -> Iterator[Finding]:
    first = exchange.messages[0].data
    method = first.get("method") if isinstance(first, Mapping) else None
    if method != ACKNOWLEDGED:
        came = shown_json(method if method is not None else first, 80)
        text = f"the first message of a subscription is {came} and no acknowledgement"
        yield Finding(text=text, rule=_ACKNOWLEDGMENT)
        return
    params = _mapping(first.get("params"))
    given = _mapping(params.get("_meta")).get(SUBSCRIPTION_ID)
    if not isinstance(given, str) or given != exchange.rpc_id:
        text = f"the acknowledgement names the subscription {shown_json(given, 60)} and not the request's id"
        yield Finding(text=text, rule=_ACKNOWLEDGMENT)
    if not isinstance(params.get("notifications"), Mapping):
        yield Finding(text="the acknowledgement does not say what was agreed to", rule=_ACKNOWLEDGMENT)
        return
    accepted = _accepted(exchange)
    more = [name for name in accepted if name not in asked]
    if more:
        text = f"the acknowledgement agrees to more than was asked for: {shown_json(more[0], 60)}"
        yield Finding(text=text, rule=section(NEWEST_STATELESS, _PAGE, "opening-a-stream"))
    left_out = [name for name in announced if name not in accepted]
    if left_out:
        text = f"announces {', '.join(left_out)} and does not agree to tell of it"
        yield Finding(text=text, rule=section(NEWEST_STATELESS, _PAGE, "notification-filter"))


def _accepted(exchange: Exchange) -> list[str]:
    """What the acknowledgement agrees to: the members of the filter that stand for something."""
    first = exchange.messages[0].data if exchange.messages else None
    agreed = _mapping(_mapping(_mapping(first).get("params")).get("notifications"))
    return [name for name, value in agreed.items() if value not in (False, None, [])]


def _result(
    exchange: Exchange, outcome: Outcome, summary: str, announced: list[str], findings: tuple[Finding, ...] = ()
) -> CheckResult:
    first = exchange.messages[0] if exchange.messages else None
    acknowledged = first is not None and _mapping(first.data).get("method") == ACKNOWLEDGED
    return CheckResult(
        check="subscriptions",
        outcome=outcome,
        summary=summary,
        ms=exchange.timings.total_ms,
        exchanges=(exchange,),
        findings=findings,
        facts={
            "announced": announced,
            "accepted": [name for name in _accepted(exchange) if name in _ANNOUNCED.values()],
            "acknowledged_ms": first.at_ms if first is not None and acknowledged else None,
        },
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
