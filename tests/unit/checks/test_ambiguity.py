"""Causes that nobody can tell apart from outside: the likelier one is named, and the other stands beside it."""

from typing import Any

import pytest

from checks.model import Exchange, Failure, Sentinel
from checks.spec import Era
from tests.unit.checks.conversations import (
    FUNCTION_URL,
    Judged,
    called,
    discovered,
    endpoint,
    exchange,
    failed,
    initialized,
    judge,
    notified,
    opened,
    progress,
    refused,
    streamed,
    tool_page,
)

FAILED: dict[str, Any] = {"status": 502, "media": "text/plain", "body": b"Internal Server Error"}
REST: dict[str, Any] = {
    "status": 502,
    "body": b'{"message": "Internal server error"}',
    "headers": (("x-amz-apigw-id", "g"),),
}
STREAMS = endpoint(sentinels=(Sentinel(tool="add"),), streaming=True)
SILENT = (failed(Failure.DEADLINE, "no-answer"), failed(Failure.DEADLINE, "exhausted"))


def opening(wait_ms: float, page: dict[str, Any], *again: Exchange, method: str = "server/discover") -> Judged:
    return judge(refused(exchange(method, wait_ms=wait_ms, **page)), others=again)


def get(wait_ms: float = 20.0, **page: Any) -> Exchange:
    return exchange(None, wait_ms=wait_ms, **page)


def calling(answer: Exchange) -> Judged:
    return judge(opened(), tool_page("add"), answer, endpoint=STREAMS)


def cut(total_ms: float, **more: Any) -> Exchange:
    event_stream = {"media": "text/event-stream", "messages": [progress(1)], "total_ms": total_ms}
    return exchange("tools/call", **{**event_stream, "failure": Failure.CONNECTION_LOST, **more})


AT_ONCE = opening(20.0, FAILED, get(**FAILED))
AT_ONE_SECOND = opening(1040.0, FAILED, *SILENT)
PLATEAU = opening(3040.0, FAILED, get(3030.0, **FAILED))
LISTED = judge(opened(), exchange("tools/list", **FAILED))
BEHIND_REST = opening(20.0, REST, get(**REST))
AFTER_FIRST = judge(opened(), *(exchange(each, **FAILED) for each in ("tools/list", "tools/list", "server/discover")))
EMPTY = judge(refused(exchange("initialize", body=b"", headers=FUNCTION_URL)))
FOREIGN = judge(refused(exchange("initialize", body=b'{"ok":true}', headers=FUNCTION_URL)))
PRELUDE = judge(refused(exchange("initialize", body=b'{"statusCode":200}' + b"\0" * 8 + b"x", headers=FUNCTION_URL)))
HANGS = judge(
    opened(
        initialized(),
        failed(Failure.DEADLINE, method="notifications/initialized", status=202, total_ms=5000.0),
        era=Era.HANDSHAKE,
    ),
    tool_page("add"),
)
BURST = calling(streamed(1800.0, 1801.0))
JOINED = calling(streamed(1800.0, 1801.0, wait_ms=20.0))
LATE_BODY = calling(called(wait_ms=4000.0))
SIZED = calling(streamed(40.0, 41.0, headers=(("Content-Length", "99"),)))
NO_EVENT = calling(exchange("tools/call", media="text/event-stream", body=b""))
ENDS_EARLY = calling(cut(700.0))
ENDS_TO_BE_RESUMED = calling(cut(700.0, failure=None, body=b"id: 7\ndata: \n\n", messages=()))
CUT_AT_A_SECOND = calling(cut(3020.0))
NO_TOOLS = judge(opened(), tool_page())

TOOL_AT_ONCE = calling(exchange("tools/call", wait_ms=20.0, **FAILED))
TOOL_AT_LIMIT = calling(exchange("tools/call", wait_ms=3020.0, **FAILED))

