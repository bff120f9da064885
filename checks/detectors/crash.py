"""Causes in the function itself, as far as the front door's error page shows them.

Every front door has one page for a function that failed, whatever the reason. What splits the reasons is how the
failure repeats: a crash comes at once, a time limit after the same whole seconds each time, and state that is used
twice spares the first request of an instance. `checks.second_look` asks what that takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from checks.cuts import cut_at_limit
from checks.detectors.not_run import NotRun, not_run
from checks.detectors.reported import reported_crash, reported_limit
from checks.detectors.scene import Scene
from checks.front_door import FrontDoor, front_door_of
from checks.model import CheckResult, Effect, Evidence, Exchange, Proof
from checks.plateaus import LEAST_LIMIT_MS, is_at_whole_seconds, round_trip_ms, server_wait_ms
from checks.proofs import answer_line, counted, header_proof, milliseconds, request_line
from checks.second_look import comes_from_function
from checks.symptoms import Symptom, error_message, first_asked, platform_error, symptom_of
from checks.text import clean
from checks.unit import Cause, detector

_ALONE_MS: Final = 2900.0
"""From here on one failure at whole seconds counts by itself: the default limit is three seconds."""

_ALIKE_MS: Final = 100.0
_ALIKE_SHARE: Final = 0.04
"""How far apart waits may lie that one limit cut off."""

_BIG: Final = frozenset({"tools/list", "tools/call", "resources/read"})
"""Methods whose answers can outgrow the limits of payloads."""


@dataclass(frozen=True)
class Failures:
    """How a function's failures repeat within one probe."""

    evidence: Evidence
    failed: tuple[Exchange, ...]
    """Requests for which the front door answered in the function's place, or the application with a 5xx, in order."""
    later: tuple[Exchange, ...]
    """Those of the second look, whatever came of them."""

    @property
    def first(self) -> Exchange:
        return self.failed[0]

    @property
    def found(self) -> Scene:
        return Scene(self.evidence, self.first)

    @cached_property
    def waits(self) -> tuple[float, ...]:
        return tuple(server_wait_ms(each) for each in self.failed)

    @cached_property
    def served(self) -> tuple[Exchange, ...]:
        """Requests of the second look that the function itself answered."""
        return tuple(each for each in self.later if each not in self.failed and comes_from_function(each))

    @property
    def by_platform(self) -> bool:
        """Whether AWS wrote the error page, not the application."""
        return all(_is_platform_page(each) for each in self.failed)

    def is_whole(self, ms: float) -> bool:
        return is_at_whole_seconds(ms, round_trip_ms(self.evidence.exchanges))


def failures_of(evidence: Evidence) -> Failures | None:
    """The failures of the opening, or of the tool list behind it; None where there are none."""
    result = evidence.result("tools_list" if evidence.opening.established else "lifecycle")
    again = () if result is None else tuple(each for each in result.exchanges if each not in first_asked(result))
    first = tuple(each for each in _decided(evidence, result) if symptom_of(each) is Symptom.CRASH)
    failed = (*first, *(each for each in again if symptom_of(each) is Symptom.CRASH))
    return Failures(evidence, failed, again) if first else None


def _decided(evidence: Evidence, result: CheckResult | None) -> Sequence[Exchange]:
    """The requests that decided: the last one, and in an opening `server/discover`, whose failure leads to another."""
    if evidence.opening.established:
        return () if result is None else first_asked(result)[-1:]
    tried = evidence.opening.exchanges
    asked = [each for each in tried if each.rpc_id is not None] or tried
    return [each for each in asked if each is asked[-1] or each.rpc_method == "server/discover"]


@detector("function-crash", effect=Effect.DOWN)
def function_crash(evidence: Evidence) -> Cause | None:
    """The platform answers for a function that failed: exception, failed start, missing wrapper, process exit."""
    failures = failures_of(evidence)
    if failures is None:
        return reported_crash(evidence)
    if _limit_of(failures) is not None or _spared(failures) is not None:
        return None
    found, exchange = failures.found, failures.first
    instead = not_run(found)
    if instead is not None:
        return _around(failures, instead)
    named = platform_error(exchange)
    door = "platform" if found.door is FrontDoor.UNKNOWN else found.door.value
    answered = f"answers {found.asked} with HTTP {exchange.status} after {milliseconds(server_wait_ms(exchange))}"
    if named is not None:
        summary = f"The {door} {answered}: Lambda could not run the function ({named})."
    elif failures.by_platform:
        summary = f"The {door} {answered}: the function failed{_how_it_repeats(failures)}."
    else:
        summary = f"The application behind the {door} {answered}{_how_it_repeats(failures)}."
    return found.cause(
        0.9 if failures.by_platform else 0.6,
        summary,
        _fix_of_platform(named) if named is not None else f"The reason stands in the function's log:\n{_log(exchange)}",
        proofs=_proofs(failures),
        alternatives=_crash_alternatives(failures),
    )


