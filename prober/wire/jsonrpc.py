"""JSON-RPC 2.0 envelopes out, and JSON values in: bounded, and free of what a database or a re-encoder would refuse."""

import json
import math
from collections.abc import Mapping
from typing import Any, Final, NoReturn

JSONRPC: Final = "2.0"

_OPENING: Final = (b"{", b"[")


class Unreadable(ValueError):
    """Not a JSON value that we keep; the text says why."""


def request(method: str, params: Mapping[str, Any], rpc_id: str) -> dict[str, Any]:
    """A request envelope. Ids are strings and never used twice (basic, "Requests")."""
    return {"jsonrpc": JSONRPC, "id": rpc_id, "method": method, "params": dict(params)}


def notification(method: str) -> dict[str, Any]:
    """A notification envelope without params."""
    return {"jsonrpc": JSONRPC, "method": method}


def encode(envelope: Mapping[str, Any]) -> str:
    """The envelope as compact ASCII JSON. Raises ValueError for NaN and infinities, which JSON does not have."""
    return json.dumps(envelope, separators=(",", ":"), allow_nan=False)


def decode(text: bytes, *, depth: int, values: int) -> Any:
    """The JSON value in `text`, which is UTF-8 whatever its sender says.

    Raises `Unreadable` for what is not JSON, for numbers that JSON does not have or that overflow, and for values
    nested deeper than `depth` or made of more than `values` parts.
    """
    try:
        value = json.loads(
            text.decode("utf-8").removeprefix("\ufeff"), parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        raise Unreadable("nested too deeply") from None
    except ValueError as cause:
        raise Unreadable(str(cause)) from cause
    suspicious = len(text) > values or sum(text.count(bracket) for bracket in _OPENING) > depth
    if suspicious and isinstance(value, dict | list):
        _measure(value, depth=depth, values=values)
    return value


def is_response(data: Any) -> bool:
    """Whether a value that arrived is a response, or a batch with one, and so ends the wait for an answer.

    Its id does not matter: SDKs leave out the id of an error or write one of their own, and as only one request is
    under way at a time, waiting on would only hide a wrong id.
    """
    members = data if isinstance(data, list) else [data]
    return any(
        isinstance(member, Mapping) and "method" not in member and ("result" in member or "error" in member)
        for member in members
    )


def _no_constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Unreadable("a number is too large")
    return value


def _measure(value: Any, *, depth: int, values: int) -> None:
    """Raise `Unreadable` where `value` is too deep or has too many parts. Not recursive: the value is hostile."""
    level: list[Any] = [value]
    count = 0
    for _ in range(depth):
        parts: list[Any] = []
        for container in level:
            parts += container.values() if isinstance(container, dict) else container
        count += len(parts)
        if count > values:
            raise Unreadable(f"more than {values:,} values")
        level = [part for part in parts if isinstance(part, dict | list)]
        if not level:
            return
    raise Unreadable(f"nested more than {depth} levels deep")
