"""Lenient readers over an `Exchange`: what the server answered, whatever shape it chose to say it in.

Leniency follows what deployed servers do, so that a deviation which every client survives is not read as an outage.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from checks.model import Exchange, nothing

JSONRPC: Final = "2.0"

TEXT_LIMIT: Final = 64 * 1024
"""Characters of text content that `text_of` collects."""

_REVISION: Final = re.compile(r"[!-~]{1,40}")


@dataclass(frozen=True, slots=True)
class RpcError:
    """The error of a JSON-RPC answer. A code that is no integer is None."""

    code: int | None
    message: str
    data: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One entry of a tool list that has at least a name."""

    name: str
    annotations: Mapping[str, Any] = field(default_factory=nothing)
    raw: Mapping[str, Any] = field(default_factory=nothing)

    @property
    def is_read_only(self) -> bool:
        """Whether the server says outright that a call changes nothing.

        Only an explicit hint counts: the specification's default for a missing one is `false` (server/tools,
        ToolAnnotations).
        """
        return self.annotations.get("readOnlyHint") is True

    @property
    def is_destructive(self) -> bool:
        """Whether the server says outright that a call may destroy something."""
        return self.annotations.get("destructiveHint") is True and not self.is_read_only

    @property
    def needs_task(self) -> bool:
        """Whether the tool answers only clients that poll tasks (2025-11-25, basic/utilities/tasks)."""
        execution = self.raw.get("execution")
        return isinstance(execution, Mapping) and execution.get("taskSupport") == "required"


def rpc_messages(exchange: Exchange) -> Iterator[Mapping[str, Any]]:
    """Every JSON object that came, with the members of batch arrays (2025-03-26 allows them) one by one."""
    for message in exchange.messages:
        members = message.data if isinstance(message.data, list) else [message.data]
        for member in members:
            if isinstance(member, Mapping):
                yield member


def answer_of(exchange: Exchange) -> Mapping[str, Any] | None:
    """The JSON-RPC message that answers this exchange's request, or None.

    A result must carry our id. An error counts with any id: official SDKs send `null`, leave it out (allowed since
    2025-11-25) or write `"server-error"`.
    """
    if exchange.rpc_id is None:
        return None
    candidates = [message for message in rpc_messages(exchange) if _is_answer(message)]
    ours = (message for message in candidates if _has_id(message, exchange.rpc_id))
    return next(ours, None) or next((message for message in candidates if has_error(message)), None)


def result_of(exchange: Exchange) -> Mapping[str, Any] | None:
    """The result object of the answer, or None when there is no answer, or an error, or the result is no object."""
    answer = answer_of(exchange)
    if answer is None or has_error(answer):
        return None
    result = answer.get("result")
    return result if isinstance(result, Mapping) else None


def error_of(exchange: Exchange) -> RpcError | None:
    """The JSON-RPC error of the answer, or None when there is no answer or it is a result."""
    answer = answer_of(exchange)
    if answer is None or not has_error(answer):
        return None
    error = answer["error"]
    code = error.get("code")
    return RpcError(
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        message=str(error.get("message") or ""),
        data=error.get("data"),
    )


def error_text_of(exchange: Exchange) -> str:
    """All that the JSON-RPC error of the answer says: its message, text in its data, and the text content that awslabs'
    handler puts beside it as `errorContent`; cut at `TEXT_LIMIT`."""
    error, answer = error_of(exchange), answer_of(exchange)
    if error is None or answer is None:
        return ""
    data = error.data.get("message") if isinstance(error.data, Mapping) else error.data
    beside = text_of({"content": answer.get("errorContent")})
    return "\n".join(each for each in (error.message, data, beside) if isinstance(each, str) and each)[:TEXT_LIMIT]


def has_error(message: Mapping[str, Any]) -> bool:
    """Whether a JSON-RPC message carries an error object."""
    return isinstance(message.get("error"), Mapping)


def revision_of(exchange: Exchange) -> str | None:
    """The revision that an `initialize` result names, or None where it names nothing that a header could carry back."""
    version = (result_of(exchange) or {}).get("protocolVersion")
    return version if isinstance(version, str) and _REVISION.fullmatch(version) else None


def tools_of(exchange: Exchange) -> tuple[Tool, ...]:
    """The listed tools that have a name; entries that are no object or have none are left out."""
    listed = (result_of(exchange) or {}).get("tools")
    if not isinstance(listed, list):
        return ()
    return tuple(
        Tool(name=entry["name"], annotations=_mapping(entry.get("annotations")), raw=entry)
        for entry in listed
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str) and entry["name"]
    )


def all_tools_of(exchanges: Iterable[Exchange]) -> list[Tool]:
    """The tools of every page of a list, in order; a name that comes twice is there twice."""
    return [tool for exchange in exchanges for tool in tools_of(exchange)]


def next_cursor_of(exchange: Exchange) -> str | None:
    """The cursor of the next page. The empty string is a valid cursor; only a missing or null one ends the list.

    Source: specification 2026-07-28, server/utilities/pagination, "Implementation Guidelines".
    """
    cursor = (result_of(exchange) or {}).get("nextCursor")
    return cursor if isinstance(cursor, str) else None


def text_of(tool_result: Mapping[str, Any]) -> str:
    """The text content of a tool result, joined by line ends and cut at `TEXT_LIMIT`."""
    content = tool_result.get("content")
    if not isinstance(content, list):
        return ""
    texts = (
        block["text"]
        for block in content
        if isinstance(block, Mapping) and block.get("type") == "text" and isinstance(block.get("text"), str)
    )
    return "\n".join(texts)[:TEXT_LIMIT]


def _is_answer(message: Mapping[str, Any]) -> bool:
    """A null member counts as absent: older JSON-RPC libraries write `"error": null` beside a result."""
    if message.get("jsonrpc") != JSONRPC:
        return False
    return (message.get("result") is not None) != (message.get("error") is not None) and (
        message.get("error") is None or has_error(message)
    )


def _has_id(message: Mapping[str, Any], rpc_id: str) -> bool:
    given = message.get("id")
    return isinstance(given, str | int) and not isinstance(given, bool) and str(given) == rpc_id


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else nothing()
