"""An MCP server of the stateless era: every request stands alone and carries its own metadata.

Source: MCP specification 2026-07-28, basic/index, basic/transports/streamable-http and server/discover.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prober.lab.http import Request, Response
from prober.lab.servers import rpc, toolbox

VERSION: Final = "2026-07-28"
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_VERSION: Final = -32022
META: Final = "io.modelcontextprotocol/"
NAMED_METHODS: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Methods that mirror a parameter in `Mcp-Name`."""


@dataclass(frozen=True, kw_only=True)
class StatelessServer:
    """Serves `server/discover`, `tools/list` and `tools/call`; POST only.

    With `streams`, a call that carries a progress token is answered by an event stream; otherwise always by JSON.
    """

    tools: Sequence[toolbox.Tool] = toolbox.STANDARD_TOOLS
    streams: bool = True
    page_size: int | None = None
    name: str = toolbox.LAB_NAME

    async def __call__(self, request: Request) -> Response:
        if request.method != "POST":
            return rpc.method_not_allowed("POST")
        try:
            return await self._answer(request)
        except rpc.Refused as refused:
            return refused.response()

    async def _answer(self, request: Request) -> Response:
        message = rpc.message_of(request)
        if not rpc.accepts(request, rpc.JSON, rpc.EVENTS):
            raise rpc.Refused(406, rpc.INVALID_REQUEST, "Not Acceptable: offer application/json and text/event-stream")
        if "id" not in message:
            return rpc.accepted()
        try:
            _validate(request, message)
            return await self._dispatch(message)
        except rpc.Refused as refused:
            refused.rpc_id = message["id"]
            raise

    async def _dispatch(self, message: rpc.Json) -> Response:
        params = rpc.params_of(message)
        match message["method"]:
            case "server/discover":
                return self._result(
                    message, {"supportedVersions": [VERSION], "capabilities": {"tools": {}}}, cached=True
                )
            case "tools/list":
                return self._result(message, toolbox.listing(self.tools, params, self.page_size), cached=True)
            case "tools/call":
                return await self._call(message, params)
            case method:
                raise rpc.Refused(404, rpc.METHOD_NOT_FOUND, f"Method not found: {method}")

    async def _call(self, message: rpc.Json, params: Mapping[str, Any]) -> Response:
        steps = toolbox.call(self.tools, params)
        token = rpc.progress_token(message)
        if token is not None and self.streams and any(tool.name == params.get("name") for tool in self.tools):
            return rpc.event_stream(rpc.events(self._messages(message, token, steps)))
        async for step in steps:
            if not isinstance(step, toolbox.Progress):
                return self._result(message, step)
        raise rpc.Refused(200, rpc.INTERNAL_ERROR, "The tool ended without a result")

    async def _messages(
        self, message: rpc.Json, token: str | int, steps: AsyncIterator[toolbox.Progress | rpc.Json]
    ) -> AsyncIterator[rpc.Json]:
        async for step in steps:
            if isinstance(step, toolbox.Progress):
                yield toolbox.notification(token, step)
            else:
                yield rpc.result(message["id"], self._complete(step))

    def _result(self, message: rpc.Json, value: rpc.Json, *, cached: bool = False) -> Response:
        hints = {"ttlMs": 0, "cacheScope": "private"} if cached else {}
        return rpc.json_response(rpc.result(message["id"], self._complete({**value, **hints})))

    def _complete(self, value: rpc.Json) -> rpc.Json:
        server_info = {"name": self.name, "version": "1.0.0"}
        return {"resultType": "complete", **value, "_meta": {f"{META}serverInfo": server_info}}


def _validate(request: Request, message: rpc.Json) -> None:
    """The rules for headers and `_meta`, in the order in which a client can mend them."""
    claimed = request.header("mcp-protocol-version")
    if message["method"] == "initialize" or claimed is None:
        _refuse_other_era(message, claimed)
    if claimed != VERSION:
        raise _unsupported(claimed)
    params = rpc.params_of(message)
    meta = params.get("_meta")
    if not isinstance(meta, dict):
        raise rpc.Refused(400, rpc.INVALID_PARAMS, "params._meta is missing")
    if not isinstance(meta.get(f"{META}protocolVersion"), str):
        raise rpc.Refused(400, rpc.INVALID_PARAMS, f"_meta lacks {META}protocolVersion")
    if meta[f"{META}protocolVersion"] != claimed:
        raise rpc.Refused(400, HEADER_MISMATCH, "MCP-Protocol-Version differs from _meta")
    if not isinstance(meta.get(f"{META}clientCapabilities"), dict):
        raise rpc.Refused(400, rpc.INVALID_PARAMS, f"_meta lacks {META}clientCapabilities")
    if request.header("mcp-method") != message["method"]:
        raise rpc.Refused(400, HEADER_MISMATCH, "Mcp-Method is missing or differs from the body")
    named = NAMED_METHODS.get(message["method"])
    if named is not None and _plain(request.header("mcp-name")) != params.get(named):
        raise rpc.Refused(400, HEADER_MISMATCH, "Mcp-Name is missing or differs from the body")


def _refuse_other_era(message: rpc.Json, claimed: str | None) -> None:
    if message["method"] == "initialize":
        requested = rpc.params_of(message).get("protocolVersion")
        raise _unsupported(requested if isinstance(requested, str) else claimed)
    raise rpc.Refused(400, HEADER_MISMATCH, "MCP-Protocol-Version is missing")


def _unsupported(requested: str | None) -> rpc.Refused:
    data = {"supported": [VERSION], "requested": requested}
    return rpc.Refused(400, UNSUPPORTED_VERSION, "Unsupported protocol version", data=data)


def _plain(value: str | None) -> str | None:
    """The text of a header that may be wrapped as `=?base64?…?=`."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise rpc.Refused(400, HEADER_MISMATCH, "Mcp-Name is not valid base64") from None
