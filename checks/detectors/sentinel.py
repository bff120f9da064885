"""Causes that a sentinel call shows: the tool fails, is denied, cannot be called, or answers something else."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from checks.detectors.scene import Scene
from checks.detectors.session import is_lost_session
from checks.messages import error_of, result_of, text_of
from checks.model import Effect, Evidence, Exchange, Proof
from checks.symptoms import Symptom, symptom_of
from checks.text import clean
from checks.unit import Cause, detector

_ACTION: Final = re.compile(
    r"not authorized to perform: *(?P<action>[a-z0-9-]+:[A-Za-z]+)(?: on resource: *(?P<on>\S+))?"
)
_OPERATION: Final = re.compile(r"when calling the (?P<operation>[A-Za-z]+) operation")

_EXPLAINED_ELSEWHERE: Final = frozenset(
    {
        Symptom.DNS,
        Symptom.CONNECT,
        Symptom.TLS,
        Symptom.TIMEOUT,
        Symptom.LOST,
        Symptom.BLOCKED,
        Symptom.OBSERVER,
        Symptom.ENVELOPE,
        Symptom.PRELUDE,
        Symptom.GO_STREAM,
        Symptom.HOST_REJECTED,
        Symptom.THROTTLED,
        Symptom.STREAM_EMPTY,
        Symptom.STREAM_TRUNCATED,
        Symptom.FOREIGN_FUNCTION,
    }
)
"""What has a detector of its own that reads tool calls, too."""


@detector("sentinel-failed", effect=Effect.DEGRADED)
def sentinel_failed(evidence: Evidence) -> Cause | None:
    """A sentinel's result says `isError`: the server is up, the tool does not work."""
    found = _first(evidence, "failed")
    if found is None:
        return None
    tool, exchange = found
    return Scene(evidence, exchange).cause(
        0.95,
        f"The tool {tool} answers with isError: {_quoted(_text(exchange)) or 'no text'}.",
        "Look in the function's log for the time of this call. If the arguments of the sentinel are no longer right, "
        "correct them in the endpoint's configuration.",
        proofs=_others(evidence, "failed", exchange),
    )


@detector("sentinel-access-denied", effect=Effect.DEGRADED)
def sentinel_access_denied(evidence: Evidence) -> Cause | None:
    """A sentinel's tool is refused by IAM: the function's role lacks a permission."""
    found = _first(evidence, "access-denied")
    if found is None:
        return None
    tool, exchange = found
    text = _text(exchange)
    action, operation = _ACTION.search(text), _OPERATION.search(text)
    if action is not None:
        lacking = f"the function's role lacks {action['action']}"
        resource = clean((action["on"] or "the resource that the tool reads").rstrip(".,"), 200)
        fix = (
            f"Allow it in the role's policy:\n"
            f'  {{"Effect": "Allow", "Action": "{action["action"]}", "Resource": "{resource}"}}'
        )
    else:
        named = f" for the operation {operation['operation']}" if operation is not None else ""
        lacking = f"the function's role lacks a permission{named}"
        fix = "Find the denied action in the tool's text or in CloudTrail, and allow it in the role's policy."
    return Scene(evidence, exchange).cause(
        0.9 if action is not None else 0.8,
        f"IAM refuses the tool {tool}: {lacking}.",
        fix,
        proofs=(Proof(text=_quoted(text), exchange=exchange.id), *_others(evidence, "access-denied", exchange)),
        alternatives=("A resource policy, a key policy or an organization's policy denies it: the text then says so.",),
    )


@detector("sentinel-error", effect=Effect.DEGRADED)
def sentinel_error(evidence: Evidence) -> Cause | None:
    """A sentinel call is answered with a JSON-RPC error or an HTTP error instead of a tool result."""
    for tool, exchange in _with(evidence, "error"):
        symptom = symptom_of(exchange)
        if symptom in _EXPLAINED_ELSEWHERE or is_lost_session(evidence, exchange):
            continue
        error = error_of(exchange)
        said = f"JSON-RPC error {error.code}" if error is not None else f"HTTP {exchange.status} and no JSON-RPC"
        crashed = " The platform's error page says that the function failed." if symptom is Symptom.CRASH else ""
        return Scene(evidence, exchange).cause(
            0.9 if error is not None else 0.7,
            f"The call of the tool {tool} is answered with {said}.{crashed}",
            "-32602 means that name or arguments do not fit the tool's schema: correct the sentinel. Otherwise look in "
            "the function's log for the time of this call.",
            proofs=_others(evidence, "error", exchange),
        )
    return None


@detector("sentinel-mismatch", effect=Effect.DEGRADED)
def sentinel_mismatch(evidence: Evidence) -> Cause | None:
    """A sentinel answers, but not what its owner expects."""
    found = _first(evidence, "mismatch")
    if found is None:
        return None
    tool, exchange = found
    fact = next(fact for fact in _facts(evidence) if fact["exchange"] == exchange.id)
    return Scene(evidence, exchange).cause(
        0.95,
        f"The tool {tool} does not answer as expected: {fact['summary']}.",
        "If the new answer is right, correct `expect` of the sentinel; otherwise look for what changed in the tool or "
        "in the data behind it.",
        proofs=_others(evidence, "mismatch", exchange),
    )


def _facts(evidence: Evidence) -> tuple[Mapping[str, Any], ...]:
    result = evidence.result("sentinel_call")
    return () if result is None else tuple(result.facts.get("sentinels", ()))


def _with(evidence: Evidence, outcome: str) -> Iterator[tuple[str, Exchange]]:
    """The cleaned tool name and the exchange of every sentinel that ended so."""
    result = evidence.result("sentinel_call")
    exchanges = {} if result is None else {exchange.id: exchange for exchange in result.exchanges}
    for fact in _facts(evidence):
        if fact["outcome"] == outcome and fact["exchange"] in exchanges:
            yield clean(fact["tool"], 80), exchanges[fact["exchange"]]


def _first(evidence: Evidence, outcome: str) -> tuple[str, Exchange] | None:
    return next(_with(evidence, outcome), None)


def _others(evidence: Evidence, outcome: str, shown: Exchange) -> tuple[Proof, ...]:
    """A proof for every further sentinel that ended the same way."""
    return tuple(
        Proof(text=f"{clean(fact['tool'], 60)}: {fact['summary']}", exchange=fact["exchange"])
        for fact in _facts(evidence)
        if fact["outcome"] == outcome and fact["exchange"] not in (None, shown.id)
    )


def _text(exchange: Exchange) -> str:
    result, error = result_of(exchange), error_of(exchange)
    if error is not None:
        return error.message
    return "" if result is None else text_of(result)


def _quoted(text: str) -> str:
    return clean(text, 300)
