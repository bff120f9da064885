"""Secret header values and queries: what is sent, what is shown instead, and keeping them out of what echoes them."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from checks.credentials import names_credential
from checks.text import REDACTED

_SHORTEST: Final = 4
"""Shorter values are no secrets, and taking them out would garble everything else."""

_SHORTEST_UNNAMED: Final = 12
"""The same for headers whose names speak of no credential: a tenant or a region by reference may be part of the name
of a tool, and what the checks read must stay what the server wrote."""

_SIGNATURE_SCHEME: Final = "AWS4-HMAC-SHA256"
_PARTS_OF_SIGNATURE: Final = re.compile(r"Credential=([^/,\s]+)|Signature=([0-9a-f]+)")

_SHORTEST_WITHIN: Final = 8
"""Characters of base64 that are taken for a secret's within a longer text; fewer may stand there by chance."""

_GZIP: Final = b"\x1f\x8b\x08"
_GZIP_HEAD: Final = 10
"""Bytes before what is packed (RFC 1952, section 2.3)."""

_NO_WORD: Final = 16
"""A part of a query without a name is taken for a secret from this length on; shorter ones are words such as `json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentHeader:
    """A request header: the value that goes out, and the text that may be shown for it."""

    name: str
    value: str
    shown: str

    @property
    def is_secret(self) -> bool:
        return self.value != self.shown

    @property
    def is_telling(self) -> bool:
        """Whether the value must not be shown where a server repeats it."""
        shortest = _SHORTEST if names_credential(self.name) else _SHORTEST_UNNAMED
        return self.is_secret and len(self.value) >= shortest

    def __repr__(self) -> str:
        return f"SentHeader(name={self.name!r}, shown={self.shown!r})"


class Redactor:
    """Replaces secrets by `[redacted]`, in the spellings in which a server may repeat them.

    The query of the endpoint's `url` counts as one, because keys are handed out in it.
    """

    def __init__(self, headers: Iterable[SentHeader], url: str = "") -> None:
        spellings = {text for header in headers if header.is_telling for text in _spellings(header.value)}
        spellings.update(_of_query(_query(url)))
        self._hold(spellings)

    def beside(self, headers: Iterable[SentHeader]) -> "Redactor":
        """A redactor that knows the secrets of these headers too."""
        both = Redactor(headers)
        both._hold({*both._texts, *self._texts})
        return both

    def _hold(self, spellings: Iterable[str]) -> None:
        self._texts = sorted((text for text in spellings if len(text) >= _SHORTEST), key=len, reverse=True)
        self._bytes = [text.encode("utf-8", "surrogateescape") for text in self._texts]
        self.longest = max((len(secret) for secret in self._bytes), default=0)

    def text(self, text: str) -> str:
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, REDACTED)
        return text

    def body(self, body: bytes) -> bytes:
        """The bytes without the secrets; of what is still packed, so that nobody can search it, its head alone."""
        if self._bytes and body.startswith(_GZIP):
            return body[:_GZIP_HEAD] + REDACTED.encode()
        for secret in self._bytes:
            if secret in body:
                body = body.replace(secret, REDACTED.encode())
        return body

    def value(self, value: Any) -> Any:
        """A JSON value with the secrets taken out of its strings and keys. Its depth is bounded by the reader."""
        if not self._texts:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return value


def _query(url: str) -> str:
    """The query of a URL, also of one whose host cannot be read."""
    try:
        return urlsplit(url).query
    except ValueError:
        return url.partition("?")[2].partition("#")[0]


def _of_query(query: str) -> Iterator[str]:
    """The query, each of its parts, and the values whose names say that they are secret: others may be common words."""
    for part in (query, *query.split("&")):
        if "=" in part:
            yield part
        elif len(part) >= _NO_WORD:
            yield from _spellings(part)
    for name, value in parse_qsl(query):
        if names_credential(name):
            yield from _spellings(value)


def _spellings(value: str) -> Iterator[str]:
    """The value, and its credential without the scheme, each also as JSON, in a URL or form, in HTML and in base64."""
    for plain in _credentials(value):
        yield plain
        yield from _as_json(plain)
        for encoded in (quote(plain, safe=""), quote(plain), quote_plus(plain)):
            yield encoded
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)
        yield html.escape(plain)
        yield from _in_base64(plain.encode())


def _in_base64(plain: bytes) -> Iterator[str]:
    """By itself, and as the part of a longer text that depends on nothing around it, wherever it begins in there."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(plain).decode("ascii").rstrip("=")
        for before in range(3):
            encoded = encode(bytes(before) + plain).decode("ascii")
            own = encoded[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6]
            if len(own) >= _SHORTEST_WITHIN:
                yield own


def _as_json(plain: str) -> Iterator[str]:
    """As most write it, as Go does, and as PHP does."""
    written = json.dumps(plain)[1:-1]
    yield written
    yield written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    yield written.replace("/", "\\/")


def _credentials(value: str) -> Iterator[str]:
    yield value
    scheme, _, credential = value.partition(" ")
    if not credential:
        return
    yield credential.strip()
    if scheme == _SIGNATURE_SCHEME:
        yield from (found for part in _PARTS_OF_SIGNATURE.finditer(credential) for found in part.groups() if found)
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(credential, validate=True).decode()
        except ValueError:
            return
        yield decoded
        yield decoded.partition(":")[2]
