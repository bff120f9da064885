"""The ID token of an OpenID Connect provider: who logged in, where every sign of a forgery is absent.

The rules are those of OpenID Connect Core 1.0 section 3.1.3.7, with the algorithms of RFC 8725 section 3.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from checks.text import clean

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
"""Signatures by a private key. With `none` nobody signs, and with HS256 whoever knows what the provider knows of us."""

LEEWAY_S: Final = 30
LONGEST_SUBJECT: Final = 255
"""OpenID Connect Core 1.0 section 2: the subject must not exceed 255 ASCII characters."""

_KEYS_READ: Final = 50
_KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})


class TokenRefused(Exception):
    """The token proves nothing. The message says why, for the log of whoever runs the dashboard, without the token."""


class UnknownKey(TokenRefused):
    """The token names a key that is not among those we have: the provider may have a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token must say to be the answer to our question."""

    issuer: str
    client_id: str
    nonce: str


class _Signatures(JWSRegistry):
    """The algorithms above; joserfc itself warns at every use of EdDSA, which RFC 9864 renames."""

    def __init__(self) -> None:
        super().__init__(algorithms=ALGORITHMS, strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise TokenRefused(f"it is signed by {clean(str(name), 20)}, which proves nothing about who signed it")
        return self.algorithms[name]


def keys_of(document: Mapping[str, Any]) -> KeySet | None:
    """The public keys for signatures in a JWK set; keys that we cannot use are passed over (RFC 7517 section 5)."""
    listed = document.get("keys")
    found = [key for each in (listed if isinstance(listed, list) else [])[:_KEYS_READ] if (key := _key(each))]
    return KeySet(found) if found else None


def _key(data: Any) -> Key | None:
    if not isinstance(data, dict) or data.get("kty") not in _KEY_TYPES or data.get("use", "sig") != "sig":
        return None
    try:
        return JWKRegistry.import_key(data)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def claims_of(token: str, keys: KeySet, expected: Expected, now: datetime) -> Mapping[str, Any]:
    """What a token says, once its signature and all that it must say are right. Raises TokenRefused."""
    try:
        claims = jwt.decode(token, keys, registry=_Signatures()).claims
        _rules(expected, now).validate(claims)
    except InvalidKeyIdError:
        raise UnknownKey("it names a key that the provider does not publish") from None
    except JoseError as refused:
        raise TokenRefused(_words(refused)) from None
    except (ValueError, TypeError, RecursionError):
        raise TokenRefused("it cannot be read") from None
    _check_audience(claims, expected.client_id)
    nonce, subject = claims["nonce"], claims["sub"]
    if not isinstance(nonce, str) or not compare_digest(nonce.encode(), expected.nonce.encode()):
        raise TokenRefused("its nonce is that of another login")
    if len(subject) > LONGEST_SUBJECT or not subject.isascii() or not subject.isprintable():
        raise TokenRefused(f"its subject is not up to {LONGEST_SUBJECT} printable ASCII characters")
    return claims


def _rules(expected: Expected, now: datetime) -> JWTClaimsRegistry:
    return JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True},
    )


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    """Whether the token was issued to us, and not only for us among others. Raises TokenRefused."""
    audience: str | Sequence[str] = claims["aud"]
    party = claims.get("azp")
    if party is None and not isinstance(audience, str) and len(audience) > 1:
        raise TokenRefused("it is for several clients, and does not say which of them it was issued to")
    if party is not None and party != client_id:
        raise TokenRefused("it was issued to another client")


def _words(refused: JoseError) -> str:
    """joserfc's own words are about codes; a claim is named, its value is not."""
    claim = getattr(refused, "claim", None)
    what = (
        f"its claim {clean(str(claim), 40)} is not right" if claim else clean(refused.description or refused.error, 200)
    )
    return f"{what} ({refused.error})"


def groups_in(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    """The groups that a claim lists; a name with dots may lead into nested objects, such as `realm_access.roles`."""
    found: Any = claims.get(claim)
    if found is None:
        found = claims
        for step in claim.split("."):
            found = found.get(step) if isinstance(found, dict) else None
    if isinstance(found, str):
        return frozenset({found})
    return frozenset(each for each in found if isinstance(each, str)) if isinstance(found, list) else frozenset()
