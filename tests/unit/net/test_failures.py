"""From the exceptions of sockets and TLS to stable reasons."""

import errno
import ssl

import pytest

from checks.model import Failure
from prober.net.failures import NetError, of_connect, of_handshake


def kind(error: NetError) -> tuple[Failure, str]:
    return error.error.failure, error.error.reason


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (OSError(errno.ECONNREFUSED, "refused"), (Failure.CONNECT, "refused")),
        (OSError("Multiple exceptions: [Errno 101] no net, [Errno 111] refused"), (Failure.CONNECT, "refused")),
        (OSError(errno.ENETUNREACH, "no net"), (Failure.CONNECT, "unreachable")),
        (OSError(errno.ETIMEDOUT, "late"), (Failure.CONNECT, "timeout")),
        (OSError(errno.EMFILE, "too many files"), (Failure.OBSERVER, "descriptors")),
        (RuntimeError("from uvloop"), (Failure.CONNECT, "unreachable")),
    ],
)
def test_a_failed_connection_has_a_reason(cause: OSError | RuntimeError, expected: tuple[Failure, str]) -> None:
    assert kind(of_connect("host:1", cause)) == expected


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (9, "not-yet-valid"),
        (10, "expired"),
        (18, "self-signed"),
        (19, "untrusted"),
        (20, "untrusted"),
        (62, "name-mismatch"),
    ],
)
def test_a_refused_certificate_has_a_reason(code: int, reason: str) -> None:
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_code, cause.verify_message = code, "what OpenSSL says"
    error = of_handshake("host", cause)
    assert kind(error) == (Failure.TLS, reason)
    assert "what OpenSSL says" in error.error.detail


def test_a_handshake_without_a_common_protocol_and_one_that_is_hung_up_on_differ() -> None:
    assert kind(of_handshake("host", ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"))) == (Failure.TLS, "protocol")
    assert kind(of_handshake("host", ssl.SSLEOFError(8, "EOF"))) == (Failure.TLS, "closed")
    assert kind(of_handshake("host", ConnectionResetError())) == (Failure.TLS, "closed")


def test_the_words_of_a_server_are_bounded_and_cleaned() -> None:
    detail = NetError(Failure.PROTOCOL, "malformed-http", "\x1b[31m" + "x" * 1000).error.detail
    assert len(detail) <= 300
    assert "\x1b" not in detail
