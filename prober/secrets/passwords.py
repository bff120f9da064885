"""Passwords of people: which ones are taken, and how they are kept."""

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

SHORTEST: Final = 12
LONGEST: Final = 1024
"""In characters. A hash reads all of them, so that somebody could keep us busy with very long ones."""

_HASHER: Final = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
"""RFC 9106 section 4, the second recommended option: argon2id over 64 MiB, three passes, four lanes."""

NOBODYS: Final = "$argon2id$v=19$m=65536,t=3,p=4$EgXxSpBEedJlg44fMm8Fwg$JxcDJci3tXv7DO/+FVS7vM62qpNkHddmMGOx13LEDR4"
"""The hash of something that was thrown away, checked for names that nobody has: without it, the time of an answer
would tell them from others."""


class PasswordRefused(ValueError):
    """A password that is not taken. The message says why and does not repeat it."""


def accepted(password: str, *, of: str) -> str:
    """The password, if the person `of` may have it. Raises PasswordRefused.

    Length is what counts: rules about kinds of characters do more harm than good (NIST SP 800-63B section 3.1.1.2).
    """
    if len(password) < SHORTEST:
        raise PasswordRefused(f"A password has at least {SHORTEST} characters.")
    if len(password) > LONGEST:
        raise PasswordRefused(f"A password has at most {LONGEST} characters.")
    if len(set(password)) < 4 or password.strip().lower() == of:
        raise PasswordRefused("That password is the first that somebody would guess.")
    return password


def hashed(password: str) -> str:
    """The hash as it is kept, in PHC form. It takes 64 MiB and about 0.1 s: never on an event loop."""
    return _HASHER.hash(password)


def is_right(password: str, kept: str) -> bool:
    """Whether the hash is that of the password. As slow as `hashed`."""
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with other parameters than today's: then a new one is kept at the next login."""
    return _HASHER.check_needs_rehash(kept)
