"""The port to an MCP server. `prober.wire` implements it over HTTP, tests by a script of answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from checks.model import Exchange, Opening, nothing
from checks.spec import Era


@dataclass(frozen=True, slots=True, kw_only=True)
class Alteration:
    """How one request differs, on purpose, from what a client of this conversation would send."""

    headers: Mapping[str, str | None] = field(default_factory=nothing)
    """Values in place of ours, by header name; None leaves a header out. Credentials cannot be reached."""
    meta: Mapping[str, Any] = field(default_factory=nothing)
    """Members of `params._meta` in place of ours; None leaves a member out."""
    with_credentials: bool = True
    """False: without the credentials that the owner configured."""


class Wire(Protocol):
    """An open conversation with one endpoint, or the attempt at one.

    No method raises for what the network or the server does: a failure is part of the `Exchange`.
    """

    @property
    def opening(self) -> Opening:
        """How the conversation was opened. Where nothing worked, `opening.established` is False."""
        ...

    async def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        progress: bool = False,
        altered: Alteration | None = None,
    ) -> Exchange:
        """Send one JSON-RPC request and wait for its answer, the end of the stream or the deadline.

        `progress` asks the server for progress notifications by a token.
        """
        ...

    async def at_once(self, method: str, count: int) -> tuple[Exchange, ...]:
        """Send a request without params `count` times at once, each over a connection of its own, within this
        conversation and its session. Empty where the transport binds a conversation to one connection."""
        ...

    async def end_session(self) -> Exchange | None:
        """Have the server end the session. Later requests still carry its id.

        None, and nothing is sent, where there is no session, or the revision is one whose servers do not survive it.
        """
        ...

    async def open_beside(self, era: Era, version: str) -> Opening:
        """Open a conversation of its own by offering just this revision of this era, over the transport of this one,
        and leave it again with nothing held on the server. No other way is tried."""
        ...

    async def listen(self, notifications: Mapping[str, Any]) -> Exchange:
        """Send `subscriptions/listen` for these notifications, and close the stream at the first message that comes,
        which should be the acknowledgement. For the stateless era."""
        ...

    async def preflight(self, origin: str, method: str, headers: Sequence[str]) -> Exchange:
        """Ask, as a browser does before a script of `origin` may send such a request (Fetch standard, section 4.8)."""
        ...

    async def fetch(self, url: str) -> Exchange:
        """GET a document without credentials. A URL of another origin than the endpoint's is not asked for: the
        exchange then holds Failure.BLOCKED with the reason `foreign-origin`."""
        ...

    async def pause(self, ms: float) -> bool:
        """Wait before asking again. False, and at once, where the probe would have no time left to ask after it."""
        ...