PAIRS: list[tuple[Judged, str, str]] = [
    (AT_ONCE, "function-crash", "failed import or start"),
    (AT_ONCE, "function-crash", "exception in the handler"),
    (AT_ONCE, "function-crash", "AWS_LAMBDA_EXEC_WRAPPER"),
    (AT_ONCE, "function-crash", "warm-request-crash"),
    (AT_ONCE, "function-crash", "AWS_LWA_ERROR_STATUS_CODES"),
    (AT_ONCE, "function-crash", "era: handshake"),
    (AT_ONE_SECOND, "function-crash", "Task timed out"),
    (BEHIND_REST, "function-crash", "Malformed Lambda proxy response"),
    (BEHIND_REST, "function-crash", "get-policy"),
    (LISTED, "function-crash", "ResponseSizeTooLarge"),
    (PLATEAU, "function-timeout", "never becomes ready"),
    (PLATEAU, "function-timeout", "instead of `Task timed out`"),
    (AFTER_FIRST, "warm-request-crash", "Runtime.ExitError"),
    (EMPTY, "adapter-missing", "Rust runtime"),
    (FOREIGN, "adapter-missing", "at another path"),
    (PRELUDE, "invoke-mode-mismatch", "Invoke API"),
    (HANGS, "invoke-mode-mismatch", "keeps the answer open on purpose"),
    (BURST, "streaming-buffered", "all its progress at the end"),
    (BURST, "streaming-buffered", "Node.js runtime"),
    (JOINED, "streaming-buffered", "Node.js runtime"),
    (LATE_BODY, "streaming-buffered", "answer with JSON only"),
    (SIZED, "streaming-buffered", "makes the whole stream"),
    (NO_EVENT, "streaming-disabled", "dies before its first event"),
    (NO_EVENT, "streaming-disabled", "older Rust runtimes"),
    (ENDS_EARLY, "stream-truncated", "function's timeout"),
    (ENDS_EARLY, "stream-truncated", "gateway"),
    (ENDS_TO_BE_RESUMED, "stream-truncated", "Last-Event-ID"),
    (CUT_AT_A_SECOND, "function-timeout", "stream-truncated"),
    (CUT_AT_A_SECOND, "function-timeout", "gateway's limit"),
    (TOOL_AT_ONCE, "sentinel-error", "traceback"),
    (TOOL_AT_ONCE, "sentinel-error", "ResponseSizeTooLarge"),
    (TOOL_AT_LIMIT, "sentinel-error", "Task timed out"),
    (NO_TOOLS, "tools-empty", "depend on the caller"),
]


@pytest.mark.parametrize(("judged", "diagnosis", "other"), PAIRS, ids=[f"{row[1]}: {row[2]}" for row in PAIRS])
def test_of_two_causes_that_look_alike_the_other_is_named_too(judged: Judged, diagnosis: str, other: str) -> None:
    assert judged.ids == [diagnosis]
    assert any(other in each for each in judged.diagnoses[0].alternatives), judged.diagnoses[0].alternatives


@pytest.mark.parametrize("judged", {id(row[0]): row[0] for row in PAIRS}.values())
def test_an_alternative_says_what_would_tell_it_apart(judged: Judged) -> None:
    for each in judged.diagnoses[0].alternatives:
        assert any(word in each for word in (": then", "then the", "log", "tells", ":\n", "then ")), each


def test_a_tool_that_fails_at_whole_seconds_has_the_limit_for_its_first_alternative() -> None:
    assert "time limit" in TOOL_AT_LIMIT.diagnoses[0].alternatives[0]
    assert "time limit" not in TOOL_AT_ONCE.diagnoses[0].alternatives[0]


def test_what_can_be_told_apart_is_not_left_open() -> None:
    starts = opening(20.0, FAILED, get(status=405, media="text/plain", body=b"Method Not Allowed")).diagnoses[0]
    elsewhere = judge(opened(initialized(), notified(), era=Era.HANDSHAKE), exchange("tools/list", **FAILED)).diagnoses[
        0
    ]
    one_method = judge(opened(), exchange("tools/list", **FAILED), exchange("tools/list", **FAILED), discovered())

    assert not any("AWS_LAMBDA_EXEC_WRAPPER" in each or "import" in each for each in starts.alternatives)
    assert not any("era: handshake" in each for each in elsewhere.alternatives)
    assert not any("warm-request-crash" in each for each in one_method.diagnoses[0].alternatives)
