"""What is to be sent, and the HTTP request made of it: with what the owner adds, and signed where the owner signs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx

from checks.credentials import names_credential
from prober.net.phases import Phases
from prober.net.transport import FRESH, PHASES, REPEATABLE
from prober.wire import jsonrpc
from prober.wire.redact import Redactor, SentHeader
from prober.wire.tracing import TRACEPARENT, Trace

Headers = tuple[tuple[str, str], ...]

_CLIENT_HEADERS: Final = frozenset({b"user-agent", b"accept-encoding"})
_SIGNING_HEADERS: Final = "x-amz-"
"""What the names of the headers begin with that AWS signatures bring along, beside Authorization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request to be sent."""

    method: str
    url: str
    headers: Headers
    envelope: Mapping[str, Any] | None = None
    fresh: bool = False
    """Over a connection of its own, which nothing else uses."""
    with_credentials: bool = True
    with_owned: bool = True
    """False: with none of the owner's headers, because somebody else than the owner's clients would send it."""
    without: frozenset[str] = frozenset()
    """Names, in lower case, of headers that nothing is added under: neither the owner's plain ones nor ours."""
    until_first: bool = False
    """Nothing more is waited for once a message has come, whatever it is."""
    traceparent: str | None = None
    """Which span of the probe's trace the request is, where its body says so too. None: a new one."""

    @property
    def rpc_method(self) -> str | None:
        return self.envelope["method"] if self.envelope is not None else None

    @property
    def rpc_id(self) -> str | None:
        return self.envelope.get("id") if self.envelope is not None else None

    @property
    def repeatable(self) -> bool:
        """Whether sending it a second time is harmless: not so for what a tool does."""
        return self.rpc_method != "tools/call"


class Signer(Protocol):
    """Makes the credentials of one request out of the very bytes that are sent."""

    def sign(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Sequence[SentHeader]:
        """Headers to be added to the request, all of which count as credentials. Raises nothing.

        `url`, `headers` (with Host, Content-Length and what proxies may change) and `body` are those that go out.
        """
        ...


@dataclass(frozen=True, slots=True)
class Composed:
    """A request as it goes out."""

    request: httpx.Request
    body: str
    signature: Sequence[SentHeader]
    shown_as: Mapping[str, str]
    """What stands for each secret header, by its name in lower case."""

    def shown(self, redactor: Redactor) -> Headers:
        """The request's headers as they may be shown: references for secrets, and no secret within the others."""
        headers = ((name.decode("ascii"), value.decode("latin-1")) for name, value in self.request.headers.raw)
        return tuple((name, self.shown_as.get(name.lower()) or redactor.text(value)) for name, value in headers)


class Composer:
    """Makes the requests of one probe."""

    def __init__(
        self, client: httpx.Headers, headers: Sequence[SentHeader], signer: Signer | None, trace: Trace
    ) -> None:
        """`client` are the headers of our own client, `headers` those of the owner."""
        self._client = tuple((name, value) for name, value in client.raw if name.lower() in _CLIENT_HEADERS)
        self._owned = tuple(headers)
        self._signer = signer
        self._trace = trace
        self._secret = {header.name.lower(): header.shown for header in headers if header.is_secret}
        self._urls: dict[str, httpx.URL] = {}

    def is_credential(self, name: str) -> bool:
        """Whether a header of that name carries, or usually carries, what proves who we are."""
        lower = name.lower()
        return lower in self._secret or names_credential(lower) or lower.startswith(_SIGNING_HEADERS)

    def compose(self, outgoing: Outgoing, phases: Phases) -> Composed:
        """The request, signed over the very bytes that go out.

        Raises httpx.InvalidURL or UnicodeEncodeError for what cannot be sent.
        """
        body = "" if outgoing.envelope is None else jsonrpc.encode(outgoing.envelope)
        content = body.encode("ascii")
        own = ((name.encode("ascii"), _header_bytes(value)) for name, value in outgoing.headers)
        request = httpx.Request(
            outgoing.method,
            self._url(outgoing.url),
            headers=[*own, *self._common_headers(outgoing)],
            content=content or None,
            extensions={PHASES: phases, REPEATABLE: outgoing.repeatable, FRESH: outgoing.fresh},
        )
        signature = self._signature(outgoing, request, content)
        if not signature:
            return Composed(request, body, (), self._secret)
        request.headers = httpx.Headers([*request.headers.raw, *(_raw(header) for header in signature)])
        made = {header.name.lower(): header.shown for header in signature if header.is_secret}
        return Composed(request, body, signature, {**self._secret, **made})

    def _common_headers(self, outgoing: Outgoing) -> list[tuple[bytes, bytes]]:
        """What a request carries beside its own headers: the client's and the trace, where the owner gives
        none, and the owner's; no credential where it goes without them."""
        owned = [_raw(header) for header in self._owned if self._may_carry(outgoing, header)]
        named = {name.lower() for name, _ in owned} | {name.encode("ascii") for name in outgoing.without}
        traced = (TRACEPARENT.encode(), (outgoing.traceparent or self._trace.parent()).encode())
        ours = (*self._client, traced)
        return [*((name, value) for name, value in ours if name.lower() not in named), *owned]

    def _may_carry(self, outgoing: Outgoing, header: SentHeader) -> bool:
        if not outgoing.with_owned or header.name.lower() in outgoing.without:
            return False
        return outgoing.with_credentials or not self.is_credential(header.name)

    def _signature(self, outgoing: Outgoing, request: httpx.Request, body: bytes) -> Sequence[SentHeader]:
        if self._signer is None or not (outgoing.with_credentials and outgoing.with_owned):
            return ()
        headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw]
        return self._signer.sign(request.method, str(request.url), headers, body)

    def _url(self, text: str) -> httpx.URL:
        """A parsed URL; parsing one for every request would cost more than all else we do with it."""
        if text not in self._urls:
            self._urls[text] = httpx.URL(text)
        return self._urls[text]


def _raw(header: SentHeader) -> tuple[bytes, bytes]:
    return header.name.encode("ascii"), _header_bytes(header.value)


def _header_bytes(value: str) -> bytes:
    """Header values that a server gave are read as Latin-1 and go back as they came; others are UTF-8."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")
