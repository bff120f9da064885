"""What the stateless era mirrors from a request's body into its headers, so that gateways can route on it."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from checks.spec import HEADER_NAME

HEADER_PARAM: Final = "Mcp-Param-"
ANNOTATION: Final = "x-mcp-header"

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
_SENTINEL: Final = re.compile(r"=\?base64\?.*\?=", re.IGNORECASE)
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # RFC 9110 section 5.6.2
_DEEPEST: Final = 8
_MOST: Final = 50

Annotated = tuple[tuple[tuple[str, ...], str], ...]
"""Paths of annotated parameters within the arguments, each with the header that mirrors it."""


def header_value(text: str) -> str:
    """`text` as a header value: as it is where that is safe, else as base64 between the marks of the specification.

    Source: 2026-07-28, basic/transports/streamable-http, "Value Encoding".
    """
    if (not text or _PLAIN.fullmatch(text)) and not _SENTINEL.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'backslashreplace')).decode('ascii')}?="


def name_headers(method: str, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The `Mcp-Name` header of a request that names a tool, a prompt, a resource or a task."""
    named = params.get(_NAMED_BY.get(method, ""))
    return [(HEADER_NAME, header_value(named))] if isinstance(named, str) else []


def annotated_parameters(schema: Any) -> Annotated:
    """The parameters of a tool's input schema that its server wants mirrored.

    Only properties reached through `properties` alone can be annotated, and only by a valid header name; other
    annotations make the tool's definition invalid, so that nothing has to be sent for them.
    """
    found = []
    for path, annotation in _walk(schema, ()):
        found.append((path, HEADER_PARAM + annotation))
        if len(found) == _MOST:
            break
    return tuple(found)


def parameter_headers(annotated: Annotated, arguments: Any) -> list[tuple[str, str]]:
    """The headers that mirror the given arguments; a missing or null argument has none."""
    headers = []
    for path, header in annotated:
        text = _as_text(_at(arguments, path))
        if text is not None:
            headers.append((header, header_value(text)))
    return headers


def _walk(schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or len(path) >= _DEEPEST:
        return
    for name, inner in properties.items():
        annotation = inner.get(ANNOTATION) if isinstance(inner, Mapping) else None
        if isinstance(annotation, str) and _TOKEN.fullmatch(annotation):
            yield (*path, name), annotation
        yield from _walk(inner, (*path, name))


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    return None
