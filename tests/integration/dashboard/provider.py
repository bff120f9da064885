"""An OpenID Connect provider on loopback, which keeps the rules until a test makes it break one."""

import hmac
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import Key, KeySet, RSAKey

from prober.clock import Clock
from tests.integration.wire.scripted import Out, Request, Server, running

CLIENT = "prober"
SECRET = "the secret of : our client"
KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})


@dataclass
class FakeProvider:
    """What it says can be changed at any time; what it was asked is in `server`."""

    clock: Clock
    server: Server
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u-1", "preferred_username": "Alice", "groups": ["oncall"]}
    )
    beside: dict[str, Any] | None = None
    """What the address for user information says. None: there is no such address."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Claims that are other than they should be; `...` leaves one out."""
    sign: Callable[[dict[str, Any]], str] | None = None
    """Makes the token in place of the provider's key."""
    key: Key = field(default_factory=lambda: KEY)
    published: list[Key] = field(default_factory=lambda: [KEY])
    document: dict[str, Any] = field(default_factory=dict)
    """What the discovery document says beside or in place of the usual."""
    is_away: bool = False
    tokens: list[str] = field(default_factory=list)
    """Every secret that it handed out."""
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return self.server.url.removesuffix("/mcp")

    def log_in(self, address: str) -> str:
        """A person logs in at the page of that address; gives where the browser is sent."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert address.startswith(f"{self.issuer}/authorize?")
        assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
        code = token_urlsafe(12)
        self._codes[code] = asked
        self.tokens.append(code)
        back = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    async def answer(self, request: Request, out: Out) -> None:
        path = urlsplit(request.target).path
        if self.is_away:
            await out.reply(503)
        elif path == "/.well-known/openid-configuration":
            await out.json(self._discovery())
        elif path == "/keys":
            await out.json(KeySet(self.published).as_dict())
        elif path == "/token":
            status, value = self._token(request)
            await out.json(value, status=status)
        elif path == "/userinfo" and request.headers.get("authorization", "").startswith("Bearer at-"):
            await out.json(self.beside)
        else:
            await out.reply(404)

    def _discovery(self) -> dict[str, Any]:
        usual = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_response_iss_parameter_supported": True,
            **({} if self.beside is None else {"userinfo_endpoint": f"{self.issuer}/userinfo"}),
        }
        return {**usual, **self.document}

    def _token(self, request: Request) -> tuple[int, Any]:
        """RFC 6749 section 4.1.3 and RFC 7636 section 4.6."""
        form = dict(parse_qsl(request.body.decode()))
        if not self._is_our_client(request, form):
            return 401, {"error": "invalid_client"}
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if asked is None or form["redirect_uri"] != asked["redirect_uri"] or challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant", "error_description": f"<b>{form.get('code')}</b> is not good"}
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
            **self.changes,
        }
        kept = {name: value for name, value in claims.items() if value is not ...}
        token = self.sign(kept) if self.sign is not None else signed(kept, self.key)
        access = f"at-{token_urlsafe(12)}"
        self.tokens += [token, access]
        return 200, {"id_token": token, "access_token": access, "token_type": "Bearer", "expires_in": 300}

    def _is_our_client(self, request: Request, form: dict[str, str]) -> bool:
        if "token_endpoint_auth_methods_supported" in self.document:
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        kind, _, pair = request.headers.get("authorization", "").partition(" ")
        name, _, secret = b64decode(pair).decode().partition(":")
        return kind == "Basic" and (unquote_plus(name), unquote_plus(secret)) == (CLIENT, SECRET)


def signed(claims: dict[str, Any], key: Key, **header: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid, **header}, claims, key)


def unsigned(claims: dict[str, Any]) -> str:
    return f"{_encoded({'alg': 'none'})}.{_encoded(claims)}."


def signed_with_the_public_key(claims: dict[str, Any]) -> str:
    begun = f"{_encoded({'alg': 'HS256', 'kid': KEY.kid})}.{_encoded(claims)}"
    mac = hmac.digest(KEY.as_pem(private=False), begun.encode(), "sha256")
    return f"{begun}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _encoded(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@asynccontextmanager
async def providing(clock: Clock) -> AsyncIterator[FakeProvider]:
    """A provider on a free port."""
    found: list[FakeProvider] = []

    async def script(request: Request, out: Out) -> None:
        await found[0].answer(request, out)

    async with running(script) as server:
        found.append(FakeProvider(clock, server))
        yield found[0]
