"""The TLS contexts of the process: making one costs some 25 ms of CPU, so each is made once, when first needed."""

import os
import re
import ssl
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import httpx

from prober.net import failures

_BY_HASH: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""The only names under which OpenSSL finds an authority in a directory (SSL_CTX_load_verify_locations, "CApath")."""


class Trust:
    """Which certificates are believed: those of the Mozilla bundle, or of the file or directory that the environment
    variables SSL_CERT_FILE and SSL_CERT_DIR name."""

    def context(self, *, verify: bool) -> ssl.SSLContext:
        """Raises `NetError` where the authorities that the environment names cannot be read."""
        return self._verified if verify else self._unverified

    @cached_property
    def without_http(self) -> ssl.SSLContext:
        """A context that verifies, for protocols other than HTTP. Raises `NetError` as `context` does."""
        return _verifying()

    @cached_property
    def _verified(self) -> ssl.SSLContext:
        return _http1(_verifying())

    @cached_property
    def _unverified(self) -> ssl.SSLContext:
        return _http1(httpx.create_ssl_context(verify=False))


def _verifying() -> ssl.SSLContext:
    try:
        if not os.environ.get("SSL_CERT_FILE"):
            _look_into(os.environ.get("SSL_CERT_DIR", ""))
        context = httpx.create_ssl_context(trust_env=True)
    except OSError as cause:
        raise failures.of_trust(cause) from cause
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _look_into(directories: str) -> None:
    """Raises OSError where SSL_CERT_DIR has no authority in any of its directories: OpenSSL reads them only when it
    looks for one, and would then call every certificate untrusted."""
    trouble = ""
    for directory in filter(None, directories.split(os.pathsep)):
        try:
            if any(_BY_HASH.fullmatch(entry.name) for entry in Path(directory).iterdir()):
                return
            trouble = f"{directory} holds no certificate by its hash; prepare it with: openssl rehash"
        except OSError as cause:
            trouble = f"{directory}: {cause.strerror}"
    if trouble:
        raise OSError(trouble)


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
