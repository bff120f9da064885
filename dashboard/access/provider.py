"""The provider of OpenID Connect over the network: its documents, and what it answers for a code."""

import asyncio
import json
import logging
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

from joserfc.jwk import KeySet

from checks.model import Failure
from checks.text import clean
from dashboard.access.id_token import Expected, TokenRefused, UnknownKey, claims_of, groups_in, keys_of
from dashboard.access.oidc import CALLBACK, PREFIX, Attempt, OidcSettings, Spent
from dashboard.access.way_in import LOGIN_HREF
from prober.clock import Clock
from prober.net.client import FormOutcome, Net
from prober.net.guard import GuardPolicy
from prober.secrets.references import SecretError, resolve
from prober.storage.people import Role
from prober.values import is_this_machine

log = logging.getLogger(__name__)

WELL_KNOWN: Final = "/.well-known/openid-configuration"
TIMEOUT_S: Final = 5.0
KEPT_S: Final = 3600.0
STALE_S: Final = 86_400.0
"""Documents of a provider that does not answer are used this long."""
ANEW_S: Final = 60.0
"""Whoever comes with unknown keys makes us ask for the provider's at most this often."""
FAILED_S: Final = 5.0
AT_ONCE: Final = 8
"""Codes that are exchanged at once: anybody can come with one, and each costs the provider a request."""

_LONGEST_URL: Final = 2000
_ERROR: Final = re.compile(r"[a-z_]{1,60}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")

T = TypeVar("T")


class ProviderTrouble(Exception):
    """The provider cannot be asked, or its answer cannot be used. The message is for the log: it holds no secret, and
    what the provider said in it is cleaned."""


class NotConfirmed(ProviderTrouble):
    """The provider does not stand by this login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Whom the provider vouches for. `role` is None for somebody who is in none of the groups that may come in."""

    subject: str
    """Issuer and subject: the only thing about a person that never changes (OpenID Connect Core 1.0 section 5.7)."""
    name: str
    role: Role | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What the discovery document says (OpenID Connect Discovery 1.0 section 3)."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    end: str | None
    """Where a session at the provider is ended (OpenID Connect RP-Initiated Logout 1.0 section 2.1)."""
    form_secret: bool
    """Whether the client's secret goes into the form, for a provider that does not take it in the header."""
    names_itself: bool
    """Whether it says who it is when it sends a browser back (RFC 9207 section 3)."""


class Kept(Generic[T]):
    """A document that is asked for when it is needed, kept for a while, and used longer where there is no newer one."""

    def __init__(self, ask: Callable[[], Awaitable[T]], monotonic: Callable[[], float]) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._alone = asyncio.Lock()
        self._found: tuple[T, float] | None = None
        self._asked_at: float | None = None
        self._trouble: ProviderTrouble | None = None

    async def value(self, *, anew: bool = False) -> T:
        """The document; with `anew`, one from the last minute. Raises ProviderTrouble."""
        async with self._alone:
            found, age = self._found, self._monotonic() - self._found[1] if self._found else STALE_S
            if found is not None and age < (ANEW_S if anew else KEPT_S):
                return found[0]
            if self._trouble is None or self._since_asked() >= FAILED_S:
                await self._try()
            if self._trouble is None and self._found is not None:
                return self._found[0]
            if found is not None and age < STALE_S:
                return found[0]
            assert self._trouble is not None
            raise ProviderTrouble(str(self._trouble))

    async def _try(self) -> None:
        self._asked_at = self._monotonic()
        try:
            self._found, self._trouble = (await self._ask(), self._monotonic()), None
        except ProviderTrouble as trouble:
            self._trouble = trouble
            log.warning("login by OpenID Connect: %s", trouble)

    def _since_asked(self) -> float:
        return self._monotonic() - self._asked_at if self._asked_at is not None else FAILED_S


