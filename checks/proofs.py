"""One exchange in words, for summaries and as proof: bounded, cleaned, with the numbers that decide."""

import json
from collections.abc import Sequence
from typing import Any, Final

from checks.messages import error_of, result_of
from checks.model import Exchange, Proof
from checks.text import clean, clean_bytes

_QUOTED: Final = 120


def answer_line(exchange: Exchange) -> str:
    """What came back, in one line: the failure, the JSON-RPC error, or status, type and first characters."""
    if exchange.transport_error is not None and error_of(exchange) is None:
        error = exchange.transport_error
        begun = (
            "" if exchange.status is None else f"HTTP {exchange.status}, {_type_of(exchange)}, {quote(exchange)}, then "
        )
        return f"{begun}{error.failure.value} ({clean(error.reason, 60)}): {clean(error.detail, 160)}"
    error_answer = error_of(exchange)
    if error_answer is not None:
        code = "without a code" if error_answer.code is None else str(error_answer.code)
        return f"JSON-RPC error {code} on HTTP {exchange.status}: {clean(error_answer.message, _QUOTED)}"
    result = result_of(exchange)
    if result is not None:
        return f"a JSON-RPC result on HTTP {exchange.status}: {shown_json(result)}"
    return f"HTTP {exchange.status}, {_type_of(exchange)}, {quote(exchange)}"


def quote(exchange: Exchange, limit: int = _QUOTED) -> str:
    """The first characters of the body in quotation marks, or that it is empty."""
    if not exchange.body_size and not exchange.body:
        return "empty body"
    return f"body of {exchange.body_size:,} bytes beginning “{clean_bytes(exchange.body, limit)}”"


def request_line(exchange: Exchange) -> str:
    """What was asked: the JSON-RPC method where there is one, else the HTTP method."""
    return exchange.rpc_method or exchange.method


def answer_proof(exchange: Exchange) -> Proof:
    """What came back to which request."""
    return Proof(text=f"{request_line(exchange)} → {answer_line(exchange)}", exchange=exchange.id)


def header_proof(exchange: Exchange, name: str) -> tuple[Proof, ...]:
    """An answer header that decides, where it is there."""
    value = exchange.header(name)
    return () if value is None else (Proof(text=f"{name}: {clean(value, 160)}", exchange=exchange.id),)


def shown_json(value: Any, limit: int = _QUOTED) -> str:
    """A JSON value on one line. Nesting that can be read but not written again is possible, and named."""
    try:
        return clean(json.dumps(value, ensure_ascii=False, default=str), limit)
    except RecursionError:
        return "deeply nested JSON"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: `1 tool`, `3 tools`, `2 entries`."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {many or one + 's'}"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _type_of(exchange: Exchange) -> str:
    return clean(exchange.media_type, 60) or "no Content-Type"


def milliseconds(ms: float | None) -> str:
    """A duration with about three figures: `0.4 ms`, `84 ms`, `1.24 s`, `75 s`. A dash where there is none."""
    if ms is None:
        return "-"
    if ms < 0.05:
        return "0 ms"
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s" if seconds < 59.95 else f"{seconds:.0f} s"
