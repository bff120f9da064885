"""Whether a URL that a server names leads back to that server."""

from urllib.parse import urljoin

import httpx

from prober.net.dial import Origin
from prober.net.failures import NetError


def is_same_origin(url: str, other: str) -> bool:
    """Whether scheme, host and port are the same (RFC 6454 section 5). What is no web address has no origin.

    It is read by the parser of those who connect, so that no spelling means one host here and another one there.
    """
    origin = _origin(url)
    return origin is not None and origin == _origin(other)


def resolved(base: str, reference: str) -> str:
    """A reference within a document at `base` as a URL; what cannot be resolved comes back as it is."""
    try:
        return urljoin(base, reference)
    except ValueError:
        return reference


def _origin(url: str) -> Origin | None:
    try:
        return Origin.of(httpx.URL(url))
    except (httpx.InvalidURL, NetError, UnicodeError):
        return None
