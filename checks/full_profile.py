"""What the checks of the full profile have in common: when they do not ask, by which method, and what says nothing."""

from typing import Final

from checks.messages import answer_of
from checks.model import CheckResult, Exchange, Failure, Opener, Outcome
from checks.proofs import answer_line
from checks.spec import REVISIONS, Era
from checks.symptoms import Symptom, symptom_of
from checks.unit import CheckContext

NO_REVISION: Final = "1900-01-01"
"""Looks like a revision and never was one; the specification's own example of an unknown version."""

_OF_THE_SERVER: Final = frozenset({Failure.LIMIT, Failure.PROTOCOL})
"""Transport errors that are about what came, not about whether anything could come."""

_AT_THE_DOOR: Final = frozenset(
    {
        Symptom.REDIRECT,
        Symptom.HOST_REJECTED,
        Symptom.UNAUTHENTICATED,
        Symptom.FORBIDDEN,
        Symptom.URL_FORBIDDEN,
        Symptom.URL_GONE,
        Symptom.SIGNATURE_REJECTED,
        Symptom.GATEWAY_REFUSED,
        Symptom.THROTTLED,
        Symptom.GATEWAY_TIMEOUT,
    }
)
"""Answers that need not come from the server: something before it may have given them."""


def why_not(ctx: CheckContext) -> str | None:
    """Why a check that builds on an open conversation and a working tool list does not ask, or None where it does."""
    if not ctx.wire.opening.established:
        return "not asked: no conversation is open"
    listing = ctx.result("tools_list")
    if listing is not None and listing.outcome is Outcome.FAIL:
        return "not asked: the tools could not be listed"
    return None


def skipped(check: str, reason: str) -> CheckResult:
    """The result of a check that asked nothing."""
    return CheckResult(check=check, outcome=Outcome.SKIP, summary=reason)


def harmless_method(ctx: CheckContext) -> str:
    """A method without params and without effects that this server should know: the tool list, where it has one."""
    listing = ctx.result("tools_list")
    if listing is None or listing.outcome is not Outcome.SKIP:
        return "tools/list"
    return "server/discover" if opener_of(ctx).era is Era.STATELESS else "ping"


def opener_of(ctx: CheckContext) -> Opener:
    """How the conversation was opened that `why_not` found open."""
    opener = ctx.wire.opening.opener
    assert opener is not None
    return opener


def unobserved(exchange: Exchange) -> str | None:
    """Why an exchange says nothing about how the server keeps the rules, in words; None where it does say something.

    The network, our own deadline, throttling, a gateway's patience and a refusal at the door are no rules of MCP.
    """
    failed = exchange.transport_error
    if failed is not None and failed.failure not in _OF_THE_SERVER and answer_of(exchange) is None:
        spent = failed.failure is Failure.DEADLINE and failed.reason == "exhausted"
        return "the time for this probe was used up" if spent else answer_line(exchange)
    return answer_line(exchange) if symptom_of(exchange) in _AT_THE_DOOR else None


def published(revision: str) -> str:
    """The revision by whose text an answer is measured: for an unpublished one, the newest before it."""
    known = [each for each in REVISIONS if each <= revision]
    return known[-1] if known else next(iter(REVISIONS))
