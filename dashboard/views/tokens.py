"""What the page of tokens shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dashboard.views.common import Moment, moment_of
from prober.storage.tokens import Token

TOKENS_HREF: Final = "/settings/tokens"

SCOPES: Final = (
    ("read", "read endpoints, probes, incidents and channels"),
    ("operate", "acknowledge, snooze, comment, mute, ask for probes, mark deploys, accept tools"),
    ("manage", "change endpoints, and read the audit log"),
)
LENGTHS: Final = ((30, "30 days"), (90, "90 days"), (365, "a year"), (0, "until it is revoked"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    name: str
    scopes: str
    icon: str
    state: str
    """Whether it counts, in words."""
    made: Moment
    made_by: str
    used: Moment | None
    ends: Moment | None
    revoke: str
    """Where it is revoked; empty where it counts no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensView:
    tokens: tuple[TokenView, ...]
    secret: str
    """Of the token that was made just now; never again."""
    of: str
    add: str = TOKENS_HREF
    scopes: tuple[tuple[str, str], ...] = SCOPES
    lengths: tuple[tuple[int, str], ...] = LENGTHS


def tokens_view(tokens: Sequence[Token], now: datetime, made: tuple[Token, str] | None = None) -> TokensView:
    return TokensView(
        tokens=tuple(_token(each, now) for each in tokens),
        secret="" if made is None else made[1],
        of="" if made is None else made[0].name,
    )


def _token(token: Token, now: datetime) -> TokenView:
    counts = token.counts(now)
    state = "counts" if counts else f"revoked by {token.revoked_by}" if token.revoked_at else "has expired"
    return TokenView(
        name=token.name,
        scopes=", ".join(token.scopes),
        icon="up" if counts else "skip",
        state=state,
        made=moment_of(token.created_at, now),
        made_by=token.created_by,
        used=None if token.used_at is None else moment_of(token.used_at, now),
        ends=None if token.expires_at is None else moment_of(token.expires_at, now),
        revoke=f"{TOKENS_HREF}/{token.id}/revoke" if counts else "",
    )
