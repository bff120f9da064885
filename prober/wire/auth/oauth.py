"""Access tokens by the client credentials grant (RFC 6749 section 4.4), for a resource (RFC 8707)."""

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus, urlsplit

from checks.model import ClientAuth, Failure, OAuth
from checks.text import clean
from prober.net.client import FormOutcome, Net
from prober.values import AUTHORIZATION
from prober.wire.redact import Redactor, SentHeader

TIMEOUT_S: Final = 4.0
EARLY_S: Final = 60.0
"""A token is replaced this long before it expires, or when half its life is over."""
DEFAULT_LIFE_S: Final = 300.0
"""Life of a token whose answer does not tell it (RFC 6749 section 5.1: `expires_in` is recommended)."""
LONGEST_LIFE_S: Final = 86_400.0
LONGEST_TOKEN: Final = 16 * 1024

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


Secret = Callable[[], Awaitable[str]]
"""Gives the client's secret at the moment when it is needed."""


class TokenError(Exception):
    """No token is to be had. The text names the token endpoint and what it said, without secrets.

    `refused`: it answered, and would not have the client or its secret. `blocked`: it was not asked, because the
    prober may not go to its address.
    """

    def __init__(self, text: str, *, refused: bool = False, blocked: bool = False) -> None:
        super().__init__(text)
        self.refused = refused
        self.blocked = blocked


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, in seconds of the clock that the tokens are kept by."""

    value: str = field(repr=False)
    renew_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is asked for. Two endpoints with the same grant share the token.

    The reference to the secret is part of it: whoever may not use a secret must not get what it was exchanged for.
    """

    oauth: OAuth
    resource: str

    @classmethod
    def of(cls, oauth: OAuth, endpoint_url: str) -> "Grant":
        """The grant for an endpoint, whose address without its query is the resource where none is named."""
        return cls(oauth, oauth.resource or endpoint_url.partition("?")[0])


class Tokens:
    """The access tokens of one process: each is asked for once, however many probes wait for it."""

    def __init__(self, net: Net, monotonic: Callable[[], float]) -> None:
        self._net = net
        self._monotonic = monotonic
        self._held: dict[Grant, Token] = {}
        self._asking: dict[Grant, asyncio.Task[Token]] = {}

    def holds(self, grant: Grant) -> bool:
        """Whether an earlier token is at hand, which may have been revoked meanwhile."""
        return grant in self._held

    async def token(self, grant: Grant, secret: Secret) -> str:
        """A valid token, from an earlier grant or a new one, for which alone the secret is needed. Raises TokenError,
        and what `secret` raises."""
        held, now = self._held.get(grant), self._monotonic()
        if held is not None and now < held.renew_at:
            return held.value
        try:
            return (await asyncio.shield(self._request(grant, secret))).value
        except TokenError:
            if held is not None and now < held.expires_at:
                return held.value
            raise

    def forget(self, grant: Grant, value: str) -> None:
        """Use this token no more: it was refused."""
        held = self._held.get(grant)
        if held is not None and held.value == value:
            del self._held[grant]

    def _request(self, grant: Grant, secret: Secret) -> "asyncio.Task[Token]":
        """The one request that is under way for this grant; it goes on when whoever waits for it gives up."""
        if grant not in self._asking:
            asking = asyncio.create_task(self._ask(grant, secret))
            asking.add_done_callback(lambda _: self._asking.pop(grant, None))
            asking.add_done_callback(lambda done: done.cancelled() or done.exception())  # marks it as seen
            self._asking[grant] = asking
        return self._asking[grant]

    async def _ask(self, grant: Grant, secret_of: Secret) -> Token:
        secret = await secret_of()
        form, headers = request_of(grant, secret)
        outcome = await self._net.post_form(grant.oauth.token_url, form, timeout_s=TIMEOUT_S, headers=headers)
        now = self._monotonic()
        token = token_of(outcome, grant, secret, now)
        self._held = {other: held for other, held in self._held.items() if now < held.expires_at} | {grant: token}
        return token


def request_of(grant: Grant, secret: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Fields and headers of the request for a token."""
    oauth = grant.oauth
    form = [("grant_type", "client_credentials"), ("resource", grant.resource)]
    if oauth.scope is not None:
        form.append(("scope", oauth.scope))
    headers = [("Accept", "application/json")]
    if oauth.client_auth is ClientAuth.BASIC:
        headers.append((AUTHORIZATION, _basic(oauth.client_id, secret)))
    else:
        form += [("client_id", oauth.client_id), ("client_secret", secret)]
    return form, headers


def token_of(outcome: FormOutcome, grant: Grant, secret: str, now: float) -> Token:
    """The token in the answer of a token endpoint. Raises TokenError."""
    where = f"the token endpoint {clean(urlsplit(grant.oauth.token_url).netloc, 100)}"
    if outcome.error is not None:
        blocked = outcome.error.failure is Failure.BLOCKED
        raise TokenError(f"{where} gave no answer: {outcome.error.detail}", blocked=blocked)
    answer = _object(outcome.body)
    if outcome.status != 200:
        said = _said(answer, _redactor(grant, secret))
        redirect = 300 <= (outcome.status or 0) < 400
        hint = " (redirects are not followed)" if redirect else f": {said}" if said else ""
        raise TokenError(f"{where} refuses with HTTP {outcome.status}{hint}", refused=outcome.status in (400, 401))
    value, kind = answer.get("access_token"), answer.get("token_type", "Bearer")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value) or len(value) > LONGEST_TOKEN:
        raise TokenError(f"{where} answers with no usable access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise TokenError(f"{where} answers with a token of another type than Bearer")
    life = _life_s(answer.get("expires_in"))
    return Token(value, now + max(life - EARLY_S, life / 2), now + life)


def _basic(client_id: str, secret: str) -> str:
    """Both parts are encoded as in a form before they are joined (RFC 6749 section 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"


def _redactor(grant: Grant, secret: str) -> Redactor:
    sent = (secret, quote_plus(secret), _basic(grant.oauth.client_id, secret))
    return Redactor([SentHeader(name=AUTHORIZATION, value=value, shown="") for value in sent])


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _said(answer: Mapping[str, Any], redactor: Redactor) -> str:
    """Error code and description (RFC 6749 section 5.2), without secrets, then cleaned and cut."""
    told = (answer.get("error"), answer.get("error_description"))
    return ", ".join(clean(redactor.text(text), 200) for text in told if isinstance(text, str) and text)


def _life_s(expires_in: Any) -> float:
    """Seconds from `expires_in`, which some servers write as a text; bounded both ways."""
    try:
        life = float(expires_in) if isinstance(expires_in, int | float | str) else DEFAULT_LIFE_S
    except (ValueError, OverflowError):
        life = DEFAULT_LIFE_S
    return min(max(life, 1.0), LONGEST_LIFE_S) if life == life else DEFAULT_LIFE_S
