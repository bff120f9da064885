"""What a channel has to do, what it is given to do it with, and how it says that it could not."""

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Protocol, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from checks.credentials import REFERENCE_SCHEMES
from checks.model import Failure, TransportError
from checks.text import clean
from prober import values
from prober.clock import Clock
from prober.incidents.notice import Notice
from prober.net.client import Net
from prober.secrets.references import SecretError

_WORTH_ANOTHER_TRY: Final = frozenset({408, 425, 429})
"""Client errors that say "not now" instead of "not like this" (RFC 9110 section 15.5.9, RFC 8470, RFC 6585)."""
_FOR_ITS_CONTENT: Final = frozenset({400, 413, 414, 422})
"""Client errors that the same notice meets again however the channel is mended (RFC 9110 section 15.5)."""
_PASSING_TLS: Final = frozenset({"closed", "timeout"})
"""Failures of a TLS handshake that say nothing about the certificate."""


class NotifyError(Exception):
    """A notice that a channel did not take. The text names the reason and never a secret.

    `permanent`: the same notice would be refused whatever anybody does, so trying again is of no use.
    `needs_mending`: it passes once a person has mended the channel (its address, credentials or permissions).
    `retry_after_s`: how long the other side asks us to wait, in seconds.
    """

    def __init__(
        self, reason: str, *, permanent: bool, needs_mending: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.needs_mending = needs_mending
        self.retry_after_s = retry_after_s


class ChannelSettings(BaseModel):
    """Base of every channel's settings: unknown keys are refused, and errors do not repeat what was written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _reference(text: str) -> str:
    try:
        return values.reference(text)
    except values.Refused as refused:
        raise PydanticCustomError("reference", "{message}: {hint}", vars(refused)) from None


Reference = Annotated[
    str, AfterValidator(_reference), Field(json_schema_extra={"pattern": f"^({'|'.join(REFERENCE_SCHEMES)})"})
]
"""A reference to a secret; a secret written out is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What channels are built with."""

    net: Net
    secret: Callable[[str], Awaitable[str]]
    """Resolves a reference to a secret; raises `prober.secrets.references.SecretError`."""
    executor: Executor
    """Runs blocking calls. It is the channels' own: a stuck send must not starve name lookups."""
    clock: Clock
    public_url: str | None = None
    """Address of the dashboard, for links in messages."""


class Notifier(Protocol):
    """One kind of channel. The first line of the class docstring says what it sends, and is shown to users."""

    kind: ClassVar[str]
    settings: ClassVar[type[ChannelSettings]]

    @classmethod
    def build(cls, settings: Any, tools: Tools) -> Self:
        """A channel with validated settings. Opens nothing: that is left to the first `send`."""
        ...

    async def send(self, notice: Notice) -> None:
        """Deliver one notice, or raise NotifyError. May deliver twice, never not at all without raising."""
        ...


def refusal(status: int, said: str, retry_after_s: float | None = None) -> NotifyError:
    """The error for an HTTP status: the retry table that all channels share.

    Permanent is what the notice's own content is refused for. Other client errors than those that ask for patience
    wait for somebody who mends the channel. Everything else is worth another try soon.
    """
    permanent = status in _FOR_ITS_CONTENT
    return NotifyError(
        f"HTTP {status}: {clean(said, 200)}",
        permanent=permanent,
        needs_mending=400 <= status < 500 and not permanent and status not in _WORTH_ANOTHER_TRY,
        retry_after_s=retry_after_s,
    )


def to_mend(reason: str) -> NotifyError:
    """The error for what only a person can put right, at the channel or in its settings."""
    return NotifyError(reason, permanent=False, needs_mending=True)


def unanswered(error: TransportError | None, reason: str) -> NotifyError:
    """The error where no answer came; `reason` is what to say about it. An address that the guard refuses, one that
    is no URL and a certificate that is not believed wait for a person. Everything else may pass."""
    waits = error is not None and (
        error.failure is Failure.BLOCKED
        or error.reason in ("invalid-url", "invalid-request")
        or (error.failure is Failure.TLS and error.reason not in _PASSING_TLS)
    )
    return NotifyError(reason, permanent=False, needs_mending=waits)


async def secret_behind(tools: Tools, reference: str) -> str:
    """The secret, resolved for every notice, so that one which was replaced works without a restart.

    Raises NotifyError: a secret that is not there waits for a person, one whose keeper is away does not.
    """
    try:
        return await tools.secret(reference)
    except SecretError as unavailable:
        raise NotifyError(str(unavailable), permanent=False, needs_mending=not unavailable.passing) from None
