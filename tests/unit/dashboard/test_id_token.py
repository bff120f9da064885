"""What an ID token must be to prove anything, and how forged ones are told."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from dashboard.access.id_token import (
    ALGORITHMS,
    Expected,
    TokenRefused,
    UnknownKey,
    claims_of,
    groups_in,
    keys_of,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
EXPECTED = Expected(issuer="https://login.example.com", client_id="prober", nonce="n-1")
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"})
FOREIGN = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
PUBLISHED = KeySet([RSA, EC, ED]).as_dict()


def published() -> KeySet:
    keys = keys_of(dict(PUBLISHED))
    assert keys is not None
    return keys


def signed(key: Key = RSA, alg: str = "RS256", header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {
        "iss": EXPECTED.issuer,
        "aud": EXPECTED.client_id,
        "sub": "u-1",
        "exp": AT + 300,
        "iat": AT,
        "nonce": EXPECTED.nonce,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode({"alg": alg, "kid": key.kid, **(header or {})}, kept, key, algorithms=[alg])


def encoded(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("key", "alg"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256"), (ED, "Ed25519")], ids=lambda each: str(each)[:8]
)
def test_a_token_with_every_sign_of_truth_is_believed(key: Key, alg: str) -> None:
    assert claims_of(signed(key, alg), published(), EXPECTED, NOW)["sub"] == "u-1"


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_the_older_name_of_edwards_curves_is_believed_without_a_warning() -> None:
    token = signed(ED, "EdDSA")
    assert claims_of(token, published(), EXPECTED, NOW)["sub"] == "u-1"


def test_nobody_signs_with_what_others_know_too() -> None:
    assert not [name for name in ALGORITHMS if name.startswith("HS") or name == "none"]


def without_a_signature() -> str:
    payload = signed().split(".")[1]
    return f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{payload}."


def signed_with_the_public_key() -> str:
    """The known attack: whoever reads the key set signs with it, as if it were a secret."""
    begun = f"{encoded({'alg': 'HS256', 'kid': 'rsa'})}.{signed().split('.')[1]}"
    mac = hmac.digest(RSA.as_pem(private=False), begun.encode(), "sha256")
    return f"{begun}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def with_another_payload() -> str:
    head, _, signature = signed().split(".")
    return f"{head}.{signed(sub='admin').split('.')[1]}.{signature}"


FORGED: dict[str, tuple[Callable[[], str], str]] = {
    "alg none": (without_a_signature, "none"),
    "HS256 with the public key": (signed_with_the_public_key, "HS256"),
    "another payload": (with_another_payload, "bad_signature"),
    "a key of somebody else": (lambda: signed(FOREIGN), "bad_signature"),
    "another issuer": (lambda: signed(iss="https://login.example.com.evil.example"), "iss"),
    "the issuer with a slash": (lambda: signed(iss="https://login.example.com/"), "iss"),
    "several issuers": (lambda: signed(iss=[EXPECTED.issuer]), "iss"),
    "another client": (lambda: signed(aud="other"), "aud"),
    "nobody's": (lambda: signed(aud=[]), "aud"),
    "several clients": (lambda: signed(aud=["prober", "other"]), "several clients"),
    "several clients, issued to another": (lambda: signed(aud=["prober", "other"], azp="other"), "another client"),
    "issued to another": (lambda: signed(azp="other"), "another client"),
    "another nonce": (lambda: signed(nonce="n-2"), "nonce"),
    "a nonce that is no text": (lambda: signed(nonce=["n-1"]), "nonce"),
    "expired": (lambda: signed(exp=AT - 31), "exp"),
    "expires never": (lambda: signed(exp=1e400), ""),
    "not yet valid": (lambda: signed(nbf=AT + 31), "nbf"),
    "from the future": (lambda: signed(iat=AT + 31), "iat"),
    "a long subject": (lambda: signed(sub="u" * 256), "subject"),
    "a subject that no database takes": (lambda: signed(sub="u\0"), "subject"),
    "an empty subject": (lambda: signed(sub=""), "sub"),
    "a subject that is no text": (lambda: signed(sub=7), "sub"),
    "critical extensions": (lambda: _with_header(crit=["exp2"], exp2=1), ""),
    **{
        f"without {name}": (lambda name=name: signed(**{name: ...}), name)
        for name in ("iss", "aud", "sub", "exp", "iat", "nonce")
    },
}


def _with_header(**more: Any) -> str:
    _, payload, signature = signed().split(".")
    return f"{encoded({'alg': 'RS256', 'kid': 'rsa', **more})}.{payload}.{signature}"


@pytest.mark.parametrize("forged", FORGED)
def test_forged_and_foreign_tokens_prove_nothing(forged: str) -> None:
    make, word = FORGED[forged]
    token = make()
    with pytest.raises(TokenRefused) as refused:
        claims_of(token, published(), EXPECTED, NOW)
    assert word in str(refused.value)
    assert not isinstance(refused.value, UnknownKey)
    assert token not in str(refused.value)


def test_clocks_may_differ_by_half_a_minute() -> None:
    for token in (signed(exp=AT - 29), signed(iat=AT + 30), signed(nbf=AT + 30)):
        assert claims_of(token, published(), EXPECTED, NOW)


def test_a_token_for_several_clients_that_was_issued_to_us_is_ours() -> None:
    assert claims_of(signed(aud=["other", "prober"], azp="prober"), published(), EXPECTED, NOW)


def test_a_key_that_is_not_published_is_told_apart() -> None:
    with pytest.raises(UnknownKey):
        claims_of(signed(header={"kid": "new"}), published(), EXPECTED, NOW)


def test_keys_that_are_none_of_ours_are_passed_over() -> None:
    strange = [7, {}, {"kty": "oct", "k": "AAAA"}, {"kty": "RSA", "n": "!", "e": ""}, {"kty": "PQ"}, {"kty": "EC"}]
    keys = keys_of({"keys": [*strange, *PUBLISHED["keys"]]})
    assert keys is not None
    assert [key.kid for key in keys] == ["rsa", "ec", "ed"]
    for document in ({}, {"keys": {}}, {"keys": strange}, {"keys": [{**PUBLISHED["keys"][0], "use": "enc"}]}):
        assert keys_of(document) is None


@settings(max_examples=40)
@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True)))
def test_whatever_comes_in_place_of_a_token_is_refused_in_words(token: str) -> None:
    with pytest.raises(TokenRefused):
        claims_of(token, published(), EXPECTED, NOW)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "b64", "crit", "jwk", "x5c"]), st.one_of(
    st.none(), st.integers(), st.text(), st.lists(st.text()), st.sampled_from(["RS256", "rsa", "none"]))))  # fmt: skip
def test_whatever_the_header_says_is_refused_in_words(header: dict[str, Any]) -> None:
    _, payload, _ = signed().split(".")
    with pytest.raises(TokenRefused):
        claims_of(f"{encoded(header)}.{payload}.AAAA", published(), EXPECTED, NOW)


def test_groups_are_found_under_plain_and_dotted_names() -> None:
    claims = {
        "groups": ["oncall", 7, "platform"],
        "realm_access": {"roles": ["admin"]},
        "https://example.com/groups": "one",
        "odd": {"a": 1},
    }
    assert groups_in(claims, "groups") == {"oncall", "platform"}
    assert groups_in(claims, "realm_access.roles") == {"admin"}
    assert groups_in(claims, "https://example.com/groups") == {"one"}
    for missing in ("odd", "odd.a.b", "none", "groups.0"):
        assert groups_in(claims, missing) == frozenset()
