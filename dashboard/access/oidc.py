"""OpenID Connect: what the environment says about the provider, and a login that is under way in one browser."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from checks.text import clean
from dashboard.access.environment import Groups, SettingRefused, networks, web_address
from prober.secrets.references import SecretError, is_reference, is_remote, resolve
from prober.settings import vouching
from prober.storage.people import Role
from prober.values import is_this_machine

PREFIX: Final = vouching.OIDC
CALLBACK: Final = "/login/oidc/callback"
LASTS: Final = timedelta(minutes=10)
"""For how long somebody may be at the provider before the login has to begin anew."""

VARIABLES: Final = frozenset(name for name in vouching.VARIABLES if name.startswith(PREFIX))
_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
_LONGEST_COOKIE: Final = 3800
_BACK_S: Final = 60
"""By how much the clock may be set back meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """Who is asked for people, as which client, and what their groups may do."""

    issuer: str
    client_id: str
    groups: Groups
    redirect_uri: str
    client_secret: str | None = None
    """A reference, which is resolved at each login, so that a new secret needs no restart. None: a public client."""
    groups_claim: str = "groups"
    name_claim: str = "preferred_username"
    scopes: str = "openid profile email"
    """OpenID Connect Core 1.0 section 3.1.2.1: without `openid` it is no question for an identity."""
    label: str = "Single sign-on"
    """What the button of the login page says."""
    allow_cidrs: tuple[str, ...] = ()
    """Networks of ours in which the provider may be. None: it is on the internet, or on this machine."""

    @property
    def host(self) -> str:
        """The provider's name for people."""
        return urlsplit(self.issuer).hostname or self.issuer

    @property
    def has_admins(self) -> bool:
        """Whether somebody may manage access who logs in there."""
        return Role.ADMIN in self.groups.roles.values()

    @property
    def reachable(self) -> tuple[str, ...]:
        """The networks beside the internet that may be asked."""
        return (*self.allow_cidrs, *(_LOOPBACK if is_this_machine(self.host) else ()))

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str],
        public_url: str | None,
        resolved: Callable[[str, Mapping[str, str]], str] = resolve,
    ) -> "OidcSettings | None":
        """None without any of the variables. Raises SettingRefused for those that cannot be used or lack another."""
        given = {name: text.strip() for name, text in environment.items() if name.startswith(PREFIX) and text.strip()}
        if not given:
            return None
        for name in given:
            if name not in VARIABLES:
                known = ", ".join(sorted(VARIABLES))
                raise SettingRefused(
                    f"{clean(name, 100)} is no setting of the login by OpenID Connect; there are {known}"
                )
        for name in ("ISSUER", "CLIENT_ID"):
            if PREFIX + name not in given:
                raise SettingRefused(f"{PREFIX}{name} is not set, and the login by OpenID Connect needs it")
        optional = {
            field: given[PREFIX + field.upper()]
            for field in ("groups_claim", "name_claim", "scopes", "label")
            if PREFIX + field.upper() in given
        }
        if "openid" not in optional.get("scopes", "openid").split():
            raise SettingRefused(f"{PREFIX}SCOPES must have openid among them")
        return cls(
            issuer=web_address(f"{PREFIX}ISSUER", given[f"{PREFIX}ISSUER"]),
            client_id=given[f"{PREFIX}CLIENT_ID"],
            client_secret=_secret(given.get(f"{PREFIX}CLIENT_SECRET"), environment, resolved),
            groups=_groups(given.get(f"{PREFIX}GROUPS", "")),
            redirect_uri=_redirect_uri(public_url),
            allow_cidrs=tuple(
                str(network) for network in networks(f"{PREFIX}ALLOW_CIDRS", given.get(f"{PREFIX}ALLOW_CIDRS", ""))
            ),
            **optional,
        )


def _groups(text: str) -> Groups:
    """Without groups, everybody with an account at the provider could come in: that must not be the default."""
    groups = Groups.read(f"{PREFIX}GROUPS", text)
    if not groups.roles:
        raise SettingRefused(
            f"{PREFIX}GROUPS is not set: name the groups that may come in, each with its role, such as "
            "oncall=operator, platform=admin"
        )
    return groups


