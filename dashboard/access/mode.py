"""Whether the dashboard asks who somebody is."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.requests import Request

from prober.settings import Access
from prober.storage.logins import Lasts

Mode = Access
"""Who may come in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessConfig:
    """How people and programs show who they are."""

    mode: Mode = Mode.LOGIN
    lasts: Lasts = field(default_factory=Lasts)
    public_url: str | None = None

    def is_https(self, request: Request) -> bool:
        """Whether the browser came by https, also where that ended in front of us."""
        public = urlsplit(self.public_url or "")
        by_public = public.scheme == "https" and public.netloc.lower() == request.headers.get("host", "").lower()
        return by_public or request.scope["scheme"] == "https"
