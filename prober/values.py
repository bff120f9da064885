"""Rules for single values that a person writes, at the prompt or in the file: each refusal comes with the way out."""

import ipaddress
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from checks.credentials import names_credential
from prober.limits import KIB, MIB
from prober.secrets.references import SPELLINGS, is_reference, problem_with


class Refused(ValueError):
    """A value that cannot be taken. Neither text holds the value itself, which may be a secret."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


MAX_URL: Final = 2048
MAX_HEADER_VALUE: Final = 8192
DURATION_PATTERN: Final = r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)?\s*$"

SIZE_PATTERN: Final = r"^\s*([0-9]{1,12})\s*(B|KiB|MiB|GiB)?\s*$"

_UNIT_BYTES: Final = {None: 1, "B": 1, "KiB": KIB, "MiB": MIB, "GiB": 1024 * MIB}
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HOST_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 section 5.6.2
_HEADER_TEXT: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")  # RFC 9110 section 5.5, without obs-text
_OWN_HEADERS: Final = frozenset(
    {
        "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect",
        "host", "keep-alive", "last-event-id", "mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id",
        "te", "traceparent", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # RFC 6749 section 3.3
_CLIENT_ID: Final = re.compile(r"[\x20-\x7e]{1,1024}")  # RFC 6749 appendix A.1
_AWS_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SIGNING_HOSTS: Final = (
    # Lambda developer guide, "Creating and managing Lambda function URLs"
    ("lambda", re.compile(r"[a-z0-9-]+\.lambda-url\.(?P<region>[a-z0-9-]+)\.on\.aws")),
    # API Gateway developer guide, "Invoke REST APIs" and "Invoke a private API"
    (
        "execute-api",
        re.compile(
            r"(?:[a-z0-9-]+\.)*[a-z0-9-]+\.execute-api\.(?P<region>[a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?"
        ),
    ),
)

_FUNCTION_NAME: Final = r"[A-Za-z0-9_-]{1,64}"
# AWS Lambda API reference, GetFunction, parameter FunctionName: a name or a whole ARN, with or without a qualifier
_FUNCTION: Final = re.compile(
    rf"(?:arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):[0-9]{{12}}:function:)?"
    rf"(?P<name>{_FUNCTION_NAME})(?::(?:\$LATEST|[A-Za-z0-9_-]{{1,128}}))?"
)

AUTHORIZATION: Final = "Authorization"
_SIGNATURE_HEADERS: Final = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})


def name(text: str) -> str:
    """The name of an endpoint or notifier: it stands in addresses, metric dimensions and commands."""
    if not _NAME.fullmatch(text):
        raise Refused(
            "is not a name", "up to 100 letters, digits, dots, hyphens and underscores, a letter or digit first"
        )
    return text


def url(text: str) -> str:
    """The address of an endpoint: absolute, http or https, without credentials or fragment."""
    example = "write it out, such as https://abc123.lambda-url.eu-central-1.on.aws/mcp"
    if len(text) > MAX_URL:
        raise Refused(f"is longer than {MAX_URL} characters", example)
    if not text or not text.isascii() or any(character <= " " or character == "\x7f" for character in text):
        raise Refused("is not a URL: it holds a space or a character outside ASCII, or nothing", example)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Refused("is not a URL: its host or port cannot be read", example) from None
    if parts.scheme.lower() not in ("http", "https"):
        raise Refused("is not an http or https URL", example)
    if not host or not _is_host(host) or port == 0:
        raise Refused("is not a URL: its host or port cannot be read", example)
    if parts.username is not None or parts.password is not None:
        raise Refused("holds credentials", "leave them out of the URL and send a header by reference instead")
    if parts.fragment or text.endswith("#"):
        raise Refused("holds a fragment, which is never sent", "leave out what follows #")
    return text


def is_this_machine(host: str) -> bool:
    """Whether a host name or an address means this machine whoever asks."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(text: str) -> str:
    """An origin as browsers spell it (RFC 6454 section 6.2): lower case, without the default port."""
    hint = "scheme and host, such as https://app.example.com"
    try:
        parts = urlsplit(url(text))
    except Refused as refused:
        raise Refused("is not an origin", hint) from refused
    if parts.path not in ("", "/") or parts.query or text.endswith("?"):
        raise Refused("is not an origin: it has a path", hint)
    return _origin(parts)


