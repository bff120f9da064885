"""What the stateless era demands of a request's headers and `_meta`, which mirror each other and the params.

Source: MCP specification 2026-07-28, basic/index, "_meta", and basic/transports/streamable-http, "Request Metadata".
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any, Final

from prober.lab.http import Request
from prober.lab.servers import rpc, toolbox

VERSION: Final = "2026-07-28"
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_VERSION: Final = -32022
META: Final = "io.modelcontextprotocol/"
NAMED_METHODS: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Methods that mirror a parameter in `Mcp-Name`."""
_SENTINEL: Final = re.compile(r"=\?base64\?(.*)\?=")
_UNSAFE: Final = re.compile(r"[^\x20-\x7e\t]")


def refuse_contradictions(request: Request, message: rpc.Json) -> None:
    """The rules for every request, in the order in which a client can mend them. Raises Refused."""
    claimed = request.header("mcp-protocol-version")
    if message["method"] == "initialize" or claimed is None:
        _refuse_other_era(message, claimed)
    params = rpc.params_of(message)
    meta = params.get("_meta", {})
    meant = meta.get(f"{META}protocolVersion") if isinstance(meta, dict) else None
    if isinstance(meant, str) and meant != claimed:
        raise rpc.Refused(400, HEADER_MISMATCH, "MCP-Protocol-Version differs from _meta")
    if claimed != VERSION:
        raise _unsupported(claimed)
    if not isinstance(meant, str):
        raise rpc.Refused(400, rpc.INVALID_PARAMS, f"_meta lacks {META}protocolVersion")
    if not isinstance(meta.get(f"{META}clientCapabilities"), dict):
        raise rpc.Refused(400, rpc.INVALID_PARAMS, f"_meta lacks {META}clientCapabilities")
    if request.header("mcp-method") != message["method"]:
        raise rpc.Refused(400, HEADER_MISMATCH, "Mcp-Method is missing or differs from the body")
    named = NAMED_METHODS.get(message["method"])
    if named is not None and _plain("Mcp-Name", request.header("mcp-name")) != params.get(named):
        raise rpc.Refused(400, HEADER_MISMATCH, "Mcp-Name is missing or differs from the body")


def refuse_wrong_parameters(request: Request, message: rpc.Json, tools: Sequence[toolbox.Tool]) -> None:
    """The rules for the arguments that a tool wants in headers of their own. Raises Refused."""
    params = rpc.params_of(message)
    tool = toolbox.named(tools, params) if message["method"] == "tools/call" else None
    if tool is None:
        return
    arguments = params.get("arguments")
    given = arguments if isinstance(arguments, dict) else {}
    for argument, suffix in tool.mirrored.items():
        header = f"Mcp-Param-{suffix}"
        if not _mirrors(_plain(header, request.header(header)), given.get(argument)):
            raise rpc.Refused(400, HEADER_MISMATCH, f"{header} is missing or differs from the argument {argument}")


def _mirrors(text: str | None, value: Any) -> bool:
    """Whether a header's text stands for the value; a value that is null or absent has no header."""
    if text is None or value is None:
        return text is None and value is None
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if isinstance(value, int):
        try:
            return bool(float(text) == value)
        except ValueError:
            return False
    return bool(text == value)


def _refuse_other_era(message: rpc.Json, claimed: str | None) -> None:
    if message["method"] == "initialize":
        requested = rpc.params_of(message).get("protocolVersion")
        raise _unsupported(requested if isinstance(requested, str) else claimed)
    raise rpc.Refused(400, HEADER_MISMATCH, "MCP-Protocol-Version is missing")


def _unsupported(requested: str | None) -> rpc.Refused:
    data = {"supported": [VERSION], "requested": requested}
    return rpc.Refused(400, UNSUPPORTED_VERSION, "Unsupported protocol version", data=data)


def _plain(header: str, value: str | None) -> str | None:
    """The text of a header that may be wrapped as `=?base64?…?=`. Raises Refused for one that is neither."""
    if value is None:
        return None
    if _UNSAFE.search(value):
        raise rpc.Refused(400, HEADER_MISMATCH, f"{header} has characters that no header may carry")
    wrapped = _SENTINEL.fullmatch(value)
    if wrapped is None:
        return value
    try:
        return base64.b64decode(wrapped[1], validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise rpc.Refused(400, HEADER_MISMATCH, f"{header} is not valid base64") from None
