"""Small builders of exchanges, a scripted wire, and a judge that runs the whole catalog over a script."""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from checks.catalog import CHECKS, DETECTORS
from checks.judgement import diagnose, verdict_of
from checks.model import (
    CheckResult,
    Diagnosis,
    Endpoint,
    Evidence,
    Exchange,
    Failure,
    History,
    Message,
    Opener,
    Opening,
    Profile,
    Timings,
    TransportError,
    Verdict,
)
from checks.second_look import is_unrouted
from checks.spec import META_SERVER_INFO, Era, Transport
from checks.symptoms import Symptom, symptom_of
from checks.unit import CheckContext, ListCaps
from checks.wire import Alteration

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
URL = "https://orders.example.com/mcp"
ENDPOINT = Endpoint(name="orders", url=URL)
FUNCTION_URL = (("x-amzn-RequestId", "2b6d1c1e-1111-4222-8333-944444444444"), ("X-Amzn-Trace-Id", "Root=1-2-3"))

COMPLETE = {"resultType": "complete"}
CACHED = {"ttlMs": 0, "cacheScope": "private"}
"""Members that every result of 2026-07-28 has, and those that clients may keep; earlier revisions tolerate them."""

_numbers = itertools.count(1)


def exchange(
    method: str | None = "tools/list",
    *,
    status: int | None = 200,
    body: bytes | None = None,
    messages: Sequence[Any] | None = None,
    media: str | None = "application/json",
    headers: Sequence[tuple[str, str]] = (),
    at: Sequence[float] | None = None,
    wait_ms: float = 20.0,
    total_ms: float | None = None,
    failure: Failure | None = None,
    reason: str = "",
    url: str = URL,
    request: Mapping[str, Any] | None = None,
    reused: bool = True,
    **more: Any,
) -> Exchange:
    """One exchange. `messages` are JSON values, `at` their arrival times; `body` is derived from them if missing."""
    number = next(_numbers)
    rpc_id = None if method is None or method.startswith("notifications/") else more.pop("rpc_id", f"r{number}")
    if messages is None:
        messages = _parsed(body, media)
    values = [_with_id(message, rpc_id) for message in messages]
    times = list(at) if at is not None else [wait_ms] * len(values)
    if body is None:
        body = _body(values, media)
    total = total_ms if total_ms is not None else max([wait_ms, *times])
    payload = {"jsonrpc": "2.0", "id": rpc_id, "method": method, "params": request or {}}
    return Exchange(
        id=f"x{number}",
        method="GET" if method is None else "POST",
        url=url,
        request_headers=(("Content-Type", "application/json"),),
        request_body="" if method is None else json.dumps(payload),
        rpc_method=method,
        rpc_id=rpc_id,
        started_at=NOW,
        status=status,
        headers=((("Content-Type", media),) if media and status else ()) + tuple(headers),
        body=body if status else b"",
        body_size=more.pop("body_size", len(body) if status else 0),
        messages=tuple(Message(data=value, at_ms=time) for value, time in zip(values, times, strict=True)),
        timings=Timings(sent_ms=0.0, first_byte_ms=wait_ms if status else None, total_ms=total),
        transport_error=None if failure is None else TransportError(failure=failure, reason=reason, detail=reason),
        reused_connection=reused,
        **more,
    )


def ok(result: Any) -> dict[str, Any]:
    """A JSON-RPC result; the builder puts the request's id in."""
    return {"jsonrpc": "2.0", "id": ..., "result": result}


def error(code: int, message: str, rpc_id: Any = ..., **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": rpc_id, "error": {"code": code, "message": message, **more}}


def progress(count: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "t", "progress": count}}


def failed(failure: Failure, reason: str = "", method: str = "server/discover", **more: Any) -> Exchange:
    """An exchange that ended without a complete answer."""
    return exchange(method, **{"status": None, "messages": (), "failure": failure, "reason": reason, **more})


def discovered(**more: Any) -> Exchange:
    result = {
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": {"tools": {}},
        **CACHED,
        "_meta": {META_SERVER_INFO: {"name": "orders", "version": ""}},
    }
    return exchange("server/discover", **{"messages": [ok(result)], **more})


def initialized(version: str = "2025-11-25", **more: Any) -> Exchange:
    result = {
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "orders", "version": ""},
    }
    return exchange("initialize", **{"messages": [ok(result)], **more})


