"""Faults of sessions, which are easily lost where requests meet one instance or another."""

from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import PLAIN, apart, buffered
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

OVERLAP_S: Final = 0.05
"""What an answer takes, so that requests which are sent at once meet different instances."""

SESSION_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="session-lost",
        title="Each instance has sessions of its own, and every request meets a new instance",
        verdict="down",
        diagnosis="session-lost",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=apart(lambda: HandshakeServer(streams=False), idle_s=0.0),
    ),
    Scenario(
        id="session-lost-at-once",
        title="Each instance has sessions of its own: requests at once are refused, one after the other they are not",
        verdict="degraded",
        diagnosis="session-lost",
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=apart(lambda: bad.slowly(HandshakeServer(streams=False), OVERLAP_S)),
    ),
    Scenario(
        id="session-undying",
        title="A session is served on after its end",
        verdict="up",
        warns=("session",),
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(lambda: bad.undeletable(HandshakeServer(streams=False))),
    ),
    Scenario(
        id="session-id-illegal",
        title="The session id has a character that none may have",
        verdict="up",
        warns=("lifecycle",),
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(lambda: bad.badly_named(HandshakeServer(streams=False), "session ")),
    ),
    Scenario(
        id="session-in-stateless-era",
        title="Hands out a session id in the era that has none",
        verdict="up",
        warns=("lifecycle",),
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(lambda: bad.minting(StatelessServer(streams=False))),
    ),
)
