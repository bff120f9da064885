"""What the dashboard takes from its environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from dashboard.access.environment import SettingRefused
from dashboard.access.mode import AccessConfig, Mode
from dashboard.access.oidc import OidcSettings
from dashboard.access.proxy import ProxySettings
from prober import values
from prober.storage.logins import Lasts

DATABASE: Final = "DATABASE_URL"
PUBLIC_URL: Final = "PROBER_DASHBOARD_PUBLIC_URL"
ALLOWED_HOSTS: Final = "PROBER_DASHBOARD_ALLOWED_HOSTS"
ACCESS: Final = "PROBER_DASHBOARD_ACCESS"
LOGIN_IDLE: Final = "PROBER_DASHBOARD_LOGIN_IDLE"
LOGIN_LASTS: Final = "PROBER_DASHBOARD_LOGIN_LASTS"


class ConfigMissing(ValueError):
    """The environment lacks something, or holds what cannot be used; the message says what, and how to give it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where the stored reports are, and under which names the dashboard may be asked for them."""

    database_url: str
    allowed_hosts: frozenset[str] = frozenset()
    """Host names beside localhost, IP addresses and names without a dot."""
    access: AccessConfig = field(default_factory=AccessConfig)
    oidc: OidcSettings | None = None
    proxy: ProxySettings | None = None

    def __repr__(self) -> str:
        return f"Config(database_url=<hidden>, allowed_hosts={sorted(self.allowed_hosts)})"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Config":
        """Raises ConfigMissing when there is no database to show, or a variable cannot be used."""
        database_url = environment.get(DATABASE, "").strip()
        if not database_url:
            raise ConfigMissing(
                f"{DATABASE} is not set. Give the address of the prober's database, for example "
                f"{DATABASE}=postgresql://prober@localhost/prober, or let `mcp-prober up` start the dashboard."
            )
        named = {host.strip().lower() for host in environment.get(ALLOWED_HOSTS, "").split(",") if host.strip()}
        public = urlsplit(environment.get(PUBLIC_URL, "").strip()).hostname
        access = _access(environment)
        oidc, proxy = _vouching(environment, access)
        return cls(
            database_url=database_url,
            allowed_hosts=frozenset(named | ({public} if public else set())),
            access=replace(access, proxy=proxy),
            oidc=oidc,
            proxy=proxy,
        )


def _access(environment: Mapping[str, str]) -> AccessConfig:
    wanted = environment.get(ACCESS, "").strip() or Mode.LOGIN.value
    if wanted not in set(Mode):
        raise ConfigMissing(f"{ACCESS} is neither login nor open.")
    lasts = Lasts()
    return AccessConfig(
        mode=Mode(wanted),
        lasts=Lasts(
            idle=_span(environment, LOGIN_IDLE) or lasts.idle, whole=_span(environment, LOGIN_LASTS) or lasts.whole
        ),
        public_url=environment.get(PUBLIC_URL, "").strip() or None,
    )


def _vouching(environment: Mapping[str, str], access: AccessConfig) -> tuple[OidcSettings | None, ProxySettings | None]:
    """Who vouches for people beside their passwords."""
    try:
        oidc = OidcSettings.from_environment(environment, access.public_url)
        proxy = ProxySettings.from_environment(environment)
    except SettingRefused as refused:
        raise ConfigMissing(f"{refused}.") from None
    if access.mode is Mode.OPEN and (oidc is not None or (proxy is not None and proxy.user_header is not None)):
        raise ConfigMissing(f"{ACCESS}=open lets everybody in, and somebody vouches for people: remove one of the two.")
    return oidc, proxy


def _span(environment: Mapping[str, str], name: str) -> timedelta | None:
    if not (written := environment.get(name, "").strip()):
        return None
    try:
        seconds = values.duration_s(written)
    except values.Refused as refused:
        raise ConfigMissing(f"{name}: {refused.message}. {refused.hint}".rstrip()) from None
    if not 60 <= seconds <= 366 * 86_400:
        raise ConfigMissing(f"{name} is out of range: from one minute to 366 days.")
    return timedelta(seconds=seconds)
