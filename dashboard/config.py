"""What the dashboard takes from its environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

DATABASE: Final = "DATABASE_URL"
PUBLIC_URL: Final = "PROBER_DASHBOARD_PUBLIC_URL"
ALLOWED_HOSTS: Final = "PROBER_DASHBOARD_ALLOWED_HOSTS"


class ConfigMissing(ValueError):
    """The environment lacks something; the message says what, and how to give it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where the stored reports are, and under which names the dashboard may be asked for them."""

    database_url: str
    allowed_hosts: frozenset[str] = frozenset()
    """Host names beside localhost, IP addresses and names without a dot."""

    def __repr__(self) -> str:
        return f"Config(database_url=<hidden>, allowed_hosts={sorted(self.allowed_hosts)})"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Config":
        """Raises ConfigMissing when there is no database to show."""
        database_url = environment.get(DATABASE, "").strip()
        if not database_url:
            raise ConfigMissing(
                f"{DATABASE} is not set. Give the address of the prober's database, for example "
                f"{DATABASE}=postgresql://prober@localhost/prober, or let `mcp-prober up` start the dashboard."
            )
        named = {host.strip().lower() for host in environment.get(ALLOWED_HOSTS, "").split(",") if host.strip()}
        public = urlsplit(environment.get(PUBLIC_URL, "").strip()).hostname
        return cls(database_url=database_url, allowed_hosts=frozenset(named | ({public} if public else set())))
