"""What is shown to those who are not in yet."""

from dataclasses import dataclass

from dashboard.views.single_sign_on import Way
from prober.secrets.passwords import SHORTEST, PasswordRefused, accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginView:
    next: str
    """Where to go from here, a path of ours."""
    name: str = ""
    error: str = ""
    elsewhere: Way | None = None
    """Where a login by OpenID Connect begins, where there is one."""
    has_admin: bool = True
    in_the_clear: bool = False
    """Whether a password that is typed here can be read on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupView:
    name: str = "admin"
    token: str = ""
    error: str = ""
    shortest: int = SHORTEST
    in_the_clear: bool = False


def password_problem(password: str, again: str, *, of: str) -> str:
    """Why a new password is not taken; empty where it is."""
    if password != again:
        return "The two passwords differ."
    try:
        accepted(password, of=of)
    except PasswordRefused as refused:
        return str(refused)
    return ""
