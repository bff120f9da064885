"""Sentinel calls: tools that only read, or that the owner calls safe to repeat, with what is expected of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from checks.expectations import mismatch_of
from checks.inventory import fingerprint_of
from checks.messages import Tool, all_tools_of, error_of, error_text_of, result_of, text_of
from checks.mirrored import annotation_fault
from checks.model import CheckResult, Exchange, Finding, Opening, Outcome, Profile, Sentinel
from checks.proofs import answer_line, milliseconds
from checks.shapes import of_call, rulebook, structure_fault
from checks.spec import Chapter, Era
from checks.text import clean
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check

ACCESS_DENIED: Final = re.compile(
    r"\bAccessDenied(?:Exception|Fault)?\b|\bUnauthorizedOperation\b"
    r"|not authorized to perform: *[a-z0-9-]+:[A-Za-z]+"
)
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
    """Not as the owner expects."""
    INVALID = "invalid"
    """Not as the tool's own outputSchema says."""
    CHANGED = "changed"
    """Not called: the tool is no longer the one that the owner approved."""
    NOT_LISTED = "not-listed"
    SKIPPED = "skipped"
    """Not called, or not judged, for a reason that is no fault."""


@check(
    "sentinel_call",
    Chapter(page="server/tools", anchor="calling-tools"),
    profiles=frozenset({Profile.STANDARD, Profile.FULL}),
)
async def sentinel_call(ctx: CheckContext) -> CheckResult:
    """Do the tools really work: does each sentinel answer as its owner expects?

    Each sentinel is called once and never again, because only the owner knows what a repetition costs; what a server
    asks back is not answered. A tool is called where it is marked as read-only, or the owner calls it safe to repeat.
    Facts: `sentinels`, one `{"tool", "outcome", "ms", "summary", "exchange"}` per configured sentinel; outcomes are
    the values of `Called`, `ms` and `exchange` are None where nothing was called.
    """
    if not ctx.endpoint.sentinels:
        return _skip("no sentinel is configured")
    opener = ctx.wire.opening.opener
    if opener is None:
        return _skip("not asked: no conversation is open")
    listing = ctx.result("tools_list")
    if listing is not None and listing.outcome is Outcome.FAIL and not listing.facts.get("complete"):
        return _skip("not asked: the tools could not be listed")
    exchanges: list[Exchange] = []
    findings: list[Finding] = []
    facts: list[dict[str, Any]] = []
    revision = rulebook(opener)
    tools = [] if listing is None else all_tools_of(listing.exchanges)
    is_complete = listing is not None and bool(listing.facts.get("complete"))
    for sentinel in ctx.endpoint.sentinels:
        entries = [tool for tool in tools if tool.name == sentinel.tool]
        refusal = _refusal(sentinel, entries, ctx.wire.opening, is_complete=is_complete)
        if refusal is not None:
            facts.append(_fact(sentinel, *refusal))
            continue
        params = {"name": sentinel.tool, "arguments": dict(sentinel.arguments)}
        exchange = await ctx.wire.request("tools/call", params, progress=ctx.endpoint.streaming is True)
        exchanges.append(exchange)
        findings += _findings(sentinel, exchange, revision)
        facts.append(_fact(sentinel, *_judge(exchange, sentinel, entries, revision), exchange))
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


def _refusal(
    sentinel: Sentinel, entries: Sequence[Tool], opening: Opening, *, is_complete: bool
) -> tuple[Called, str] | None:
    """Why the sentinel is not called, or None. What is listed under its name are `entries`; a broken listing may hide
    a tool."""
    if is_complete and not entries:
        return Called.NOT_LISTED, "the server does not list it"
    changed = changed_since(sentinel, entries)
    if changed is not None:
        return Called.CHANGED, changed
    if not may_be_called(sentinel, entries):
        return Called.SKIPPED, f"not called: {_NOT_SAFE if entries else _NOT_SEEN}"
    if any(tool.needs_task for tool in entries):
        return Called.SKIPPED, "not called: it answers only clients that poll tasks"
    fault = _annotation_fault(entries) if _is_stateless(opening) else None
    return None if fault is None else (Called.SKIPPED, f"not called: clients must drop it, because {fault}")


_NOT_SAFE: Final = "the server does not mark it as read-only (if a call is safe to repeat, set safe_to_repeat: true)"
_NOT_SEEN: Final = "the list of tools is incomplete and does not show it"


def may_be_called(sentinel: Sentinel, entries: Sequence[Tool]) -> bool:
    """Whether a call harms nobody, by the word of the server or of the owner; `entries` are the tools of that name.

    Hints are only as good as the server (server/tools, ToolAnnotations); the owner vouches for one by naming the tool.
    """
    if not entries:
        return sentinel.safe_to_repeat and sentinel.pinned is None
    return sentinel.safe_to_repeat or all(tool.is_read_only for tool in entries)


def changed_since(sentinel: Sentinel, entries: Sequence[Tool]) -> str | None:
    """How a listed tool differs from the one that the owner pinned, or None."""
    listed = [fingerprint_of(tool.raw) for tool in entries] if sentinel.pinned is not None else []
    other = next((each for each in listed if each != sentinel.pinned), None)
    if other is None:
        return None
    return f"not called: it is no longer the tool that was pinned (pinned {sentinel.pinned}, listed {other})"


def _is_stateless(opening: Opening) -> bool:
    return opening.opener is not None and opening.opener.era is Era.STATELESS


def _annotation_fault(entries: Sequence[Tool]) -> str | None:
    return next((fault for tool in entries if (fault := annotation_fault(tool.raw.get("inputSchema")))), None)


def _judge(exchange: Exchange, sentinel: Sentinel, entries: Sequence[Tool], revision: str) -> tuple[Called, str]:
    error, result = error_of(exchange), result_of(exchange)
    if error is not None or result is None:
        denied = ACCESS_DENIED.search(error_text_of(exchange)) is not None
        return (Called.ACCESS_DENIED if denied else Called.ERROR), answer_line(exchange)
    if result.get("resultType") in ("input_required", "task"):
        return Called.SKIPPED, f"answers {result['resultType']}, which needs a client with more capabilities"
    fault = fault_of(result, sentinel, entries, revision)
    return fault or (Called.OK, f"answers in {milliseconds(exchange.timings.total_ms)}")


def fault_of(
    result: Mapping[str, Any], sentinel: Sentinel, entries: Sequence[Tool], revision: str
) -> tuple[Called, str] | None:
    """What is wrong with a tool's own result, however it was come by, or None; `entries` are the tools of that name."""
    text = text_of(result)
    denied = ACCESS_DENIED.search(text) is not None
    if result.get("isError") is True:
        return (Called.ACCESS_DENIED if denied else Called.FAILED), f"isError: {clean(text, 160) or 'no text'}"
    broken = structure_fault(result, entries[0].raw.get("outputSchema") if entries else None, revision)
    if broken is not None:
        return Called.INVALID, broken
    mismatch = mismatch_of(result, sentinel.expect)
    return None if mismatch is None else (Called.ACCESS_DENIED if denied else Called.MISMATCH, mismatch)


def _findings(sentinel: Sentinel, exchange: Exchange, revision: str) -> Iterator[Finding]:
    """Deviations in the answer's shape, which say nothing about whether the tool works."""
    name = clean(sentinel.tool, 60)
    for finding in islice(of_call(exchange, revision), _FINDINGS_KEPT):
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
