"""Sentinel calls: tools that the owner declared safe to call, with what he expects to see."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from checks.messages import Tool, all_tools_of, error_of, result_of, text_of
from checks.mirrored import annotation_fault
from checks.model import CheckResult, Exchange, Expectation, Finding, Opening, Outcome, Profile, Sentinel
from checks.proofs import answer_line, milliseconds, shown_json
from checks.shapes import of_call, rulebook
from checks.spec import Era
from checks.text import clean
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check

ACCESS_DENIED: Final = re.compile(r"AccessDenied(?:Exception)?\b|not authorized to perform: *[a-z0-9-]+:[A-Za-z]+")
"""How an IAM refusal reads in the text of a tool result: the SDK's exception name, or IAM's own sentence."""

_FINDINGS_KEPT: Final = 20
"""Of one answer."""


class Called(StrEnum):
    """How one sentinel ended; the values stand in the check's facts."""

    OK = "ok"
    FAILED = "failed"
    """The result says `isError`."""
    ACCESS_DENIED = "access-denied"
    ERROR = "error"
    """A JSON-RPC error, or no JSON-RPC answer at all."""
    MISMATCH = "mismatch"
    NOT_LISTED = "not-listed"
    SKIPPED = "skipped"


@check("sentinel_call", profiles=frozenset({Profile.STANDARD, Profile.FULL}))
async def sentinel_call(ctx: CheckContext) -> CheckResult:
    """Do the tools really work: does each sentinel answer as its owner expects?

    Each sentinel is called once and never again, because only the owner knows what a repetition costs.
    Facts: `sentinels`, one `{"tool", "outcome", "ms", "summary", "exchange"}` per configured sentinel; outcomes are
    the values of `Called`, `ms` and `exchange` are None where nothing was called.
    """
    if not ctx.endpoint.sentinels:
        return _skip("no sentinel is configured")
    if not ctx.wire.opening.established:
        return _skip("not asked: no conversation is open")
    listing = ctx.result("tools_list")
    if listing is not None and listing.outcome is Outcome.FAIL and not listing.facts.get("complete"):
        return _skip("not asked: the tools could not be listed")
    exchanges: list[Exchange] = []
    findings: list[Finding] = []
    facts: list[dict[str, Any]] = []
    for sentinel in ctx.endpoint.sentinels:
        refusal = None if listing is None else _refusal(sentinel, listing, ctx.wire.opening)
        if refusal is not None:
            facts.append(_fact(sentinel, *refusal))
            continue
        params = {"name": sentinel.tool, "arguments": dict(sentinel.arguments)}
        exchange = await ctx.wire.request("tools/call", params, progress=ctx.endpoint.streaming is True)
        exchanges.append(exchange)
        findings += _findings(ctx, sentinel, exchange)
        facts.append(_fact(sentinel, *_judge(exchange, sentinel.expect), exchange))
    return CheckResult(
        check="sentinel_call",
        outcome=_outcome(facts, findings),
        summary="; ".join(f"{clean(fact['tool'], 60)}: {fact['summary']}" for fact in facts[:5]),
        ms=elapsed_ms(exchanges),
        exchanges=tuple(exchanges),
        findings=tuple(findings),
        facts={"sentinels": facts},
    )


def _skip(summary: str) -> CheckResult:
    return CheckResult(check="sentinel_call", outcome=Outcome.SKIP, summary=summary)


def _refusal(sentinel: Sentinel, listing: CheckResult, opening: Opening) -> tuple[Called, str] | None:
    """Why the sentinel is not called, or None. A tool that a broken listing may have hidden is called all the same."""
    entries = [tool for tool in all_tools_of(listing.exchanges) if tool.name == sentinel.tool]
    if listing.facts.get("complete") and not entries:
        return Called.NOT_LISTED, "the server does not list it"
    if any(tool.is_destructive for tool in entries) and not sentinel.allow_destructive:
        return Called.SKIPPED, "not called: the server marks it as destructive (set allow_destructive to call it)"
    if any(tool.needs_task for tool in entries):
        return Called.SKIPPED, "not called: it answers only clients that poll tasks"
    fault = _annotation_fault(entries) if _is_stateless(opening) else None
    return None if fault is None else (Called.SKIPPED, f"not called: clients must drop it, because {fault}")