def origin_of(address: str) -> str:
    """The origin of an address that `url` has taken."""
    return _origin(urlsplit(address))


def _origin(parts: SplitResult) -> str:
    scheme, host = parts.scheme.lower(), (parts.hostname or "").removesuffix(".")
    shown = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(scheme)) else f":{parts.port}"
    return f"{scheme}://{shown}{port}"


def signing_scope(address: str, service: str | None = None, region: str | None = None) -> tuple[str, str]:
    """Service and region that a request to `address` is signed for (AWS Signature Version 4, "credential scope").

    What is not given is read off the host name of a Function URL or an API Gateway stage.
    """
    parts = urlsplit(address)
    for known, pattern in _SIGNING_HOSTS:
        if found := pattern.fullmatch((parts.hostname or "").removesuffix(".")):
            service, region = service or known, region or found["region"]
    if service is None or region is None:
        raise Refused(
            "cannot be signed for: its host name does not tell service and region",
            "name both: --sigv4 lambda/eu-central-1, or sigv4: {service: lambda, region: eu-central-1}, for a Function "
            "URL behind a name of your own",
        )
    if "+" in parts.query:
        raise Refused("cannot be signed: a + in a query is read in two ways", "write %20 for a space, %2B for a plus")
    return service, region


def function(text: str) -> str:
    """The Lambda function behind an endpoint."""
    if not _FUNCTION.fullmatch(text):
        raise Refused(
            "is neither name nor ARN of a Lambda function",
            "such as orders, or arn:aws:lambda:eu-central-1:123456789012:function:orders",
        )
    return text


def log_group(text: str, address: str) -> tuple[str, str | None]:
    """The log group of a function that `function` has taken, and its region, by its ARN or the endpoint's host name.

    Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs": the group that it makes by default. The
    region is None where neither tells it.
    """
    named = _FUNCTION.fullmatch(text)
    assert named is not None
    host = (urlsplit(address).hostname or "").removesuffix(".")
    hosts = (pattern.fullmatch(host) for _, pattern in _SIGNING_HOSTS)
    region = named["region"] or next((found["region"] for found in hosts if found), None)
    return f"/aws/lambda/{named['name']}", region


def aws_name(text: str) -> str:
    """The name of an AWS service or region."""
    if not _AWS_NAME.fullmatch(text):
        raise Refused("is not the name of an AWS service or region", "such as lambda, execute-api or eu-central-1")
    return text


def oauth_scope(text: str) -> str:
    """Scopes that a client asks for."""
    if len(text) > MAX_URL or not _SCOPE.fullmatch(text):
        raise Refused("is not a scope", "words of ASCII without quotes, one space between them")
    return text


def client_id(text: str) -> str:
    """The identifier of an OAuth client, which is no secret."""
    if not _CLIENT_ID.fullmatch(text):
        raise Refused("is not a client identifier", "up to 1024 characters of printable ASCII")
    return text


class Clash(Enum):
    """Ways in which one endpoint's credentials contradict each other."""

    TWO_TOKENS = auto()
    """A bearer token, and a token endpoint that gives another."""
    NO_ROOM = auto()
    """A token in the Authorization header, which the signature needs."""
    HEADER_TAKEN = auto()
    """A header of the owner's has the name of one that carries the token or the signature."""
    NO_TOKEN = auto()
    """A header for the token, and no token."""
    NOTHING = auto()
    """No credential at all."""


def clashes(
    *, bearer: bool, oauth: bool, sigv4: bool, token_header: str | None, headers: Iterable[str]
) -> Iterator[Clash]:
    """What is contradictory about credentials of which only these are given."""
    token, header = bearer or oauth, (token_header or AUTHORIZATION).lower()
    used = ({header} if token else set()) | (_SIGNATURE_HEADERS if sigv4 else set())
    if bearer and oauth:
        yield Clash.TWO_TOKENS
    if token and sigv4 and header == AUTHORIZATION.lower():
        yield Clash.NO_ROOM
    if any(name.lower() in used for name in headers):
        yield Clash.HEADER_TAKEN
    if token_header is not None and not token:
        yield Clash.NO_TOKEN
    if not (token or sigv4 or token_header):
        yield Clash.NOTHING


