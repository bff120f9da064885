"""What a Lambda runtime reports of a failed function, where it reaches the client as the body of a success.

Source: Lambda Developer Guide, "Understanding retry behavior in Lambda" and the API reference of Invoke: whoever calls
the function gets 200 with `X-Amz-Function-Error`, and must look at that. An API Gateway integration of type AWS does
not by itself (API Gateway Developer Guide, "Handle Lambda errors in API Gateway").
"""

from collections.abc import Mapping
from typing import Final

from checks.detectors.scene import Scene, scene
from checks.model import Evidence
from checks.symptoms import Symptom, error_report
from checks.text import clean
from checks.unit import Cause

_TIMED_OUT: Final = "Task timed out after"

_BY_TYPE: Final[Mapping[str, str]] = {
    "Runtime.ImportModuleError": "The package lacks the module, or has it for another architecture or version: build "
    "it for the function's runtime (sam build --use-container), and compare the handler's name.",
    "Runtime.HandlerNotFound": "Compare the function's handler with what the package holds:\n"
    "  aws lambda get-function-configuration --function-name NAME --query Handler",
    "Runtime.UserCodeSyntaxError": "The code cannot be read: for ES modules the package needs .mjs, or "
    '"type": "module" in its package.json.',
}
_LOG: Final = "The reason stands in the function's log:\n  aws logs tail /aws/lambda/NAME --since 10m"
_PROXY: Final = (
    "\nAnd have the front door tell a failure from an answer: an API Gateway integration of type AWS_PROXY does, one "
    "of type AWS hands the report on with 200; a program that calls Invoke must look at X-Amz-Function-Error."
)


def reported_crash(evidence: Evidence) -> Cause | None:
    """The exception or the failed start that a report names."""
    found = _scene(evidence)
    if found is None or _is_of_limit(found):
        return None
    report = error_report(found.exchange) or {}
    kind = report.get("errorType", "")
    said = ": ".join(each for each in (kind, report.get("errorMessage", "")) if each)
    return found.cause(
        0.95,
        f"The function failed, and its report is the body of the HTTP {found.exchange.status} to {found.asked}: "
        f"{clean(said, 200) or 'it gives no reason'}.",
        f"{_BY_TYPE.get(kind, _LOG)}{_PROXY}",
    )


def reported_limit(evidence: Evidence) -> Cause | None:
    """The time limit that a report names."""
    found = _scene(evidence)
    if found is None or not _is_of_limit(found):
        return None
    said = (error_report(found.exchange) or {}).get("errorMessage", "")
    return found.cause(
        0.95,
        f"The function ran into its time limit, and the report of it is the body of the HTTP {found.exchange.status} "
        f"to {found.asked}: {clean(said[said.find(_TIMED_OUT) :], 80)}.",
        "Find out what the function waits for; if it only needs longer:\n"
        "  aws lambda update-function-configuration --function-name NAME --timeout 30\n"
        f"  # SAM: Timeout: 30{_PROXY}",
        alternatives=(
            "An adapter that never becomes ready: then every request takes as long, and the log repeats `app is not "
            "ready`.",
        ),
    )


def _scene(evidence: Evidence) -> Scene | None:
    return scene(evidence, Symptom.ERROR_REPORT, tool_calls=True)


def _is_of_limit(found: Scene) -> bool:
    return _TIMED_OUT in (error_report(found.exchange) or {}).get("errorMessage", "")