def _around(failures: Failures, instead: NotRun) -> Cause:
    """Something around the function failed, so that it did not run at all."""
    found = failures.found
    return found.cause(
        instead.confidence,
        f"{found.who} answers {found.asked} with HTTP {found.exchange.status}, and no function ran: {instead.what}.",
        instead.fix,
        proofs=_proofs(failures),
        alternatives=instead.others,
    )


@detector("function-timeout", effect=Effect.DOWN)
def function_timeout(evidence: Evidence) -> Cause | None:
    """The function runs into its time limit: the platform's error comes after the same wait each time."""
    failures = failures_of(evidence)
    confidence = None if failures is None else _limit_of(failures)
    if failures is None or confidence is None:
        return reported_limit(evidence) or _cut_stream(evidence)
    exchange, waits = failures.first, [milliseconds(each) for each in failures.waits]
    limit = max(1, round(min(failures.waits) / 1000))
    often = f" after {waits[0]}" if len(waits) == 1 else f", {len(waits)} times, after {' and '.join(waits)}"
    each = "" if failures.served else " whatever is asked" if len(waits) > 1 else ""
    return failures.found.cause(
        confidence,
        f"{failures.found.asked} ends with HTTP {exchange.status}{often}: the function runs into a time limit of about "
        f"{limit} s{each}.",
        _longer(limit, exchange),
        proofs=_proofs(failures),
        alternatives=_timeout_alternatives(failures),
    )


def _cut_stream(evidence: Evidence) -> Cause | None:
    """The same limit in the middle of a stream, where no error page can come any more."""
    cut = cut_at_limit(evidence)
    if cut is None:
        return None
    found, limit = Scene(evidence, cut.exchanges[-1]), max(1, round(cut.after_ms / 1000))
    return found.cause(
        cut.confidence,
        f"The event stream that answers {found.asked} is cut off after {milliseconds(cut.after_ms)}: the function runs "
        f"into a time limit of about {limit} s.",
        _longer(limit, found.exchange),
        proofs=tuple(
            Proof(
                text=f"{request_line(each)} was cut off after {counted(len(each.messages), 'message')}",
                exchange=each.id,
            )
            for each in cut.exchanges
        ),
        alternatives=(
            "The application died just then (stream-truncated): the log has an exception or Runtime.ExitError instead "
            "of `Task timed out`, and the next stream ends after another time.",
            "A gateway's limit for idle or long streams: then a Function URL of the same function streams on.",
        ),
    )


def _longer(limit: int, exchange: Exchange) -> str:
    wanted = max(30, 2 * limit)
    return (
        "Find out what the function waits for, in its log before `Task timed out`; if it only needs longer:\n"
        f"  aws lambda update-function-configuration --function-name NAME --timeout {wanted}\n"
        f"  # SAM: Timeout: {wanted}\n"
        f"  # CDK: new lambda.Function(…, {{ timeout: Duration.seconds({wanted}) }})\n"
        f"The line of this request says which it was:\n{_log(exchange)}"
    )


@detector("warm-request-crash", effect=Effect.DOWN)
def warm_request_crash(evidence: Evidence) -> Cause | None:
    """The first request of an instance works and later ones fail: state that is built once is used twice."""
    failures = failures_of(evidence)
    spared = None if failures is None or _limit_of(failures) is not None else _spared(failures)
    if failures is None or spared is None:
        return None
    confidence, how = spared
    answered = (each for each in evidence.opening.exchanges if comes_from_function(each))
    opened = next(answered, evidence.opening.exchanges[-1])
    return failures.found.cause(
        confidence,
        f"{request_line(opened)} is answered, and then {how}: an instance serves its first request and fails at later "
        "ones.",
        "Build what may run only once per use inside of each request, or once per instance and never again. Behind "
        "Mangum, the session manager of the MCP Python SDK is such a thing: its lifespan may run only once, and Mangum "
        "runs it with every event. Serve the application by the Lambda Web Adapter instead, or make a new application "
        "in each invocation:\n"
        "  def handler(event, context): return Mangum(make_app())(event, context)\n"
        "In the TypeScript SDK, make a new server and a new transport for each request. Both requests stand in the "
        f"same log stream:\n{_log(failures.first)}",
        proofs=(
            Proof(text=f"{request_line(opened)} → {answer_line(opened)}", exchange=opened.id),
            *_proofs(failures),
        ),
        alternatives=(
            "The process ends after each answer (process.exit, out of memory): the log then has Runtime.ExitError, and "
            "every second request works.",
            "What the later requests have in common fails, and not their being later: then a first request of the same "
            "kind fails as well, right after a deploy.",
        ),
    )


