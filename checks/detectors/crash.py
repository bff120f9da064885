"""Causes in the function itself, as far as the front door's error page shows them."""

from typing import Final

from checks.detectors.scene import Scene, scene
from checks.front_door import FrontDoor
from checks.model import Effect, Evidence, Proof
from checks.proofs import header_proof, milliseconds
from checks.symptoms import Symptom, error_message
from checks.unit import Cause, detector

_PLATEAU_MS: Final = 150.0
"""How far over whole seconds an answer comes that the function's timeout cut off."""

_ALTERNATIVES: Final = (
    "An exception in the handler: its log holds a traceback.",
    "A failed import or start: its log holds Runtime.ImportModuleError or Runtime.ExitError, on every request.",
    "AWS_LAMBDA_EXEC_WRAPPER names a file that is not there, because the adapter's layer is missing or for another "
    "architecture: exit status 127 in the log.",
    "State that is built once per process and used twice, such as a session manager behind Mangum: then the first "
    "request of an instance works and later ones fail.",
)
_TIMED_OUT: Final = (
    "The function's timeout: the log says `Task timed out`, and this wait is the same on every request. An adapter "
    "that never becomes ready looks so, too."
)


@detector("function-crash", effect=Effect.DOWN)
def function_crash(evidence: Evidence) -> Cause | None:
    """The platform answers for a function that failed: exception, failed start, missing wrapper, process exit."""
    found = scene(evidence, Symptom.CRASH)
    if found is None:
        return None
    exchange = found.exchange
    waited = milliseconds(exchange.timings.total_ms)
    platform = _is_platform_page(found)
    door = "platform" if found.door is FrontDoor.UNKNOWN else found.door.value
    answered = f"answers {found.asked} with HTTP {exchange.status} after {waited}"
    summary = f"The {door} {answered}: the function failed."
    if not platform:
        summary = f"The application behind the {door} {answered}."
    lookup = exchange.header("x-amzn-requestid")
    pattern = f" --filter-pattern '\"{lookup}\"'" if lookup and _is_plain(lookup) else ""
    return found.cause(
        0.9 if platform else 0.6,
        summary,
        f"The reason stands in the function's log:\n  aws logs tail /aws/lambda/NAME --since 10m{pattern}",
        proofs=(
            Proof(text=f"answered after {waited}", exchange=exchange.id),
            *header_proof(exchange, "x-amzn-errortype"),
            *header_proof(exchange, "x-amzn-requestid"),
        ),
        alternatives=(
            *((_TIMED_OUT,) if _is_plateau(exchange.timings.total_ms) else ()),
            *found.unknown_method,
            *_ALTERNATIVES,
        ),
    )


def _is_platform_page(found: Scene) -> bool:
    """Whether the body is one that AWS writes, not the application."""
    body = found.exchange.body.strip()
    message = (error_message(found.exchange) or "").lower()
    by_function_url = found.exchange.status == 502 and body == b"Internal Server Error"
    return by_function_url or message == "internal server error" or found.door is FrontDoor.ALB


def _is_plateau(ms: float) -> bool:
    return ms >= 3000 and ms % 1000 <= _PLATEAU_MS


def _is_plain(text: str) -> bool:
    return len(text) <= 64 and all(character.isalnum() or character == "-" for character in text)