def _is_stateless(opening: Opening) -> bool:
    return opening.opener is not None and opening.opener.era is Era.STATELESS


def _annotation_fault(entries: Sequence[Tool]) -> str | None:
    return next((fault for tool in entries if (fault := annotation_fault(tool.raw.get("inputSchema")))), None)


def _judge(exchange: Exchange, expect: Expectation) -> tuple[Called, str]:
    error, result = error_of(exchange), result_of(exchange)
    if error is not None or result is None:
        denied = error is not None and ACCESS_DENIED.search(error.message) is not None
        return (Called.ACCESS_DENIED if denied else Called.ERROR), answer_line(exchange)
    if result.get("resultType") in ("input_required", "task"):
        return Called.SKIPPED, f"answers {result['resultType']}, which needs a client with more capabilities"
    return fault_of(result, expect) or (Called.OK, f"answers in {milliseconds(exchange.timings.total_ms)}")


def fault_of(result: Mapping[str, Any], expect: Expectation) -> tuple[Called, str] | None:
    """What is wrong with a tool's own result, however it was come by, or None."""
    text = text_of(result)
    if result.get("isError") is True:
        denied = ACCESS_DENIED.search(text) is not None
        return (Called.ACCESS_DENIED if denied else Called.FAILED), f"isError: {clean(text, 160) or 'no text'}"
    mismatch = _mismatch(result, text, expect)
    return None if mismatch is None else (Called.MISMATCH, mismatch)


def _mismatch(result: Mapping[str, Any], text: str, expect: Expectation) -> str | None:
    """What is not as expected, or None. Without an expectation any result is right, also one without content."""
    if expect.text is not None and expect.text not in text:
        return f"expected the text “{clean(expect.text, 80)}”, got “{clean(text, 120)}”"
    if expect.json is not None:
        structured = result.get("structuredContent")
        given = structured if structured is not None else _parsed(text)
        if not contains(given, expect.json):
            return f"expected {shown_json(expect.json)}, got {shown_json(given)}"
    return None


def contains(given: Any, expected: Any) -> bool:
    """Whether `given` holds all that is expected: objects by subset, everything else by equality.

    `true` is not `1`, as in JSON, although Python takes them for equal.
    """
    if isinstance(expected, Mapping):
        return isinstance(given, Mapping) and all(
            key in given and contains(given[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(given, list | tuple)
            and len(given) == len(expected)
            and all(contains(one, other) for one, other in zip(given, expected, strict=True))
        )
    if isinstance(expected, bool) or isinstance(given, bool):
        return given is expected
    return bool(given == expected)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _findings(ctx: CheckContext, sentinel: Sentinel, exchange: Exchange) -> Iterator[Finding]:
    """Deviations in the answer's shape, which say nothing about whether the tool works."""
    assert ctx.wire.opening.opener is not None
    listing = ctx.result("tools_list")
    listed = [] if listing is None else all_tools_of(listing.exchanges)
    declared = next((tool.raw.get("outputSchema") for tool in listed if tool.name == sentinel.tool), None)
    name = clean(sentinel.tool, 60)
    for finding in islice(of_call(exchange, declared, rulebook(ctx.wire.opening.opener)), _FINDINGS_KEPT):
        yield Finding(text=f"{name}: {finding.text}", rule=finding.rule)


def _outcome(facts: Sequence[Mapping[str, Any]], findings: Sequence[Finding]) -> Outcome:
    outcomes = {fact["outcome"] for fact in facts}
    if outcomes - {Called.OK, Called.SKIPPED}:
        return Outcome.FAIL
    if outcomes == {Called.SKIPPED} and not findings:
        return Outcome.SKIP
    return Outcome.WARN if findings or Called.SKIPPED in outcomes else Outcome.PASS


def _fact(sentinel: Sentinel, called: Called, summary: str, exchange: Exchange | None = None) -> dict[str, Any]:
    return {
        "tool": sentinel.tool,
        "outcome": called.value,
        "ms": None if exchange is None else exchange.timings.total_ms,
        "summary": summary,
        "exchange": None if exchange is None else exchange.id,
    }