class Provider:
    """One configured provider. Built once per process."""

    def __init__(self, settings: OidcSettings, clock: Clock, net: Net | None = None) -> None:
        self.settings = settings
        self._clock = clock
        self._net = net or Net(GuardPolicy(allow_cidrs=settings.reachable), clock=clock)
        self._metadata = Kept(self._discover, clock.monotonic)
        self._keys = Kept(self._key_set, clock.monotonic)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._spent = Spent()

    @property
    def is_busy(self) -> bool:
        """Whether as many codes are being exchanged as may be at once."""
        return self._room.locked()

    def is_first(self, attempt: Attempt) -> bool:
        """Whether no browser has come back for this attempt before."""
        return self._spent.is_first(attempt)

    async def address_for(self, attempt: Attempt) -> str:
        """Where the browser goes to log in. Raises ProviderTrouble."""
        metadata = await self._metadata.value()
        question = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.redirect_uri,
            "scope": self.settings.scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in metadata.authorization else "?"
        return f"{metadata.authorization}{joint}{urlencode(question)}"

    async def address_to_leave(self) -> str | None:
        """Where the browser logs out of the provider, which sends it back. None where there is no such page.

        Without an ID token as a hint, which we do not keep, the provider asks the person first. Raises ProviderTrouble.
        """
        metadata = await self._metadata.value()
        if metadata.end is None:
            return None
        back = self.settings.redirect_uri.removesuffix(CALLBACK) + LOGIN_HREF
        question = urlencode({"client_id": self.settings.client_id, "post_logout_redirect_uri": back})
        return f"{metadata.end}{'&' if '?' in metadata.end else '?'}{question}"

    async def check_sender(self, issuer: str | None) -> None:
        """Whether a browser was sent back by our provider and not by another one (RFC 9207 section 2.4).

        Raises NotConfirmed.
        """
        metadata = await self._metadata.value()
        if issuer is None and metadata.names_itself:
            raise NotConfirmed("the browser came back without the provider's name, which it announces to give")
        if issuer is not None and issuer != self.settings.issuer:
            raise NotConfirmed(f"the browser was sent back by {clean(issuer, 200)}, which is not our provider")

    async def arrival(self, attempt: Attempt, code: str) -> Arrival:
        """Who logged in at the provider, in exchange for the code. Raises ProviderTrouble."""
        async with self._room:
            metadata = await self._metadata.value()
            answer = await self._exchanged(metadata, attempt, code)
            claims = await self._claims(answer.get("id_token"), attempt)
            groups = groups_in(claims, self.settings.groups_claim)
            told: Mapping[str, Any] = claims
            if not groups or self.settings.name_claim not in claims:
                told = {**await self._userinfo(metadata, answer.get("access_token"), claims["sub"]), **claims}
                groups = groups or groups_in(told, self.settings.groups_claim)
        name = next((told[key] for key in (self.settings.name_claim, "email", "name") if _is_text(told.get(key))), "")
        return Arrival(
            subject=f"{self.settings.issuer} {claims['sub']}",
            name=name or claims["sub"],
            role=self.settings.groups.role_of(groups),
        )

    async def _discover(self) -> Metadata:
        issuer = self.settings.issuer
        document = await self._document(issuer.rstrip("/") + WELL_KNOWN, "discovery document")
        if document.get("issuer") != issuer:
            # OpenID Connect Discovery 1.0 section 4.3: otherwise one provider could speak for another.
            said = clean(str(document.get("issuer")), 200)
            raise ProviderTrouble(f"{issuer} calls itself {said}: set {PREFIX}ISSUER to exactly its own name")
        methods = document.get("token_endpoint_auth_methods_supported")
        listed = methods if isinstance(methods, list) else ["client_secret_basic"]
        return Metadata(
            authorization=self._endpoint(document, "authorization_endpoint"),
            token=self._endpoint(document, "token_endpoint"),
            keys=self._endpoint(document, "jwks_uri"),
            userinfo=self._endpoint(document, "userinfo_endpoint") if document.get("userinfo_endpoint") else None,
            end=self._endpoint(document, "end_session_endpoint") if document.get("end_session_endpoint") else None,
            form_secret="client_secret_basic" not in listed and "client_secret_post" in listed,
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        )

    def _endpoint(self, document: Mapping[str, Any], key: str) -> str:
        """An address that the discovery document names: https, but where the provider is on this machine."""
        found = document.get(key)
        unusable = ProviderTrouble(f"the discovery document of {self.settings.issuer} has no usable {key}")
        if not isinstance(found, str) or len(found) > _LONGEST_URL or not found.isascii() or not found.isprintable():
            raise unusable
        try:
            parts = urlsplit(found)
        except ValueError:
            raise unusable from None
        if not parts.hostname or parts.fragment:
            raise unusable
        here = is_this_machine(self.settings.host) and is_this_machine(parts.hostname)
        if parts.scheme != "https" and not (here and parts.scheme == "http"):
            raise ProviderTrouble(f"{key} of {self.settings.issuer} does not begin with https://")
        return found

    async def _key_set(self) -> KeySet:
        metadata = await self._metadata.value()
        keys = keys_of(await self._document(metadata.keys, "set of keys"))
        if keys is None:
            raise ProviderTrouble(f"the keys of {self.settings.issuer} hold none that we can use")
        return keys

    async def _document(self, url: str, what: str, headers: tuple[tuple[str, str], ...] = ()) -> Mapping[str, Any]:
        outcome = await self._net.get_document(
            url, timeout_s=TIMEOUT_S, headers=[("Accept", "application/json"), *headers]
        )
        return self._object(outcome, f"the {what} of {self.settings.issuer}")

    def _object(self, outcome: FormOutcome, what: str) -> Mapping[str, Any]:
        """The JSON object of an answer. Raises ProviderTrouble."""
        if outcome.error is not None:
            blocked = outcome.error.failure is Failure.BLOCKED
            hint = f" (a network of yours is allowed by {PREFIX}ALLOW_CIDRS)" if blocked else ""
            raise ProviderTrouble(f"{what} is not to be had: {outcome.error.detail}{hint}")
        found = _json(outcome.body)
        if outcome.status != 200:
            code = found.get("error")
            said = f": {code}" if isinstance(code, str) and _ERROR.fullmatch(code) else ""
            trouble = NotConfirmed if outcome.status in (400, 401) else ProviderTrouble
            raise trouble(f"{what} is refused with HTTP {outcome.status}{said}")
        if not found:
            raise ProviderTrouble(f"{what} is no JSON object")
        return found

    async def _exchanged(self, metadata: Metadata, attempt: Attempt, code: str) -> Mapping[str, Any]:
        form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.settings.redirect_uri),
            ("code_verifier", attempt.verifier),
        ]
        headers = [("Accept", "application/json")]
        secret = await self._secret()
        if secret is None:
            form.append(("client_id", self.settings.client_id))
        elif metadata.form_secret:
            form += [("client_id", self.settings.client_id), ("client_secret", secret)]
        else:
            # RFC 6749 section 2.3.1: both parts are encoded as in a form before they are joined.
            pair = f"{quote_plus(self.settings.client_id)}:{quote_plus(secret)}"
            headers.append(("Authorization", f"Basic {b64encode(pair.encode()).decode('ascii')}"))
        outcome = await self._net.post_form(metadata.token, form, timeout_s=TIMEOUT_S, headers=headers)
        return self._object(outcome, f"the token of {self.settings.issuer}")

    async def _secret(self) -> str | None:
        if self.settings.client_secret is None:
            return None
        try:
            return await asyncio.to_thread(resolve, self.settings.client_secret)
        except SecretError as problem:
            raise ProviderTrouble(f"the secret of our client: {problem}") from None

    async def _claims(self, token: Any, attempt: Attempt) -> Mapping[str, Any]:
        """What the ID token says; keys are asked for once more where it names one that we do not have."""
        if not isinstance(token, str):
            raise NotConfirmed("the provider's answer has no ID token")
        expected = Expected(issuer=self.settings.issuer, client_id=self.settings.client_id, nonce=attempt.nonce)
        try:
            try:
                return claims_of(token, await self._keys.value(), expected, self._clock.now())
            except UnknownKey:
                return claims_of(token, await self._keys.value(anew=True), expected, self._clock.now())
        except TokenRefused as refused:
            raise NotConfirmed(f"the ID token is refused: {refused}") from None

    async def _userinfo(self, metadata: Metadata, access_token: Any, subject: str) -> Mapping[str, Any]:
        """What the provider says beside the ID token, where some keep the groups. Empty where it says nothing, or
        speaks of somebody else (OpenID Connect Core 1.0 section 5.3.2)."""
        if metadata.userinfo is None or not isinstance(access_token, str) or not _TOKEN.fullmatch(access_token):
            return {}
        try:
            bearer = ("Authorization", f"Bearer {access_token}")
            found = await self._document(metadata.userinfo, "user information", (bearer,))
        except ProviderTrouble as trouble:
            log.warning("login by OpenID Connect: %s", trouble)
            return {}
        return found if found.get("sub") == subject else {}


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
