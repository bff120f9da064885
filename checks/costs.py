"""What one probe costs the watched server in requests, by profile and by the way in which the server is spoken to.

A contract test counts them at servers of the lab; the table of `docs/watch.md` is made from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from checks.model import Endpoint, Profile
from checks.spec import Era, Transport


class Kind(StrEnum):
    """What decides how many requests a conversation takes."""

    STATELESS = "stateless era"
    DUAL = "both eras"
    HANDSHAKE = "handshake era, no session"
    SESSIONS = "handshake era, with a session"
    SSE = "HTTP+SSE"


@dataclass(frozen=True, slots=True)
class Cost:
    """Requests of one probe that begins with the way in that is remembered, and finds one page of tools."""

    requests: int
    refused: int = 0
    """Those that a faithful server with nothing but tools answers with a status of 400 or more."""


COSTS: Final[Mapping[Kind, Mapping[Profile, Cost]]] = {
    Kind.STATELESS: {Profile.QUICK: Cost(2), Profile.STANDARD: Cost(2), Profile.FULL: Cost(15, 12)},
    Kind.DUAL: {Profile.QUICK: Cost(2), Profile.STANDARD: Cost(2), Profile.FULL: Cost(23, 8)},
    Kind.HANDSHAKE: {Profile.QUICK: Cost(3), Profile.STANDARD: Cost(3), Profile.FULL: Cost(16, 4)},
    Kind.SESSIONS: {Profile.QUICK: Cost(4), Profile.STANDARD: Cost(4), Profile.FULL: Cost(27, 5)},
    Kind.SSE: {Profile.QUICK: Cost(4), Profile.STANDARD: Cost(4), Profile.FULL: Cost(18, 1)},
}

TO_FIND: Final = 2
"""Requests more, at most, of a probe that remembers no way in: those that HTTP+SSE refuses before it is found."""


def kind_of(era: Era, transport: Transport, *, has_session: bool, serves_both: bool = False) -> Kind:
    """The kind of a conversation. `serves_both`: the server is known to serve the other era, too."""
    if transport is Transport.SSE:
        return Kind.SSE
    if era is Era.STATELESS:
        return Kind.DUAL if serves_both else Kind.STATELESS
    return Kind.SESSIONS if has_session else Kind.HANDSHAKE


def requests_of(profile: Profile, kind: Kind, endpoint: Endpoint) -> int:
    """About how many requests one probe of the endpoint makes: every sentinel is a call of its own.

    Further pages of tools, origins of browsers, credentials and what is asked on request come on top.
    """
    sentinels = 0 if profile is Profile.QUICK else len(endpoint.sentinels)
    return COSTS[kind][profile].requests + sentinels
