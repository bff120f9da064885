"""Causes that a sentinel call shows: the tool fails, is denied, cannot be called, or answers something else."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from checks.detectors.defects import excess_of
from checks.detectors.scene import Scene
from checks.detectors.session import is_lost_session
from checks.messages import error_of, error_text_of, result_of, text_of
from checks.model import Effect, Evidence, Exchange, Proof
from checks.plateaus import is_at_whole_seconds, round_trip_ms, server_wait_ms
from checks.symptoms import Symptom, symptom_of
from checks.text import clean
from checks.unit import Cause, detector

# IAM user guide, "Troubleshoot access denied error messages": who, what, on what, and which policy is at fault
_ACTION: Final = re.compile(
    r"not authorized to perform: *(?P<action>[a-z0-9-]+:[A-Za-z]+)(?: on resource: *\"?(?P<on>[^\s\"]+))?"
)
_PRINCIPAL: Final = re.compile(r"\b(?:User|Role): *(?P<who>arn:aws[a-z-]*:[a-z]+::[0-9]*:\S+)")
_ROLE: Final = re.compile(r":(?:assumed-role/|role/(?:[^/\s]+/)*)(?P<role>[A-Za-z0-9+=,.@_-]+)")
_EXPLICIT: Final = re.compile(r"with an explicit deny(?: in an? (?P<policy>[a-z -]{1,60}policy))?")
# botocore, exceptions.ClientError: how the SDK for Python words every error of a service
_OPERATION: Final = re.compile(r"when calling the (?P<operation>[A-Za-z]+) operation")

_TIMED_OUT: Final = "The tool ran into the function's time limit: then the log says `Task timed out`."
_RAISED: Final = (
    "The tool's error took the handler or the process with it: then the log has a traceback or Runtime.ExitError."
)
_TOO_LARGE: Final = (
    "The tool's answer is larger than a buffered one may be (6 MB, behind a load balancer 1 MB): the log then names "
    "Function.ResponseSizeTooLarge."
)

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
        Symptom.ERROR_REPORT,
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
    """A sentinel's tool is refused by IAM: the function's role lacks a permission.

    Facts: `action`, `resource` and `principal` as the refusal names them, or None.
    """
    found = _first(evidence, "access-denied")
    if found is None:
        return None
    tool, exchange = found
    text = _text(exchange)
    denial = _denial(text)
    cause = Scene(evidence, exchange).cause(
        0.9 if denial.action is not None else 0.8,
        f"IAM refuses the tool {tool}: {denial.lack}.",
        denial.fix,
        proofs=(Proof(text=_quoted(text), exchange=exchange.id), *_others(evidence, "access-denied", exchange)),
        alternatives=("A resource policy, a key policy or an organization's policy denies it: the text then says so.",),
    )
    return replace(cause, facts={"action": denial.action, "resource": denial.resource, "principal": denial.principal})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Denial:
    """What a refusal of IAM says of itself; None for what it leaves out."""

    action: str | None
    resource: str | None
    principal: str | None
    lack: str
    fix: str


def _denial(text: str) -> _Denial:
    found, who, operation = _ACTION.search(text), _PRINCIPAL.search(text), _OPERATION.search(text)
    action = clean(found["action"], 120) if found is not None else None
    resource = clean(found["on"].rstrip(".,"), 300) if found is not None and found["on"] else None
    principal = clean(who["who"].rstrip(".,"), 300) if who is not None else None
    named = _ROLE.search(principal or "")
    role = "the function's role" + (f" {named['role']}" if named is not None else "")
    if action is None:
        what = f" for the operation {clean(operation['operation'], 80)}" if operation is not None else ""
        lack = f"{role} lacks a permission{what}"
        fix = "Find the denied action in the tool's text or in CloudTrail, and allow it in the role's policy."
    elif (explicit := _EXPLICIT.search(text)) is not None:
        policy = explicit["policy"] or "policy"
        lack = f"an explicit deny in a {policy} keeps {role} from {action}"
        fix = f"Take {action} out of the deny statement of that {policy}: no allow stands above it."
    else:
        lack = f"{role} lacks {action}"
        statement = {"Effect": "Allow", "Action": action, "Resource": resource or "the resource that the tool reads"}
        fix = f"Allow it in the role's policy:\n  {json.dumps(statement, ensure_ascii=False)}"
    return _Denial(action=action, resource=resource, principal=principal, lack=lack, fix=fix)


@detector("sentinel-error", effect=Effect.DEGRADED)
def sentinel_error(evidence: Evidence) -> Cause | None:
    """A sentinel call is answered with a JSON-RPC error or an HTTP error instead of a tool result."""
    for tool, exchange in _with(evidence, "error"):
        symptom = symptom_of(exchange)
        if symptom in _EXPLAINED_ELSEWHERE or is_lost_session(evidence, exchange):
            continue
        excess = excess_of(exchange)
        if excess is not None:
            return Scene(evidence, exchange).cause(0.6, f"The answer of the tool {tool} {excess.text}.", excess.fix)
        error = error_of(exchange)
        said = f"JSON-RPC error {error.code}" if error is not None else f"HTTP {exchange.status} and no JSON-RPC"
        crashed = " The platform's error page says that the function failed." if symptom is Symptom.CRASH else ""
        return Scene(evidence, exchange).cause(
            0.9 if error is not None else 0.7,
            f"The call of the tool {tool} is answered with {said}.{crashed}",
            "-32602 means that name or arguments do not fit the tool's schema: correct the sentinel. Otherwise look in "
            "the function's log for the time of this call.",
            proofs=_others(evidence, "error", exchange),
            alternatives=_of_crash(evidence, exchange) if symptom is Symptom.CRASH else (),
        )
    return None


def _of_crash(evidence: Evidence, exchange: Exchange) -> tuple[str, ...]:
    """What one page of the platform may stand for, where only a tool is concerned; at whole seconds a limit first."""
    at_limit = is_at_whole_seconds(server_wait_ms(exchange), round_trip_ms(evidence.exchanges))
    return (
        *((_TIMED_OUT,) if at_limit else ()),
        _RAISED,
        _TOO_LARGE,
        *((_TIMED_OUT,) if not at_limit else ()),
    )


@detector("sentinel-mismatch", effect=Effect.DEGRADED)
def sentinel_mismatch(evidence: Evidence) -> Cause | None:
    """A sentinel answers, but not what its owner expects.

    An answer that breaks the outputSchema of its own tool is another finding of the same name, and told first.
    """
    invalid, mismatch = _first(evidence, "invalid"), _first(evidence, "mismatch")
    found = invalid or mismatch
    if found is None:
        return None
    tool, exchange = found
    said = next(fact["summary"] for fact in _facts(evidence) if fact["exchange"] == exchange.id)
    others = (*_others(evidence, "invalid", exchange), *_others(evidence, "mismatch", exchange))
    scene = Scene(evidence, exchange)
    if invalid is not None:
        return scene.cause(
            0.95,
            f"The tool {tool} breaks its own schema: {said}.",
            "Bring what the tool returns and the outputSchema that it declares into line: clients that check refuse "
            "such a result as a whole.",
            proofs=others,
        )
    return scene.cause(
        0.95,
        f"The tool {tool} does not answer as expected: {said}.",
        "If the new answer is right, correct `expect` of the sentinel; otherwise look for what changed in the tool or "
        "in the data behind it.",
        proofs=others,
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
    result = result_of(exchange)
    return error_text_of(exchange) if result is None else text_of(result)


def _quoted(text: str) -> str:
    return clean(text, 300)
