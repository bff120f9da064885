"""What becomes of the body of a request before anybody reads it."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from dashboard.api.bodies import MOST_BYTES, BoundedBody

FORM = "application/x-www-form-urlencoded"


async def sent(*messages: Message, kind: str = FORM, path: str = "/settings/maintenance") -> tuple[list[bytes], int]:
    """The bodies that the application behind it gets of these messages, and the status of the answer; 0 for none."""
    bodies: list[bytes] = []
    statuses: list[int] = []
    coming: Iterator[Message] = iter(messages)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        bodies.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return next(coming)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers: Sequence[tuple[bytes, bytes]] = [(b"content-type", kind.encode())]
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "headers": headers}
    await BoundedBody(application)(scope, receive, send)
    return bodies, sum(statuses)


def piece(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_pieces_is_handed_on_as_one() -> None:
    assert await sent(piece(b"labels=team=pay", more=True), piece(b"ments", more=False)) == (
        [b"labels=team=payments"],
        200,
    )


@pytest.mark.parametrize("said", [(), (piece(b"labels=team=pay", more=True),)])
async def test_half_a_form_changes_nothing_where_whoever_sent_it_has_left(said: tuple[Message, ...]) -> None:
    assert await sent(*said, {"type": "http.disconnect"}) == ([], 0)


async def test_a_body_is_refused_as_soon_as_it_is_too_large() -> None:
    assert await sent(piece(b"x" * MOST_BYTES, more=True), piece(b"x", more=True)) == ([], 413)


async def test_a_program_has_to_say_that_it_sends_json() -> None:
    assert await sent(piece(b"{}", more=False), path="/api/maintenance") == ([], 415)
    assert await sent(piece(b"{}", more=False), path="/api/maintenance", kind="application/json") == ([b"{}"], 200)