def notified(status: int = 202) -> Exchange:
    return exchange("notifications/initialized", status=status, media=None, messages=())


def opened(*exchanges: Exchange, era: Era = Era.STATELESS, version: str | None = None, **more: Any) -> Opening:
    """An opening that worked: the stateless one, unless exchanges say otherwise."""
    revision = version or ("2026-07-28" if era is Era.STATELESS else "2025-11-25")
    opener = Opener(
        transport=more.pop("transport", Transport.STREAMABLE_HTTP),
        era=era,
        protocol_version=revision,
        reason="answered",
        chosen_at=NOW,
    )
    return Opening(exchanges=exchanges or (discovered(),), opener=opener, **{"capabilities": {"tools": {}}, **more})


def refused(*exchanges: Exchange) -> Opening:
    """An opening that did not work."""
    return Opening(exchanges=exchanges)


def tool(name: str, **more: Any) -> dict[str, Any]:
    """One entry of a tool list, marked as read-only unless its annotations say otherwise."""
    return {"name": name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}, **more}


def tool_page(*names: str, cursor: Any = None, **more: Any) -> Exchange:
    """One page of a tool list."""
    result: dict[str, Any] = {**COMPLETE, **CACHED, "tools": [tool(name) for name in names]}
    if cursor is not None:
        result["nextCursor"] = cursor
    return exchange("tools/list", messages=[ok(result)], **more)


def called(text: str = "5", *, is_error: bool | None = None, **more: Any) -> Exchange:
    """A tool result with one text."""
    result: dict[str, Any] = {**COMPLETE, "content": [{"type": "text", "text": text}]}
    if is_error is not None:
        result["isError"] = is_error
    result.update(more.pop("result", {}))
    return exchange("tools/call", **{"messages": [ok(result)], **more})


def streamed(*at: float, **more: Any) -> Exchange:
    """A tool call answered by an event stream: progress, and the result as the last of these arrival times."""
    events = [
        *(progress(number) for number in range(1, len(at))),
        ok({**COMPLETE, "content": [{"type": "text", "text": "done"}]}),
    ]
    return exchange("tools/call", messages=events, at=at, **{"media": "text/event-stream", "wait_ms": at[0], **more})


class ScriptedWire:
    """Answers from a script, in order, and remembers what it was asked.

    `answers` are those to requests, of whatever kind. What a check asks otherwise is answered by what is given for it:
    `crowd` at once, `ended` for the end of the session, `beside` for other openings by revision, and `others` in order
    for streams, preflights and documents. `patience` is how many pauses there is time for. Where the script ends
    with a function that failed, what is asked after it fails alike, but of the requests only the same one.
    """

    def __init__(
        self,
        opening: Opening,
        answers: Sequence[Exchange] = (),
        *,
        crowd: Sequence[Exchange] = (),
        ended: Exchange | None = None,
        beside: Mapping[str, Opening] | None = None,
        others: Sequence[Exchange] = (),
        patience: int = 100,
    ) -> None:
        self.opening = opening
        self.asked: list[tuple[str, Mapping[str, Any] | None, bool]] = []
        self.alterations: list[Alteration | None] = []
        """One for each of `asked`."""
        self.asked_otherwise: list[tuple[Any, ...]] = []
        self._answers = list(answers)
        self._crowd = tuple(crowd)
        self._ended = ended
        self._beside = dict(beside or {})
        self._others = list(others)
        self._patience = patience
        asked = [each for each in (*opening.exchanges, *answers) if each.rpc_id is not None] or opening.exchanges
        self._last = asked[-1] if asked else None

    async def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        progress: bool = False,
        altered: Alteration | None = None,
    ) -> Exchange:
        self.asked.append((method, params, progress))
        self.alterations.append(altered)
        if not self._answers and self._has_failed():
            return self._failing_on(method) if method == self._last.rpc_method else exchange(method, messages=[ok({})])
        assert self._answers, f"the script has no answer left for {method} {params}"
        answer = self._answers.pop(0)
        assert answer.rpc_method == method, f"asked {method}, the script answers {answer.rpc_method}"
        return answer

    async def at_once(self, method: str, count: int) -> tuple[Exchange, ...]:
        self.asked_otherwise.append(("at_once", method, count))
        return self._crowd

    async def end_session(self) -> Exchange | None:
        self.asked_otherwise.append(("end_session",))
        return self._ended

    async def open_beside(self, era: Era, version: str) -> Opening:
        self.asked_otherwise.append(("open_beside", era, version))
        return self._beside[version]

    async def listen(self, notifications: Mapping[str, Any]) -> Exchange:
        return self._other("listen", notifications)

    async def preflight(self, origin: str, method: str, headers: Sequence[str]) -> Exchange:
        return self._other("preflight", origin, method, tuple(headers))

    async def fetch(self, url: str) -> Exchange:
        return self._other("fetch", url)

    async def pause(self, ms: float) -> bool:
        self.asked_otherwise.append(("pause", ms))
        self._patience -= 1
        return self._patience >= 0

    def _other(self, *question: Any) -> Exchange:
        self.asked_otherwise.append(question)
        if not self._others and self._has_failed():
            by_get = question[0] == "fetch"
            failing = self._failing_on("GET" if by_get else "OPTIONS")
            return replace(failing, url=question[1]) if by_get else failing
        assert self._others, f"the script has no answer left for {question}"
        return self._others.pop(0)

    def _has_failed(self) -> bool:
        return self._last is not None and (symptom_of(self._last) is Symptom.CRASH or is_unrouted(self._last))

    def _failing_on(self, method: str) -> Exchange:
        assert self._last is not None
        number = next(_numbers)
        if "/" in method:
            return replace(self._last, id=f"x{number}")
        return replace(self._last, id=f"x{number}", method=method, rpc_method=None, rpc_id=None, request_body="")


