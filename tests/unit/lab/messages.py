"""Requests as faultless clients of either era make them, and what came back, read."""

import json

from prober.lab.http import read_body

META = "io.modelcontextprotocol/"
VERSION = "2026-07-28"


def stateless(post, method, params=None, *, rpc_id="p1", meta=None, **headers):
    """A faultless request of the stateless era, but for what is given otherwise."""
    full = {f"{META}protocolVersion": VERSION, f"{META}clientCapabilities": {}, **(meta or {})}
    message = {"jsonrpc": "2.0", "id": rpc_id, "method": method, "params": {**(params or {}), "_meta": full}}
    return post(message, **{"MCP_Protocol_Version": VERSION, "Mcp_Method": method, **headers})


def handshake(post, method, params=None, *, rpc_id=1, **headers):
    message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
    return post(message if rpc_id is None else {**message, "id": rpc_id}, **headers)


async def json_of(response):
    return json.loads(await read_body(response.body))


async def events_of(response):
    text = (await read_body(response.body)).decode()
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: {")]