# how failures repeat


def _limit_of(failures: Failures) -> float | None:
    """How certain it is that a time limit cut the function off; None where it rather crashed.

    Limits are whole seconds (Lambda API reference, `Timeout`). The first failure may take longer by the start of the
    instance.
    """
    if "timeout" in (platform_error(failures.first) or "").lower():
        return 0.95
    waits = failures.waits
    if not failures.by_platform or min(waits) < LEAST_LIMIT_MS:
        return None
    if len(waits) == 1:
        at_limit = failures.is_whole(waits[0]) and (failures.served or waits[0] >= _ALONE_MS)
        return 0.6 if at_limit else None
    if not failures.is_whole(waits[-1]):
        return None
    if _are_alike(waits):
        return 0.85
    return 0.65 if waits[0] == max(waits) and _are_alike(waits[1:]) else None


def _are_alike(waits: Sequence[float]) -> bool:
    return max(waits) - min(waits) <= max(_ALIKE_MS, _ALIKE_SHARE * max(waits))


def _spared(failures: Failures) -> tuple[float, str] | None:
    """Whether only what comes first is served: how certain that is, and how it shows."""
    certain = 0.8 if failures.by_platform else 0.6
    asked = ", ".join(dict.fromkeys(request_line(each) for each in failures.failed))
    again = [symptom_of(each) is Symptom.CRASH for each in failures.later]
    if not failures.evidence.opening.established:
        answered = [each for each in failures.evidence.opening.exchanges if comes_from_function(each)]
        spared = bool(answered) and any(again)
        return (certain - 0.1, f"every further request fails ({asked})") if spared else None
    if len(again) >= 2 and all(again):
        return certain, f"every further request fails ({asked})"
    if len(again) >= 2 and not again[0] and again[1] and failures.later[0] in failures.served:
        return 0.55, f"every second request fails ({failures.found.asked} works when asked again)"
    return None


def _how_it_repeats(failures: Failures) -> str:
    if failures.evidence.opening.established:
        other = next((each for each in failures.served if each.rpc_method != failures.first.rpc_method), None)
        if any(each.rpc_method == failures.first.rpc_method for each in failures.served):
            return ", and works when asked again"
        return "" if other is None else f", although {request_line(other)} is answered"
    other = next(iter(failures.served), None)
    if other is not None:
        return f", although it answers {request_line(other)} with HTTP {other.status}"
    return f", and so it does for {request_line(failures.failed[-1])}" if len(failures.failed) > 1 else ""


# words


_EXCEPTION: Final = "An exception in the handler: its log holds a traceback."
_START: Final = (
    "A failed import or start: its log holds Runtime.ImportModuleError or Runtime.ExitError, on every request."
)
_WRAPPER: Final = (
    "AWS_LAMBDA_EXEC_WRAPPER names a file that is not there, because the adapter's layer is missing or for another "
    "architecture: exit status 127 in the log. A run.sh that cannot be executed (no execute bit, Windows line ends) "
    "reads alike."
)
_USED_TWICE: Final = (
    "State that is built once per process and used twice, such as a session manager behind Mangum: then the first "
    "request of an instance works, and a probe right after a deploy finds warm-request-crash."
)
_STATUS_CODES: Final = (
    "AWS_LWA_ERROR_STATUS_CODES of the Lambda Web Adapter holds 4xx, so that a refusal (401, 404, 405) arrives as a "
    "failed function: then the log shows the application's status and no exception."
)
_NOT_PROXY: Final = (
    "The function answers, but with no proxy response (no adapter, a raw value, or a streaming prelude where the "
    "integration buffers): then the gateway's execution log says `Malformed Lambda proxy response`, and the function's "
    "log shows nothing wrong."
)
_NOT_ALLOWED: Final = (
    "The gateway may not call the function, or the function is throttled (reserved concurrency 0, for one): then its "
    "log has no line for this request. `aws lambda get-policy` and `aws lambda get-function-concurrency` tell."
)
_TOO_LARGE: Final = (
    "The answer is larger than a buffered one may be (6 MB, behind a load balancer 1 MB): the log then names "
    "Function.ResponseSizeTooLarge."
)
_TIMED_OUT: Final = (
    "The function's timeout: the log says `Task timed out`, and this wait is the same on every request. An adapter "
    "that never becomes ready looks so, too."
)
_NEVER_READY: Final = (
    "An adapter that never becomes ready (wrong AWS_LWA_PORT or readiness path, an application that does not start): "
    "then every request takes as long, GET and OPTIONS too, and the log repeats `app is not ready`."
)
_SLOW_CRASH: Final = (
    "A crash after the same time, such as a failed start (an import, a missing AWS_LAMBDA_EXEC_WRAPPER or its file) or "
    "a connection that gives up: the log then has an exception, Runtime.ImportModuleError or Runtime.ExitError instead "
    "of `Task timed out`."
)


