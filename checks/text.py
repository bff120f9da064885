"""Text that somebody else wrote, made safe to show: bounded, and free of characters that act instead of reading."""

import re
import unicodedata
from typing import Any, Final
from urllib.parse import urlsplit

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_SHOWN_ANYWAY: Final = frozenset("\n\t")
_ACTING_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
ELLIPSIS: Final = "…"
REDACTED: Final = "[redacted]"
"""Stands where a secret stood."""


def clean(text: str, limit: int = 300, *, keep_lines: bool = False) -> str:
    """`text` in normal form C, with control, format (bidi, zero-width) and surrogate characters as visible escapes.

    At most `limit` characters come back; a cut is marked by an ellipsis. Idempotent for text within the limit.
    """
    if len(text) > limit * 4:
        text = text[: limit * 4]
    composed = unicodedata.normalize("NFC", text)
    shown = composed
    if not composed.isprintable():
        shown = "".join(each if each.isprintable() else _visible(each, keep_lines=keep_lines) for each in composed)
    return shown if len(shown) <= limit else shown[: max(limit - 1, 0)] + ELLIPSIS


def clean_bytes(body: bytes, limit: int = 300, *, keep_lines: bool = False) -> str:
    """`body` read as UTF-8 with undecodable bytes as visible escapes, then cleaned."""
    return clean(body[: limit * 4].decode("utf-8", "backslashreplace"), limit, keep_lines=keep_lines)


def shown_url(url: str, limit: int = 2048) -> str:
    """`url` without user, password, query and fragment, any of which may hold a secret; cleaned."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    host = parts.netloc.rpartition("@")[2]
    query = f"?{REDACTED}" if parts.query else ""
    return clean(f"{parts.scheme}://{host}{parts.path}{query}", limit)


def storable(value: Any) -> Any:
    """A JSON value that PostgreSQL accepts: NUL and lone surrogates in strings and keys become visible escapes."""
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:  # as good as all are, and cheaper to ask for
            return value
        return _UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def _visible(character: str, *, keep_lines: bool) -> str:
    if character in _SHOWN_ANYWAY:
        return character if keep_lines else " "
    category = unicodedata.category(character)
    if category == "Zs":
        return " "  # a space that is no space hides how a name is spelled
    if category in _ACTING_CATEGORIES:
        return f"\\u{{{ord(character):x}}}"
    return character