def tool_name(text: str) -> str:
    """The name of a tool, as servers may write it: other characters than the specification's are common."""
    if not text.strip() or len(text) > 256 or not text.isprintable():
        raise Refused("is not the name of a tool", "write it as the server lists it")
    return text


def server_version(text: str) -> str:
    """What the version of a server is expected to begin with: with nothing, every version would."""
    if not text.strip():
        raise Refused("is no version", "write it as the server does, such as 1.4")
    return text


def header_name(text: str) -> str:
    """The name of a request header that an owner may add."""
    if len(text) > 100 or not _TOKEN.fullmatch(text):
        raise Refused("is not a header name", "letters, digits and hyphens, such as X-Tenant")
    if text.lower() in _OWN_HEADERS:
        raise Refused("is a header that the prober sets itself", "leave it out")
    return text


def header_value(header: str, value: str) -> str:
    """The value of a request header, or the reference to it; a credential must be a reference."""
    if is_reference(value):
        return reference(value)
    if names_credential(header):
        raise Refused("is a secret written out", f"give it by reference: {SPELLINGS}")
    if len(value) > MAX_HEADER_VALUE:
        raise Refused(f"is longer than {MAX_HEADER_VALUE} characters", "shorten it")
    if not _HEADER_TEXT.fullmatch(value):
        raise Refused("is not a header value", "one line of ASCII text, without spaces at its ends")
    return value


def reference(text: str) -> str:
    """A reference to a secret."""
    if not is_reference(text):
        raise Refused("is not a reference to a secret", f"write {SPELLINGS}, and put the secret there")
    problem = problem_with(text)
    if problem is not None:
        raise Refused("is not a reference to a secret", problem)
    return text


def wall_time(text: str) -> str:
    """A time of the day on a clock, such as `02:00`."""
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise Refused("is not a time of the day", "such as 02:00 or 23:30, in quotes")
    return text


def zone(text: str) -> str:
    """The IANA name of a time zone that this machine knows."""
    try:
        ZoneInfo(text)
    except (ValueError, OSError):
        raise Refused("is not a time zone", "such as Europe/Berlin, America/New_York or UTC") from None
    return text


def host_port(text: str) -> str:
    """A place in the network such as `example.com:443` or `[2001:db8::1]:443`."""
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536) or not _is_host(bare):
        raise Refused("is not a host with a port", "such as example.com:443")
    return text


def duration_s(value: object) -> float:
    """Seconds from a number of seconds or a text such as `500ms`, `60s`, `5m`, `1h`."""
    hint = "a number of seconds, or such as 500ms, 60s, 5m, 1h"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Refused("is not a duration", hint)
    text = str(value)
    if len(text) > 40 or not re.match(DURATION_PATTERN, text):
        raise Refused("is not a duration", hint)
    digits = text.strip().rstrip("smhd").strip()
    unit = text.strip()[len(digits) :].strip()
    seconds = float(digits) * _UNIT_S[unit or "s"]
    if not math.isfinite(seconds):
        raise Refused("is not a duration", hint)
    return seconds


def size(value: object) -> int:
    """Bytes from a number of bytes or a text such as `65536`, `64KiB`, `2 MiB`."""
    refused = Refused("is not a size", "a number of bytes, or such as 64KiB, 2MiB")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise refused
    found = re.fullmatch(SIZE_PATTERN, str(value))
    if found is None:
        raise refused
    return int(found[1]) * _UNIT_BYTES[found[2]]


def header_problems(headers: Mapping[str, str]) -> list[tuple[str, Refused]]:
    """Every fault in a set of request headers, each with the name of the header that has it."""
    problems: list[tuple[str, Refused]] = []
    seen: dict[str, str] = {}
    for header, value in headers.items():
        try:
            header_name(header)
            header_value(header, value)
        except Refused as refused:
            problems.append((header, refused))
        twin = seen.setdefault(header.lower(), header)
        if twin != header:
            problems.append((header, Refused(f"is the same header as {twin}", "write it once")))
    return problems


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            return False
        return address.scope_id is None  # only link-local addresses have zones, and those are never probed
    labels = host.removesuffix(".").split(".")
    return len(host) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in labels)