def _crash_alternatives(failures: Failures) -> tuple[str, ...]:
    found, first = failures.found, failures.first
    maybe_limit = failures.by_platform and any(failures.is_whole(each) for each in failures.waits)
    behind_gateway = found.door in (FrontDoor.REST_API, FrontDoor.HTTP_API, FrontDoor.ALB)
    starts = bool(failures.served) or failures.evidence.opening.established
    return (
        *((_TIMED_OUT,) if maybe_limit else ()),
        *((*found.unknown_method, _EXCEPTION) if starts else (_START, _WRAPPER, _EXCEPTION, *found.unknown_method)),
        *((_USED_TWICE,) if not failures.served else ()),
        *((_NOT_PROXY, _NOT_ALLOWED) if behind_gateway and not starts else ()),
        *((_STATUS_CODES,) if not failures.evidence.opening.established else ()),
        *((_TOO_LARGE,) if first.rpc_method in _BIG else ()),
    )


def _timeout_alternatives(failures: Failures) -> tuple[str, ...]:
    if failures.served:
        return (_SLOW_CRASH, *failures.found.unknown_method)
    return (_NEVER_READY, _SLOW_CRASH)


def _proofs(failures: Failures) -> tuple[Proof, ...]:
    first = failures.first
    asked = (first, *failures.later)
    return (
        *(
            Proof(
                text=f"{request_line(each)} {_came(each)} after {milliseconds(server_wait_ms(each))}", exchange=each.id
            )
            for each in asked
        ),
        *header_proof(first, "x-amzn-errortype"),
        *header_proof(first, "lambda-web-error-type"),
        *header_proof(first, "x-amzn-requestid"),
    )


def _came(exchange: Exchange) -> str:
    if exchange.status is not None:
        return f"was answered with HTTP {exchange.status}"
    return "had no answer"


def _log(exchange: Exchange) -> str:
    """The command that finds the log line of this very request.

    A Function URL gives out the id of the invocation; an API Gateway gives out its own, which only its access log
    joins with it ($context.integration.requestId).
    """
    tail = "  aws logs tail /aws/lambda/NAME --since 10m"
    by_url = front_door_of(exchange) is FrontDoor.FUNCTION_URL
    lookup = exchange.header("x-amzn-requestid") if by_url else exchange.header("lambda-web-request-id")
    if lookup is None or not _is_plain(lookup):
        return tail
    return f"{tail} --filter-pattern '\"{lookup}\"'"


def _fix_of_platform(named: str) -> str:
    return (
        f"Lambda names the reason: {clean(named, 80)}. The state of the function and what its last update ended with "
        "say more:\n"
        "  aws lambda get-function-configuration --function-name NAME "
        "--query '[State,StateReason,LastUpdateStatus,LastUpdateStatusReason]'"
    )


def _is_platform_page(exchange: Exchange) -> bool:
    body = exchange.body.strip().lower()
    message = (error_message(exchange) or "").lower()
    by_function_url = exchange.status == 502 and body == b"internal server error"
    by_door = front_door_of(exchange) is FrontDoor.ALB or platform_error(exchange) is not None
    return by_function_url or message == "internal server error" or by_door


def _is_plain(text: str) -> bool:
    return len(text) <= 64 and all(character.isalnum() or character == "-" for character in text)
