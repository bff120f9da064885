"""Where the time of one request goes, written down as it happens, so that a request cut short has it too."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic


class Step(StrEnum):
    """What a request is waiting for."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    ANSWER = "answer"
    BODY = "body"


@dataclass(slots=True, kw_only=True)
class Phases:
    """Durations in seconds, and moments on the event loop's clock. None: the phase did not happen."""

    started: float
    step: Step = Step.DNS
    dns_s: float | None = None
    connect_s: float | None = None
    tls_s: float | None = None
    sent_at: float | None = None
    first_byte_at: float | None = None
    remote_address: str | None = None
    ignored_addresses: int = 0
    """Addresses of the name beyond `Limits.dns_answers`, which are not connected to."""
    reused: bool = False
    """The request went over a connection that an earlier one had opened."""

    @contextmanager
    def timing(self, step: Step) -> Iterator[None]:
        """Note how long the body of the `with` took as the duration of `step`, however it ends."""
        self.step = step
        began = monotonic()
        try:
            yield
        finally:
            setattr(self, f"{step.value}_s", monotonic() - began)