@dataclass(frozen=True)
class Judged:
    """What the whole catalog made of a script."""

    results: tuple[CheckResult, ...]
    diagnoses: tuple[Diagnosis, ...]
    verdict: Verdict
    wire: ScriptedWire

    @property
    def ids(self) -> list[str]:
        return [diagnosis.id for diagnosis in self.diagnoses]

    def result(self, check: str) -> CheckResult:
        return next(result for result in self.results if result.check == check)

    def diagnosis(self, diagnosis_id: str) -> Diagnosis:
        return next(each for each in self.diagnoses if each.id == diagnosis_id)


def judge(
    opening: Opening,
    *answers: Exchange,
    endpoint: Endpoint = ENDPOINT,
    history: History = History(),
    profile: Profile = Profile.STANDARD,
    others: Sequence[Exchange] = (),
    caps: ListCaps | None = None,
) -> Judged:
    """Run every check of the profile over the script and every detector over the results."""
    wire = ScriptedWire(opening, answers, others=others)
    results: tuple[CheckResult, ...] = ()
    for check in CHECKS:
        if profile in check.profiles:
            context = CheckContext(endpoint=endpoint, wire=wire, results=results, caps=caps or ListCaps())
            results = (*results, run(check.run, context))
    evidence = Evidence(endpoint=endpoint, opening=opening, results=results, history=history)
    diagnoses, broken = diagnose(evidence, DETECTORS)
    for each in broken:
        raise AssertionError(f"detector {each.id} raised") from each.exception
    return Judged(results, diagnoses, verdict_of(results, diagnoses), wire)


def run(check: Callable[[CheckContext], Any], context: CheckContext) -> CheckResult:
    result = asyncio.run(check(context))
    assert isinstance(result, CheckResult)
    return result


def endpoint(**more: Any) -> Endpoint:
    return replace(ENDPOINT, **more)


def _parsed(body: bytes | None, media_type: str | None) -> Sequence[Any]:
    """As the wire does: a body of any type but an event stream is tried as JSON."""
    if body is None or media_type == "text/event-stream":
        return ()
    try:
        return [json.loads(body)]
    except ValueError:
        return ()


def _with_id(message: Any, rpc_id: str | None) -> Any:
    if isinstance(message, dict) and message.get("id") is ...:
        return {**message, "id": rpc_id}
    return message


def _body(values: Sequence[Any], media_type: str | None) -> bytes:
    if media_type == "text/event-stream":
        return b"".join(b"event: message\r\ndata: " + json.dumps(value).encode() + b"\r\n\r\n" for value in values)
    return json.dumps(values[0]).encode() if values else b""
