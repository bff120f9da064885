"""Requests as faultless clients of either era make them, and what came back, read."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from prober.lab.http import Request, Response, read_body

Post = Callable[..., Request]
"""The fixture `post`: takes the message, and headers by name."""

META = "io.modelcontextprotocol/"
VERSION = "2026-07-28"


def stateless(
    post: Post,
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    rpc_id: str = "p1",
    meta: Mapping[str, Any] | None = None,
    **headers: str | None,
) -> Request:
    """A faultless request of the stateless era, but for what is given otherwise."""
    full = {f"{META}protocolVersion": VERSION, f"{META}clientCapabilities": {}, **(meta or {})}
    message = {"jsonrpc": "2.0", "id": rpc_id, "method": method, "params": {**(params or {}), "_meta": full}}
    return post(message, **{"MCP_Protocol_Version": VERSION, "Mcp_Method": method, **headers})


def handshake(
    post: Post,
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    rpc_id: int | None = 1,
    **headers: str | None,
) -> Request:
    message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
    return post(message if rpc_id is None else {**message, "id": rpc_id}, **headers)


async def json_of(response: Response) -> Any:
    return json.loads(await read_body(response.body))


async def events_of(response: Response) -> list[Any]:
    text = (await read_body(response.body)).decode()
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: {")]
