"""The TLS contexts of the process: making one costs some 25 ms of CPU, so each is made once, when first needed."""

import ssl
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, cast

import httpx

from prober.net import failures


class Trust:
    """Which certificates are believed: those of the Mozilla bundle, or of the file or directory that the environment
    variables SSL_CERT_FILE and SSL_CERT_DIR name."""

    def context(self, *, verify: bool) -> ssl.SSLContext:
        """Raises `NetError` where the authorities that the environment names cannot be read."""
        return self._verified if verify else self._unverified

    @cached_property
    def _verified(self) -> ssl.SSLContext:
        try:
            return _http1(httpx.create_ssl_context(trust_env=True))
        except OSError as cause:
            raise failures.of_trust(cause) from cause

    @cached_property
    def _unverified(self) -> ssl.SSLContext:
        return _http1(httpx.create_ssl_context(verify=False))


def not_after(peer: ssl.SSLObject | None) -> datetime | None:
    """When the peer's certificate expires. None without TLS, and where the certificate was not verified."""
    certificate = cast("dict[str, Any]", peer.getpeercert() or {}) if peer is not None else {}
    expires = certificate.get("notAfter")
    if expires is None:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(expires), UTC)


def _http1(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
