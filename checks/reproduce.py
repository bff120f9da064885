"""A shell line that shows a fault without this tool."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from checks.model import Exchange
from checks.text import clean

_LEFT_OUT: Final = frozenset(
    {"host", "content-length", "connection", "accept-encoding", "user-agent", "te", "traceparent"}
)
"""Headers that curl writes itself, that would hide the fault's plain text, or that name the probe's own trace."""

SESSION_HEADER: Final = "mcp-session-id"

_SERVER_CHOSEN: Final = frozenset({SESSION_HEADER, "last-event-id"})
"""Headers whose value the server handed out. Nothing in them may be expanded: a hostile server would otherwise have
the reader's shell print a file or a variable."""

_SIGNATURE: Final = re.compile(r"\$\{sigv4:(?P<service>[a-z0-9-]+)/(?P<region>[a-z0-9-]+)\}")
"""What is shown for an AWS signature, which is good for one request and some minutes: curl makes a new one."""

_SIGNATURE_HEADERS: Final = frozenset({"authorization", "x-amz-date"})

_REFERENCE: Final = re.compile(r"\$\{(?:(?P<scheme>[a-z][a-z0-9-]*):)?(?P<place>[^${}]+)\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHOWN: Final = 8192

_PATIENCE_S: Final = 60
"""Longer than any answer worth waiting for, so that a server that hangs does not hang the reader's shell."""


def curl(exchange: Exchange, insecure: bool = False) -> str:
    """The request as a curl line: secrets as shell variables or files, everything else quoted so that it is only text.

    `insecure` is for endpoints whose certificate is not checked by their owner's choice.
    """
    words = ["curl", "-sS", "-i", "-N", "--globoff", "--max-time", str(_PATIENCE_S)]
    if insecure:
        words.append("--insecure")
    if exchange.method not in ("GET", "POST") or (exchange.method == "POST" and not exchange.request_body):
        words += ["-X", shlex.quote(exchange.method)]
    signature = next(
        (found for _, value in exchange.request_headers if (found := _SIGNATURE.fullmatch(value)) is not None), None
    )
    if signature is not None:
        words += ["--aws-sigv4", f"aws:amz:{signature['region']}:{signature['service']}"]
        words += ["--user", '"${AWS_ACCESS_KEY_ID}:${AWS_SECRET_ACCESS_KEY}"']
    for name, value in exchange.request_headers:
        if name.lower() not in (_LEFT_OUT if signature is None else _LEFT_OUT | _SIGNATURE_HEADERS):
            words += ["-H", _header(name, value)]
    if exchange.request_body:
        words += ["--data-raw", shlex.quote(clean(exchange.request_body, _SHOWN))]
    return " ".join([*words, "--url", shlex.quote(clean(exchange.url, _SHOWN))])


def curl_in_new_session(opening: Sequence[Exchange], asked: Exchange, times: int, insecure: bool = False) -> str:
    """`asked` that many times at once in a session of its own, because the one of the probe is over.

    `opening` are the requests that open a session, the first of which is answered with its id.
    """
    first, *others = opening
    take = "tr -d '\\r' | awk 'tolower($1) == \"mcp-session-id:\" {print $2; exit}'"
    within = [f"{_in_session(each, insecure)} >&2;" for each in others]
    line = _in_session(asked, insecure)
    crowd = f"{line};" if times == 1 else f"for n in {' '.join(map(str, range(1, times + 1)))}; do {line} & done; wait;"
    return f"{curl(first, insecure)} | {take} | {{ read -r SESSION; {' '.join([*within, crowd])} }}"


def _in_session(exchange: Exchange, insecure: bool) -> str:
    headers = tuple(pair for pair in exchange.request_headers if pair[0].lower() != SESSION_HEADER)
    return f'{curl(replace(exchange, request_headers=headers), insecure)} -H "Mcp-Session-Id: $SESSION"'


def _header(name: str, value: str) -> str:
    line = clean(f"{name}: {value}", _SHOWN)
    if name.lower() in _SERVER_CHOSEN or _REFERENCE.search(line) is None:
        return shlex.quote(line)
    parts, at = [], 0
    for reference in _REFERENCE.finditer(line):
        parts += [_literal(line[at : reference.start()]), _expanded(reference)]
        at = reference.end()
    return f'"{"".join([*parts, _literal(line[at:])])}"'


def _literal(text: str) -> str:
    """Text between double quotes, with the four characters escaped that act there."""
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _expanded(reference: re.Match[str]) -> str:
    scheme, place = reference["scheme"], reference["place"]
    if scheme == "file":
        return f"$(cat {shlex.quote(place)})"
    if scheme in (None, "env") and _NAME.fullmatch(place):
        return f"${{{place}}}"
    return "${SECRET}"
