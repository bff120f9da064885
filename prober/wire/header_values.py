"""What the stateless era mirrors from a request's body into its headers, so that gateways can route on it."""

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from checks.mirrored import mirrored_parameters
from checks.spec import HEADER_NAME

HEADER_PARAM: Final = "Mcp-Param-"

_NAMED_BY: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/cancel": "taskId",
}
"""The member of `params` that `Mcp-Name` repeats, by method (2026-07-28, basic/transports/streamable-http; for tasks
the extension `io.modelcontextprotocol/tasks`, "Streamable HTTP: Routing Headers")."""

_PLAIN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_MOST: Final = 50
"""More headers than this are not sent: servers refuse requests with very many."""

Annotated = tuple[tuple[tuple[str, ...], str], ...]
"""Paths of annotated parameters within the arguments, each with the header that mirrors it."""


def header_value(text: str) -> str:
    """`text` as a header value: as it is where that is safe, else as base64 between the marks of the specification.

    Source: 2026-07-28, basic/transports/streamable-http, "Value Encoding".
    """
    looks_encoded = text.startswith("=?base64?") and text.endswith("?=")
    if (not text or _PLAIN.fullmatch(text)) and not looks_encoded:
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'backslashreplace')).decode('ascii')}?="


def name_headers(method: str, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The `Mcp-Name` header of a request that names a tool, a prompt, a resource or a task."""
    named = params.get(_NAMED_BY.get(method, ""))
    return [(HEADER_NAME, header_value(named))] if isinstance(named, str) else []


def annotated_parameters(schema: Any) -> Annotated:
    """The parameters of a tool's input schema that its server wants mirrored, as long as no annotation is invalid."""
    return tuple((path, HEADER_PARAM + name) for path, name in mirrored_parameters(schema)[:_MOST])


def parameter_headers(annotated: Annotated, arguments: Any) -> list[tuple[str, str]]:
    """The headers that mirror the given arguments; a missing or null argument has none."""
    headers = []
    for path, header in annotated:
        text = _as_text(_at(arguments, path))
        if text is not None:
            headers.append((header, header_value(text)))
    return headers


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _as_text(value: Any) -> str | None:
    """A primitive value as text. A whole number written with a fraction is an integer to JSON Schema."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, str | int):
        return str(value)
    return None
