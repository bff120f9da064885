"""What the page of tokens shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dashboard.views.common import Moment, moment_of
from prober.storage.people import Role
from prober.storage.tokens import Token

TOKENS_HREF: Final = "/settings/tokens"

SCOPES: Final = (
    ("read", "read endpoints, probes, incidents and channels"),
    ("operate", "acknowledge, snooze, comment, mute, ask for probes, mark deploys, accept tools"),
    ("manage", "change endpoints, and read the audit log"),
)
_ROLES: Final = {Role.VIEWER: "a viewer", Role.OPERATOR: "an operator", Role.ADMIN: "an admin"}
LENGTHS: Final = ((30, "30 days"), (90, "90 days"), (365, "a year"), (0, "until it is revoked"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    name: str
    scopes: str
    """What it opens now; where that is nothing, what it was made for."""
    clipped: str
    """Why that is less than it was made for; empty where it is not."""
    icon: str
    state: str
    """Whether it counts, in a word."""
    why: str
    """What the word leaves open; empty where it leaves nothing."""
    made: Moment
    made_by: str
    used: Moment | None
    ends: Moment | None
    revoke: str
    """Where it is revoked; empty where that would change nothing."""


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
    state, why = ("counts", "") if counts else _why_not(token, now)
    clipped = counts and len(token.opens) < len(token.scopes)
    return TokenView(
        name=token.name,
        scopes=", ".join(token.opens or token.scopes),
        clipped=f"not {_lost(token)}: {_maker_now(token)}" if clipped else "",
        icon="up" if counts else "skip",
        state=state,
        why=why,
        made=moment_of(token.created_at, now),
        made_by=token.created_by,
        used=None if token.used_at is None else moment_of(token.used_at, now),
        ends=None if token.expires_at is None else moment_of(token.expires_at, now),
        revoke="" if token.is_over(now) else f"{TOKENS_HREF}/{token.id}/revoke",
    )


def _why_not(token: Token, now: datetime) -> tuple[str, str]:
    """In what state a token is that counts no more, and why."""
    if token.revoked_at is not None:
        return "revoked", f"by {token.revoked_by}"
    return ("expired", "") if token.is_over(now) else ("rests", _maker_now(token))


def _lost(token: Token) -> str:
    return ", ".join(scope for scope in token.scopes if scope not in token.opens)


def _maker_now(token: Token) -> str:
    """What keeps the maker, and so the token, from doing what it was made for."""
    if token.maker is None:
        return f"{token.created_by} may not log in"
    return f"{token.created_by} is {_ROLES[token.maker]}"
