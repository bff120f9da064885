"""Where notices arrive: signed webhooks that note the time, refuse on command, and hold arrivals against expectations.

As in Alertmanager's acceptance tests, every expected message must arrive within its time, and an unexpected one fails
the test as well.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.integration.notifiers.sink import Answer, WebhookSink, serving

SECRET: Final = "whsec_c2l4dGVlbiBieXRlcyBhbmQgc29tZSBtb3JlIGZvciB0ZXN0cw=="
ENVIRONMENT: Final = {"HOOK_SECRET": SECRET}


@dataclass(frozen=True)
class Arrival:
    """A message that was taken, when, and under which id."""

    at: float
    id: str
    kind: str
    endpoint: str
    thread: str
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One message between two moments, in seconds of the epoch."""

    kind: str
    endpoint: str | None = None
    after: float
    before: float

    def fits(self, arrival: Arrival) -> bool:
        is_it = arrival.kind == self.kind and self.endpoint in (None, arrival.endpoint)
        return is_it and self.after <= arrival.at <= self.before


def unmet(arrivals: Sequence[Arrival], expected: Sequence[Expected]) -> list[str]:
    """Which messages did not come in time, and which came that nobody expected. Repetitions of an id count once."""
    left = list({each.id: each for each in reversed(arrivals)}.values())
    problems = []
    for wish in sorted(expected, key=lambda each: each.before):
        found = next((each for each in sorted(left, key=lambda each: each.at) if wish.fits(each)), None)
        if found is None:
            problems.append(f"missing: {wish.kind} of {wish.endpoint or 'anybody'}")
        else:
            left.remove(found)
    return problems + [f"unexpected: {each.kind} of {each.endpoint}" for each in left]


@dataclass
class Inbox(WebhookSink):
    """A receiver of signed webhooks."""

    name: str = "inbox"
    arrivals: list[Arrival] = field(default_factory=list)
    tried_at: list[float] = field(default_factory=list)
    refusing: tuple[int, dict[str, str]] | None = None
    """Status and headers that every request is answered with, while this is set."""
    hold_s: float = 0.0
    """For so long no request is answered."""

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.tried_at.append(time.time())
        if self.hold_s:
            time.sleep(self.hold_s)
        if self.refusing is not None:
            status, extra = self.refusing
            return status, extra, "no"
        known = len(self.ids)
        answer = super().take(path, headers, body)
        if len(self.ids) > known:
            data = self.arrived[-1]["data"] if self.ids.count(self.ids[-1]) == 1 else {}
            first = next((each for each in self.arrivals if each.id == self.ids[-1]), None)
            data = data or (first.data if first else {})
            self.arrivals.append(
                Arrival(time.time(), self.ids[-1], data["kind"], data["endpoint"], data["thread"], data)
            )
        return answer

    @property
    def env(self) -> dict[str, str]:
        """What the worker's environment must hold."""
        return {**ENVIRONMENT, f"HOOK_{self.name.upper()}": self.url}

    def notifier(self, **more: Any) -> dict[str, Any]:
        """The entry of the configuration."""
        address = f"env:HOOK_{self.name.upper()}"
        return {"name": self.name, "kind": "webhook", "url": address, "secret": "env:HOOK_SECRET", **more}

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self.arrivals]

    @property
    def duplicates(self) -> int:
        return len(self.ids) - len(set(self.ids))


@contextmanager
def inbox(name: str = "inbox") -> Iterator[Inbox]:
    """A receiver on loopback."""
    made = Inbox(name=name, secrets=[SECRET])
    with serving(made, "/hook"):
        yield made
