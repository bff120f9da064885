"""Whether the dashboard asks who somebody is."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.requests import Request

from dashboard.access.proxy import ProxySettings
from prober.settings import Access
from prober.storage.logins import Lasts
from prober.values import is_this_machine

Mode = Access
"""Who may come in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessConfig:
    """How people and programs show who they are."""

    mode: Mode = Mode.LOGIN
    lasts: Lasts = field(default_factory=Lasts)
    public_url: str | None = None
    proxy: ProxySettings | None = None
    """Proxies that are believed, also about how the browser came to them."""

    def is_https(self, request: Request) -> bool:
        """Whether the browser came by https, also where that ended in front of us."""
        public = urlsplit(self.public_url or "")
        by_public = public.scheme == "https" and public.netloc.lower() == request.headers.get("host", "").lower()
        return by_public or request.scope["scheme"] == "https" or self._was_https(request)

    def _was_https(self, request: Request) -> bool:
        """Whether a proxy that we trust says so."""
        said = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
        peer = request.client.host if request.client else ""
        return said == "https" and self.proxy is not None and self.proxy.is_trusted(peer)

    def is_in_the_clear(self, request: Request) -> bool:
        """Whether what the browser sends can be read on its way. To its own machine, as through a tunnel, it cannot."""
        return not self.is_https(request) and not is_this_machine(_name_in(request.headers.get("host", "")))


def _name_in(host: str) -> str:
    """The name or address in a Host header, without its port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0].lower()
