"""Whether a request carries a good AWS signature, as a Function URL with AuthType AWS_IAM judges it.

Source: AWS Identity and Access Management User Guide, "Create a signed AWS API request" (Signature Version 4).
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote_plus

from prober.lab.http import Request

ALGORITHM: Final = "AWS4-HMAC-SHA256"
TOLERANCE: Final = timedelta(minutes=5)
STAMP: Final = "%Y%m%dT%H%M%SZ"
WRONG: Final = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)
_AUTHORIZATION: Final = re.compile(
    ALGORITHM + r" Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a signature is refused: AWS's type of error, and its message."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Knows one pair of keys, and the service and region that signatures must be made for."""

    access_key_id: str
    secret_access_key: str
    region: str
    service: str = "lambda"

    def problem_with(self, request: Request, now: datetime) -> Problem | None:
        """What is wrong with a request that claims to be signed, or None."""
        claim = _AUTHORIZATION.fullmatch(request.header("authorization") or "")
        signed_at = _time_of(request)
        if claim is None or signed_at is None:
            return Problem("IncompleteSignatureException", "Authorization header is incomplete.")
        if claim["key"] != self.access_key_id:
            return Problem("UnrecognizedClientException", "The security token included in the request is invalid.")
        if (claim["region"], claim["service"]) != (self.region, self.service):
            wanted = "a valid region" if claim["region"] != self.region else f"correct service: '{self.service}'"
            return Problem("InvalidSignatureException", f"Credential should be scoped to {wanted}.")
        if abs(now - signed_at) > TOLERANCE:
            return Problem("InvalidSignatureException", _skewed(signed_at, now))
        names = claim["headers"].split(";")
        if claim["date"] != f"{signed_at:%Y%m%d}" or not _all_signed(request, names):
            return Problem("InvalidSignatureException", WRONG)
        calculated = self._signature(request, names, signed_at)
        return (
            None if hmac.compare_digest(calculated, claim["signature"]) else Problem("InvalidSignatureException", WRONG)
        )

    def _signature(self, request: Request, names: list[str], signed_at: datetime) -> str:
        scope = f"{signed_at:%Y%m%d}/{self.region}/{self.service}/aws4_request"
        digest = hashlib.sha256(_canonical(request, names).encode()).hexdigest()
        key = f"AWS4{self.secret_access_key}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        text = "\n".join([ALGORITHM, signed_at.strftime(STAMP), scope, digest])
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def is_signed(request: Request) -> bool:
    """Whether the request claims a signature at all."""
    return (request.header("authorization") or "").startswith(ALGORITHM)


def _time_of(request: Request) -> datetime | None:
    try:
        return datetime.strptime(request.header("x-amz-date") or "", STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _all_signed(request: Request, names: list[str]) -> bool:
    """Whether the host, and every header of AWS's own that was sent, is covered by the signature."""
    sent = {name.lower() for name, _ in request.headers}
    return "host" in names and all(name in names for name in sent if name.startswith("x-amz-"))


def _canonical(request: Request, names: list[str]) -> str:
    values = [f"{name}:{' '.join((request.header(name) or '').split())}\n" for name in names]
    # Of every service but S3 the path is encoded once more than it was sent.
    path = quote(request.path or "/", safe="/-_.~")
    body = hashlib.sha256(request.body).hexdigest()
    return "\n".join([request.method, path, _canonical_query(request), "".join(values), ";".join(names), body])


def _canonical_query(request: Request) -> str:
    pairs = [part.partition("=") for part in request.raw_query.split("&") if part]
    encoded = [tuple(quote(unquote_plus(text), safe="-_.~") for text in (name, value)) for name, _, value in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _skewed(signed_at: datetime, now: datetime) -> str:
    signed, at = signed_at.strftime(STAMP), now.strftime(STAMP)
    if signed_at < now:
        limit = (now - TOLERANCE).strftime(STAMP)
        return f"Signature expired: {signed} is now earlier than {limit} ({at} - 5 min.)"
    limit = (now + TOLERANCE).strftime(STAMP)
    return f"Signature not yet current: {signed} is still later than {limit} ({at} + 5 min.)"
