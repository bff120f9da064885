"""Browsers keep scripts of web pages out: the answers lack the headers that would let them in."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from checks.challenges import HEADER as CHALLENGE
from checks.detectors.scene import Scene
from checks.front_door import FrontDoor
from checks.model import CheckResult, Effect, Evidence, Exchange, Proof
from checks.proofs import counted, header_proof
from checks.protocol.cors import (
    ALLOW_CREDENTIALS,
    ALLOW_HEADERS,
    ALLOW_ORIGIN,
    BEARABLE,
    CONTRADICTIONS,
    EXPOSE_HEADERS,
    Problem,
)
from checks.spec import HEADER_METHOD, HEADER_NAME, HEADER_SESSION, HEADER_VERSION
from checks.text import clean
from checks.unit import Cause, detector

_SHOWN: Final = (ALLOW_ORIGIN, ALLOW_CREDENTIALS, ALLOW_HEADERS, EXPOSE_HEADERS)
_SENT: Final = ("content-type", "authorization", HEADER_VERSION, HEADER_SESSION, HEADER_METHOD, HEADER_NAME)
_ALLOWED: Final = tuple(name.lower() for name in _SENT)
_EXPOSED: Final = (HEADER_SESSION.lower(), CHALLENGE)
_SOME_PAGE: Final = ("https://app.example.com",)
_GATEWAYS: Final = (FrontDoor.REST_API, FrontDoor.HTTP_API)


@detector("cors-misconfigured", effect=Effect.DEGRADED)
def cors_misconfigured(evidence: Evidence) -> Cause | None:
    """Browsers keep scripts of web pages out: the answers lack the headers that would let them in."""
    result = evidence.result("cors")
    if result is None:
        return None
    declared = bool(result.facts.get("declared"))
    shown: Sequence[Mapping[str, Any]] = result.facts.get("problems") or ()
    counted_ones = [each for each in shown if _counts(each, declared=declared)]
    exchange = _shown_by(result, counted_ones)
    if exchange is None:
        return None
    first, others = counted_ones[0], shown if declared else counted_ones
    found = Scene(evidence, exchange)
    who = f"scripts of {clean(first['origin'], 120)}" if declared else "scripts of any web page"
    more = f" ({counted(len(others), 'problem')} in all)" if len(others) > 1 else ""
    return found.cause(
        0.9,
        f"Browsers keep {who} out: {first['text']}{more}.",
        _fix(found.door, {each["problem"] for each in counted_ones}, evidence.endpoint.browser_origins or _SOME_PAGE),
        proofs=(
            *(proof for header in _SHOWN for proof in header_proof(exchange, header)),
            *(Proof(text=clean(each["text"], 300), exchange=each["exchange"]) for each in others if each != first),
        ),
        alternatives=_ALTERNATIVES,
        effect=Effect.DEGRADED if declared else Effect.INFORMATION,
    )


def _counts(problem: Mapping[str, Any], *, declared: bool) -> bool:
    """Whether a script is kept out by it, where its owner wants scripts; else, whether nobody can have meant it."""
    return problem["problem"] not in BEARABLE if declared else problem["problem"] in CONTRADICTIONS


def _shown_by(result: CheckResult, problems: Sequence[Mapping[str, Any]]) -> Exchange | None:
    wanted = problems[0]["exchange"] if problems else None
    return next((each for each in result.exchanges if each.id == wanted), None)


def _fix(door: FrontDoor, problems: set[str], origins: Sequence[str]) -> str:
    pages = [clean(origin, 120) for origin in origins]
    if Problem.ORIGIN_REFUSED in problems:
        return (
            "The server checks the Origin header itself: add the pages to the origins that it accepts. In the Python "
            f"SDK that is TransportSecuritySettings(allowed_origins={pages!r})."
        )
    policy = _policy(door, pages)
    if Problem.ORIGIN_TWICE in problems:
        return f"Answer for CORS in one place only: take the headers out of the application, or use it alone.\n{policy}"
    return policy


def _policy(door: FrontDoor, pages: Sequence[str]) -> str:
    """The setting that lets MCP clients in, in the words of whatever stands in front."""
    listed, allowed, exposed = (",".join(each) for each in (pages, _ALLOWED, _EXPOSED))
    if door is FrontDoor.FUNCTION_URL:
        as_json = [",".join(f'"{name}"' for name in each) for each in (pages, _ALLOWED, _EXPOSED)]
        return (
            "Function URLs answer preflights by themselves (AllowMethods takes no OPTIONS, nor needs it):\n"
            "  aws lambda update-function-url-config --function-name NAME --cors "
            f"""'{{"AllowOrigins":[{as_json[0]}],"AllowMethods":["POST","GET","DELETE"],"""
            f""""AllowHeaders":[{as_json[1]}],"ExposeHeaders":[{as_json[2]}]}}'"""
        )
    if door in _GATEWAYS:
        return (
            "An HTTP API answers preflights by itself; with a REST API, let OPTIONS reach the application, and set the "
            "headers on the gateway's own refusals, too:\n"
            "  aws apigatewayv2 update-api --api-id ID --cors-configuration "
            f"AllowOrigins={listed},AllowMethods=POST,GET,DELETE,AllowHeaders={allowed},ExposeHeaders={exposed}"
        )
    return (
        "Put it in front of the application, for instance in Starlette:\n"
        f"  app.add_middleware(CORSMiddleware, allow_origins={list(pages)!r},\n"
        '      allow_methods=["GET", "POST", "DELETE"],\n'
        f"      allow_headers={list(_ALLOWED)!r},\n"
        f"      expose_headers={list(_EXPOSED)!r})"
    )


_ALTERNATIVES: Final = (
    "The front door answers preflights before the application, or the application does although the front door should: "
    "`aws lambda get-function-url-config` shows whether a Function URL has a CORS policy of its own.",
    "An authorizer refuses the preflight, which never carries credentials: exempt OPTIONS from authorization.",
)
