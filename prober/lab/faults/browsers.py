"""Faults that keep scripts of web pages out."""

from collections.abc import Callable
from typing import Any, Final

from prober.lab.faults.parts import BROWSERS, PAGES, behind, json_only, streaming
from prober.lab.front_doors.cors import CLIENT_HEADERS, Cors, UrlPolicy
from prober.lab.front_doors.function_url import FunctionUrl
from prober.lab.http import Handler
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

OLD_HEADERS: Final = frozenset({"authorization", "content-type", "accept"})
"""What a policy allows that was written without MCP in mind."""


def _open(server: Callable[..., Handler], **policy: Any) -> Callable[[], Handler]:
    """A server that takes scripts of the page, behind a policy that may not."""

    def build() -> Handler:
        settings: dict[str, Any] = {"origins": PAGES, **policy}
        return Cors(app=streaming(lambda: server(origins=PAGES))(), **settings)

    return build


def _twice() -> Handler:
    """The application and its front door both say who may come in."""
    served = Cors(app=StatelessServer(origins=PAGES), origins=PAGES)
    return Cors(app=streaming(lambda: served)(), origins=PAGES)


BROWSER_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="cors-missing",
        title="No preflight is answered: scripts of web pages were not thought of",
        verdict="degraded",
        diagnosis="cors-misconfigured",
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=BROWSERS,
        build=streaming(StatelessServer),
    ),
    Scenario(
        id="cors-origin-refused",
        title="Scripts of another web page may come in, but not those of the owner's",
        verdict="degraded",
        diagnosis="cors-misconfigured",
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=BROWSERS,
        build=_open(StatelessServer, origins=frozenset({"https://staging.example.com"})),
    ),
    Scenario(
        id="cors-origin-doubled",
        title="The application and its front door both allow the origin, so that browsers trust neither",
        verdict="degraded",
        diagnosis="cors-misconfigured",
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=BROWSERS,
        build=_twice,
    ),
    Scenario(
        id="cors-function-url-doubled",
        title="The application and the Function URL's own setting both allow the origin",
        verdict="degraded",
        diagnosis="cors-misconfigured",
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=BROWSERS,
        build=behind(FunctionUrl, lambda: Cors(app=json_only(), origins=PAGES), cors=UrlPolicy(origins=PAGES)),
    ),
    Scenario(
        id="cors-headers-refused",
        title="Scripts may not send the headers that MCP needs",
        verdict="degraded",
        diagnosis="cors-misconfigured",
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=BROWSERS,
        build=_open(StatelessServer, allowed=OLD_HEADERS),
    ),
    Scenario(
        id="cors-session-hidden",
        title="Scripts may not read the session id that they must send back",
        verdict="degraded",
        diagnosis="cors-misconfigured",
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=BROWSERS,
        build=_open(HandshakeServer, allowed=CLIENT_HEADERS, exposed=()),
    ),
)
