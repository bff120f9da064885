"""JSON-RPC 2.0 envelopes out, and JSON values in: bounded, and free of what a database or a re-encoder would refuse."""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, NoReturn

from checks.irregularities import Irregular
from checks.model import Irregularity

JSONRPC: Final = "2.0"

_BOM: Final = b"\xef\xbb\xbf"
_ALIKE: Final = bytes.maketrans(b"{}", b"[]")
_WHITESPACE: Final = b" \t\r\n"
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEPS: Final = [1 if byte == ord("[") else -1 if byte == ord("]") else 0 for byte in range(256)]
_AT_ONCE: Final = 4096
_ESCAPED_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Unreadable(ValueError):
    """Not a JSON value that we keep. `code` is a stable name for the kind, `detail` says what is wrong."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class TooMuch(Unreadable):
    """JSON beyond a limit: `json-too-deep` or `json-too-many-values`."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A JSON value, and what its text has that the value does not show."""

    value: Any
    noticed: tuple[Irregularity, ...] = ()


def request(method: str, params: Mapping[str, Any], rpc_id: str) -> dict[str, Any]:
    """A request envelope. Ids are strings and never used twice (basic, "Requests")."""
    return {"jsonrpc": JSONRPC, "id": rpc_id, "method": method, "params": dict(params)}


def notification(method: str) -> dict[str, Any]:
    """A notification envelope without params."""
    return {"jsonrpc": JSONRPC, "method": method}


def encode(envelope: Mapping[str, Any]) -> str:
    """The envelope as compact ASCII JSON. Raises ValueError for NaN and infinities, which JSON does not have."""
    return json.dumps(envelope, separators=(",", ":"), allow_nan=False)


def decode(text: bytes, *, depth: int, values: int) -> Decoded:
    """The JSON value in `text`, which is UTF-8 whatever its sender says.

    Raises `Unreadable` for what is not JSON and for numbers that JSON does not have or that overflow, and its kind
    `TooMuch` for values nested deeper than `depth` or made of more than `values` parts, before any of it is parsed.
    """
    _check_size(text, depth=depth, values=values)
    doubled: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs) and not doubled:
            doubled.append(Counter(name for name, _ in pairs).most_common(1)[0][0])
        return found

    bare = text.removeprefix(_BOM)
    try:
        value = json.loads(_unicode(bare), parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=members)
    except Unreadable:
        raise
    except RecursionError:
        raise TooMuch("json-too-deep", "the JSON is nested deeper than the parser can go") from None
    except json.JSONDecodeError as cause:
        raise Unreadable(Irregular.NOT_JSON, f"not JSON: {cause}") from cause
    except ValueError as cause:
        raise Unreadable(Irregular.JSON_NON_STANDARD, "a number has more digits than can be read") from cause
    return Decoded(value, _noticed(text, value, doubled))


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


def _unicode(text: bytes) -> str:
    if b"\0" in text[:4]:  # RFC 4627 section 3: so UTF-16 and UTF-32 show themselves
        raise Unreadable(Irregular.BAD_ENCODING, "the JSON is written in UTF-16 or UTF-32, not in UTF-8")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise Unreadable(Irregular.BAD_ENCODING, f"byte {cause.start:,} is not UTF-8") from cause


def _no_constant(name: str) -> NoReturn:
    raise Unreadable(Irregular.JSON_NON_STANDARD, f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Unreadable(Irregular.JSON_NON_STANDARD, "a number is too large")
    return value


def _noticed(text: bytes, value: Any, doubled: list[str]) -> tuple[Irregularity, ...]:
    noticed: list[Irregularity] = []
    if text.startswith(_BOM):
        noticed.append(Irregularity(code=Irregular.BOM, detail="the JSON begins with a byte order mark"))
    if doubled:
        noticed.append(
            Irregularity(code=Irregular.DUPLICATE_KEY, detail=f"an object has the member “{doubled[0][:80]}” twice")
        )
    if (b"\\ud" in text or b"\\uD" in text) and _has_lone_surrogate(value):
        noticed.append(Irregularity(code=Irregular.LONE_SURROGATE, detail="a string holds half a surrogate pair"))
    if b"\\u0000" in text and _ESCAPED_NUL.search(text) is not None:
        noticed.append(Irregularity(code=Irregular.NUL, detail="a string holds U+0000"))
    return tuple(noticed)


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _check_size(text: bytes, *, depth: int, values: int) -> None:
    """Raise `TooMuch` for JSON that is too deep or has too many parts, by its punctuation outside of strings.

    In one pass over the bytes: a parser would take the stack or the memory first and be asked later. Exact for JSON;
    of anything else it sees what a parser would meet before it gives up.
    """
    opened = text.count(b"[") + text.count(b"{")
    may_be_deep, may_be_many = opened > depth, opened + text.count(b",") > values
    if not may_be_deep and not may_be_many:
        return
    unescaped = text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text
    outside = b"0".join(unescaped.split(b'"')[::2]).translate(_ALIKE, _WHITESPACE)
    first = outside.translate(None, _NO_BRACKETS)[: 2 * (values + 1)]  # what is further on is too many values
    if may_be_deep and _is_deeper(first, depth):
        raise TooMuch("json-too-deep", f"the JSON is nested more than {depth} levels deep")
    if may_be_many and _parts(outside) > values:
        raise TooMuch("json-too-many-values", f"the JSON has more than {values:,} values")


def _is_deeper(brackets: bytes, depth: int) -> bool:
    """Whether brackets open more than `depth` levels. Counted piece by piece, so that the hostile end early."""
    level = 0
    for start in range(0, len(brackets), _AT_ONCE):
        levels = list(accumulate(map(_STEPS.__getitem__, brackets[start : start + _AT_ONCE]), initial=level))
        if max(levels) > depth:
            return True
        level = levels[-1]
    return False


def _parts(outside: bytes) -> int:
    """How many members and elements all containers have together: one more than commas, unless it is empty. But never
    fewer than there are containers within others, whatever stands between them."""
    opened = outside.count(b"[")
    return max(outside.count(b",") + opened - outside.count(b"[]"), opened - 1)
