"""A session id that the server gave out is refused later, or on some connections only.

Source: MCP 2025-11-25, basic/transports, "Session Management"; that instances share no memory and answer one request
at a time: AWS Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle".
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from checks.detectors.scene import Scene
from checks.messages import result_of
from checks.model import CheckResult, Effect, Evidence, Exchange, Proof
from checks.proofs import answer_line, counted, header_proof
from checks.reproduce import SESSION_HEADER, curl, curl_in_new_session
from checks.sessions import names_session, refused_on_stream, refuses_session, says_not_named
from checks.symptoms import troubled
from checks.text import clean
from checks.unit import Cause, detector

_REQUEST_ID: Final = "x-amzn-requestid"

_FIX: Final = (
    "Sessions that live in the memory of one instance are unknown to every other instance of the function. Serve "
    "without them:\n"
    "  Python SDK, FastMCP: stateless_http=True\n"
    "  TypeScript SDK: sessionIdGenerator: undefined, and a new server and transport for each request\n"
    "or keep them where every instance reads them (the awslabs handler: session_store=DynamoDBSessionStore(…)), or "
    "serve revision 2026-07-28, which has no sessions."
)
_EXPIRED: Final = (
    "The session expired, by an idle timeout shorter than this probe: then the server's log says so, and a new session "
    "works as long again."
)
_DEPLOYED: Final = (
    "A deploy replaced the instances while the probe ran: then the next probe finds nothing, and the function's "
    "LastModified is of this minute."
)
_STORE: Final = (
    "A session table that cannot be read, for want of a permission or under a wrong name: then every session is "
    "refused, always, and the log or CloudTrail names the table."
)
_STRIPPED: Final = (
    "Something on the way takes the Mcp-Session-Id header out: then the server says that no session was named, and the "
    "same request at the function's own address works."
)


@detector("session-lost", effect=Effect.DOWN)
def session_lost(evidence: Evidence) -> Cause | None:
    """A session id that the server gave out is refused later, or on some connections only."""
    return _on_stream(evidence) or _in_conversation(evidence) or _over_connections(evidence)


def _on_stream(evidence: Evidence) -> Cause | None:
    """HTTP+SSE: the instance that takes the request is not the one that holds the stream."""
    refused = refused_on_stream(evidence.opening)
    if refused is None:
        return None
    return Scene(evidence, refused).cause(
        0.9,
        f"The event stream names an address, and its session is unknown there at once: {answer_line(refused)}. The "
        "stream keeps one instance busy, so that another takes the request.",
        "HTTP+SSE (2024-11-05) needs one process for all requests, which Lambda is not. Serve Streamable HTTP, where "
        f"an answer comes with its request. {_FIX}",
        proofs=header_proof(refused, _REQUEST_ID),
        alternatives=(
            "The server is several processes or hosts without sticky sessions: then some attempts do succeed.",
        ),
    )


def _again(evidence: Evidence, refused: Exchange, times: int) -> str:
    """The request in a new session: the one that the probe had has ended, and every server refuses it now."""
    insecure = not evidence.endpoint.verify_tls
    lifecycle = evidence.result("lifecycle")
    asked = () if lifecycle is None else lifecycle.exchanges
    opened = [each for each in asked if each.header(SESSION_HEADER) is not None][-1:]
    then = [each for each in asked if each.rpc_method == "notifications/initialized"][-1:]
    return curl_in_new_session((*opened, *then), refused, times, insecure) if opened else curl(refused, insecure)


def _in_conversation(evidence: Evidence) -> Cause | None:
    """The very requests of the conversation are refused: down where not even the list of tools can be had."""
    asked = [exchange for exchange, _ in troubled(evidence)]
    refused = [exchange for exchange in asked if is_lost_session(evidence, exchange)]
    if not refused:
        return None
    first = refused[0]
    others = [each for each in refused if each is not first]
    cause = Scene(evidence, first).cause(
        0.95 if names_session(first) else 0.75,
        f"The session that the server has just opened is refused at {first.rpc_method}: {answer_line(first)}.",
        _FIX,
        proofs=tuple(Proof(text=f"{each.rpc_method} → {answer_line(each)}", exchange=each.id) for each in others[:5])
        + header_proof(first, _REQUEST_ID),
        alternatives=(*_if_not_named(first), _STORE, _EXPIRED, _DEPLOYED),
    )
    return replace(cause, reproduce=_again(evidence, first, 1))


def is_lost_session(evidence: Evidence, exchange: Exchange) -> bool:
    """Whether an exchange of the conversation is explained by its session, so that no other detector needs to."""
    return evidence.opening.has_session and refuses_session(exchange)


def _over_connections(evidence: Evidence) -> Cause | None:
    result = evidence.result("session")
    refusals = [] if result is None else _refusals(result)
    if result is None or not refusals:
        return None
    asked, refused = result.facts["asked"], len(refusals)
    first = refusals[0]
    how_many = f"{'all' if refused == asked else refused} of {counted(asked, 'connection')}"
    cause = Scene(evidence, first).cause(
        0.95 if names_session(first) else 0.8,
        f"The session is refused on {how_many} made at once, while requests one after the other are served: "
        f"{answer_line(first)}.",
        _FIX,
        proofs=(
            Proof(text=f"{asked} asked at once, {result.facts['honoured']} honour the session, {refused} refuse it"),
            *_instances(result, first),
        ),
        alternatives=(*_if_not_named(first), _EXPIRED, _DEPLOYED),
        effect=Effect.DEGRADED,
    )
    return replace(cause, reproduce=_again(evidence, first, asked))


def _refusals(result: CheckResult) -> list[Exchange]:
    """The exchanges that the check counted as refusals."""
    named = {refusal["exchange"] for refusal in result.facts.get("refusals", ())}
    return [each for each in result.exchanges if each.id in named]


def _instances(result: CheckResult, refused: Exchange) -> Sequence[Proof]:
    """Where the log shows that two instances answered: the request ids of one refusal and of one answer."""
    answered = next((each for each in result.exchanges if result_of(each) is not None), None)
    shown = [(each, each.header(_REQUEST_ID)) for each in (refused, answered) if each is not None]
    ids = [(each, clean(request_id, 64)) for each, request_id in shown if request_id is not None]
    if len(ids) < 2 or ids[0][1] == ids[1][1]:
        return ()
    text = (
        f"refused under {_REQUEST_ID} {ids[0][1]}, honoured under {ids[1][1]}: their log streams tell whether two "
        "instances answered"
    )
    return (Proof(text=text, exchange=ids[0][0].id),)


def _if_not_named(exchange: Exchange) -> tuple[str, ...]:
    return (_STRIPPED,) if says_not_named(exchange) else ()
