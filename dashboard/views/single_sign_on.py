"""What is shown to somebody whom a login by OpenID Connect did not bring in."""

from dataclasses import dataclass
from typing import Final

from dashboard.access.way_in import LOGIN_HREF

BEGIN: Final = f"{LOGIN_HREF}/oidc"
END: Final = f"{BEGIN}/end"


@dataclass(frozen=True, slots=True)
class Way:
    """Where to go from here."""

    href: str
    words: str


_AGAIN: Final = Way(LOGIN_HREF, "Log in again")
_PASSWORD: Final = Way(LOGIN_HREF, "Log in with a password")
_SOMEBODY_ELSE: Final = Way(END, "Log out of the provider")


@dataclass(frozen=True, slots=True)
class RefusedView:
    """Why, and the ways on."""

    title: str
    line: str
    ways: tuple[Way, ...]


STRANGE: Final = RefusedView(
    "This login did not begin in this browser.", "Or more than ten minutes ago, or before another one.", (_AGAIN,)
)
NOT_CONFIRMED: Final = RefusedView(
    "The login was not confirmed.", "Whoever runs this dashboard finds the reason in its log.", (_AGAIN,)
)
UNREACHABLE: Final = RefusedView(
    "The provider of logins cannot be asked.",
    "Whoever runs this dashboard finds the reason in its log.",
    (Way(LOGIN_HREF, "Try again"), _PASSWORD),
)
NO_GROUP: Final = RefusedView(
    "None of your groups may look at this dashboard.",
    "At the provider, somebody can put you into one that may.",
    (_SOMEBODY_ELSE, _PASSWORD),
)
NO_WAY_OUT: Final = RefusedView(
    "The provider of logins has no page to log out.", "Log out where you logged in.", (_AGAIN,)
)


def turned_away(words: str) -> RefusedView:
    """For somebody whom an admin keeps out."""
    return RefusedView(words, "Or log in as somebody else.", (_SOMEBODY_ELSE, _PASSWORD))
