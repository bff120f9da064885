"""`WWW-Authenticate` taken apart: the challenges of a refusal, however the server wrote them.

Source: RFC 9110 section 11.2 and 11.6.1. What deployed servers write beside that grammar is read where clients read it,
too: URLs without quotation marks, parameters without a comma between them, a quotation mark that nothing closes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from checks.model import Exchange, nothing

HEADER: Final = "www-authenticate"
HEADER_REMAPPED: Final = "x-amzn-remapped-www-authenticate"
"""What API Gateway makes of the header: no client looks for it there."""

LENGTH_CAP: Final = 16_384
"""Characters of one header value that are read."""
CHALLENGE_CAP: Final = 32
PARAMETER_CAP: Final = 64
"""Parameters of one challenge that are kept."""
_VALUE_CAP: Final = 16
"""Header fields of one answer that are read."""

_TCHAR: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_SPACE: Final = r"[ \t\r\n]"
# Possessive quantifiers keep each match linear in what it reads: nothing is tried again in a shorter form.
_SEPARATORS: Final = re.compile(r"[ \t\r\n,]*+")
_SCHEME: Final = re.compile(rf"{_TCHAR}++")
_TOKEN68: Final = re.compile(rf"{_SPACE}++([0-9A-Za-z._~+/-]++=*+){_SPACE}*+(?=,|\Z)")
_PARAMETER: Final = re.compile(
    rf"[ \t\r\n,]++({_TCHAR}++){_SPACE}*+={_SPACE}*+"
    r'(?:"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)|([^ \t\r\n,"]*+))',
    re.DOTALL,
)
_JUNK: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[^,"]++', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way to be let in: a scheme, with a single opaque value or with parameters."""

    scheme: str
    """As the server spells it; schemes are compared without case."""
    token68: str | None = None
    parameters: Mapping[str, str] = field(default_factory=nothing)
    """By name in lower case. Of a parameter that comes twice, the first counts."""
    repeated: tuple[str, ...] = ()
    """Parameters that come more than once, which the grammar forbids."""


def parse(text: str) -> tuple[Challenge, ...]:
    """The challenges of one header value, in order. Raises nothing; what is no challenge is left out.

    At most `LENGTH_CAP` characters are read and `CHALLENGE_CAP` challenges kept, in time linear in the length.
    """
    text = text[:LENGTH_CAP]
    challenges: list[Challenge] = []
    at = _end(_SEPARATORS, text, 0)
    while at < len(text) and len(challenges) < CHALLENGE_CAP:
        scheme = _SCHEME.match(text, at)
        if scheme is None:
            at = _end(_JUNK, text, at)
        else:
            challenge, at = _challenge(text, scheme)
            challenges.append(challenge)
        at = _end(_SEPARATORS, text, at)
    return tuple(challenges)


def challenges_of(exchange: Exchange, header: str = HEADER) -> tuple[Challenge, ...]:
    """The challenges of an answer, from all fields of that name."""
    values = [value for name, value in exchange.headers if name.lower() == header]
    return tuple(challenge for value in values[:_VALUE_CAP] for challenge in parse(value))


def _challenge(text: str, scheme: re.Match[str]) -> tuple[Challenge, int]:
    """The challenge that begins with this scheme, and where it ends."""
    opaque = _TOKEN68.match(text, scheme.end())
    if opaque is not None:
        return Challenge(scheme=scheme[0], token68=opaque[1]), opaque.end()
    parameters: dict[str, str] = {}
    repeated: list[str] = []
    at = scheme.end()
    while (found := _PARAMETER.match(text, at)) is not None:
        name, quoted, bare = found.groups()
        value = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
        if name.lower() in parameters:
            repeated.append(name.lower())
        elif len(parameters) < PARAMETER_CAP:
            parameters[name.lower()] = value
        at = found.end()
    return Challenge(scheme=scheme[0], parameters=parameters, repeated=tuple(dict.fromkeys(repeated))), at


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()