def _redirect_uri(public_url: str | None) -> str:
    if not public_url:
        raise SettingRefused(
            "PROBER_DASHBOARD_PUBLIC_URL is not set: the provider sends browsers back to it, so give the address under "
            "which people reach the dashboard"
        )
    return web_address("PROBER_DASHBOARD_PUBLIC_URL", public_url).rstrip("/") + CALLBACK


def _secret(
    reference: str | None, environment: Mapping[str, str], resolved: Callable[[str, Mapping[str, str]], str]
) -> str | None:
    """The reference, once it is known to lead to a secret now."""
    variable = f"{PREFIX}CLIENT_SECRET"
    if reference is None:
        return None
    if not is_reference(reference) or is_remote(reference):
        raise SettingRefused(f"{variable} does not hold the secret itself: write env:NAME or file:/path")
    try:
        resolved(reference, environment)
    except SecretError as problem:
        raise SettingRefused(f"{variable}: {problem}") from None
    return reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A login that one browser began. Its cookie holds the seed, which no page and nobody on the way gets to see; what
    the provider is told is made of it by a one-way function, so nothing needs to be kept here."""

    seed: str
    begun_at: datetime
    next: str
    """Where the browser wanted to go, a path of ours."""

    @classmethod
    def begin(cls, now: datetime, next_path: str) -> "Attempt":
        """A new one, with 256 bits that nobody guesses."""
        return cls(seed=secrets.token_urlsafe(32), begun_at=now, next=next_path)

    @property
    def state(self) -> str:
        """Comes back with the browser: only the one that began this login has the cookie for it (RFC 6749, 10.12)."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """Comes back in the ID token: one that was issued for another login does not fit."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """Is shown with the code: a code that somebody stole or foisted is worth nothing (RFC 7636)."""
        return self._derived("verifier")

    @property
    def challenge(self) -> str:
        """S256 of the verifier (RFC 7636 section 4.2)."""
        return _encoded(hashlib.sha256(self.verifier.encode("ascii")).digest())

    @property
    def cookie(self) -> str:
        """The attempt as the browser keeps it."""
        return f"{self.seed}.{int(self.begun_at.timestamp())}.{_encoded(self.next.encode())}"

    @classmethod
    def read(cls, cookie: str, now: datetime) -> "Attempt | None":
        """The attempt of a cookie. None for what is none, and for one that was begun too long ago."""
        seed, _, rest = cookie.partition(".")
        at, _, next_path = rest.partition(".")
        if len(cookie) > _LONGEST_COOKIE or len(seed) != 43 or not (at.isascii() and at.isdigit() and len(at) < 12):
            return None
        if not -_BACK_S <= now.timestamp() - int(at) <= LASTS.total_seconds():
            return None
        try:
            path = base64.urlsafe_b64decode(next_path + "=" * (-len(next_path) % 4)).decode()
            return cls(seed=seed, begun_at=datetime.fromtimestamp(int(at), now.tzinfo), next=path)
        except ValueError:
            return None

    def is_answered_by(self, state: str) -> bool:
        """Whether a browser that comes back with this state was sent by us, for this attempt."""
        return hmac.compare_digest(self.state.encode(), state.encode())

    def _derived(self, purpose: str) -> str:
        return _encoded(hmac.digest(self.seed.encode(), purpose.encode(), "sha256"))


class Spent:
    """The attempts that have been answered, so that the address of an answer works once. Whoever runs several
    dashboards has the provider for it, which takes a code once."""

    def __init__(self, room: int = 10_000) -> None:
        self._room = room
        self._states: dict[str, None] = {}

    def is_first(self, attempt: Attempt) -> bool:
        """Whether this is the first answer to the attempt; it is spent from now on."""
        if attempt.state in self._states:
            return False
        if len(self._states) >= self._room:
            del self._states[next(iter(self._states))]
        self._states[attempt.state] = None
        return True


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
