"""What can go wrong on the way to an answer, with a failure, a stable reason and words for a person.

    NetError(httpx.TransportError)   carries `error`, a `checks.model.TransportError`

Reasons by failure:
    dns              not-found, timeout, failed, invalid-name
    connect          refused, unreachable, timeout
    tls              expired, not-yet-valid, name-mismatch, self-signed, untrusted, revoked, protocol, closed, timeout
    connection-lost  before-answer, in-headers, in-body
    protocol         malformed-http, switching-protocols, invalid-url
    limit            headers-too-large, too-many-headers, too-many-informational, body-too-large, answer-too-large
    blocked          metadata, link-local, unspecified, multicast, reserved, translated, loopback, private, unreadable,
                     own, port, plain-http
    observer         resolver-starved, descriptors, trust, invalid-header
"""

import errno
import socket
import ssl
from typing import Final

import httpx

from checks.model import Failure, TransportError
from checks.text import clean

_DETAIL: Final = 300

_CERTIFICATE: Final = {
    # X509_V_ERR_* of OpenSSL's x509_vfy.h
    9: ("not-yet-valid", "the certificate is not valid yet"),
    10: ("expired", "the certificate has expired"),
    18: ("self-signed", "the certificate is signed by itself"),
    23: ("revoked", "the certificate is revoked"),
    62: ("name-mismatch", "the certificate is for another host name"),
    64: ("name-mismatch", "the certificate is for another address"),
}
_MISSING_NAMES: Final = frozenset(
    {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME), getattr(socket, "EAI_ADDRFAMILY", -9)}
)
_OUR_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


class NetError(httpx.TransportError):
    """No complete answer came; `error` says why."""

    def __init__(self, failure: Failure, reason: str, detail: str) -> None:
        self.error = TransportError(failure=failure, reason=reason, detail=clean(detail, _DETAIL))
        super().__init__(f"{failure.value} ({reason}): {self.error.detail}")


def of_lookup(host: str, cause: OSError | UnicodeError) -> NetError:
    """A name that did not resolve."""
    if isinstance(cause, UnicodeError):
        return NetError(Failure.DNS, "invalid-name", f"{host} is no host name")
    if cause.errno in _OUR_RESOURCES:
        return NetError(Failure.OBSERVER, "descriptors", _words(cause))
    if isinstance(cause, socket.gaierror) and cause.errno in _MISSING_NAMES:
        return NetError(Failure.DNS, "not-found", f"{host} does not resolve: {_words(cause)}")
    return NetError(Failure.DNS, "failed", f"{host} did not resolve: {_words(cause)}")


def of_connect(where: str, cause: OSError | RuntimeError) -> NetError:
    """No TCP connection came about. Where several addresses failed in different ways, one that refused decides."""
    number = cause.errno if isinstance(cause, OSError) else None
    detail = f"{where}: {_words(cause)}"
    if number in _OUR_RESOURCES:
        return NetError(Failure.OBSERVER, "descriptors", detail)
    if number == errno.ECONNREFUSED or f"[Errno {errno.ECONNREFUSED}]" in str(cause):
        return NetError(Failure.CONNECT, "refused", detail)
    if number == errno.ETIMEDOUT:
        return NetError(Failure.CONNECT, "timeout", detail)
    return NetError(Failure.CONNECT, "unreachable", detail)


def of_trust(cause: OSError) -> NetError:
    """The authorities to believe could not be read, so that no certificate could be judged."""
    detail = f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {_words(cause)}"
    return NetError(Failure.OBSERVER, "trust", detail)


def of_handshake(host: str, cause: OSError) -> NetError:
    """TCP connected, but TLS did not come about."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        fallback = ("untrusted", "no authority that this machine trusts has signed the certificate")
        reason, words = _CERTIFICATE.get(cause.verify_code, fallback)
        return NetError(Failure.TLS, reason, f"{host}: {words} ({cause.verify_message})")
    if isinstance(cause, ssl.SSLEOFError) or not isinstance(cause, ssl.SSLError):
        return NetError(Failure.TLS, "closed", f"{host} closed the connection during the TLS handshake")
    return NetError(Failure.TLS, "protocol", f"{host}: {getattr(cause, 'reason', None) or _words(cause)}")


def timeout(failure: Failure, where: str, seconds: float) -> NetError:
    """A phase that took longer than it may."""
    doing = {Failure.DNS: "name lookup", Failure.CONNECT: "TCP connection", Failure.TLS: "TLS handshake"}[failure]
    return NetError(failure, "timeout", f"no {doing} with {where} within {seconds:g} s")


def _words(cause: Exception) -> str:
    return (getattr(cause, "strerror", None) or str(cause) or type(cause).__name__).strip()
