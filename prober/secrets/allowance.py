"""Which secrets a deployment lets its endpoints have, and to which origins they may go.

Whoever may write an endpoint could otherwise have any secret of this process sent to a server of their own.
"""

import posixpath
import re
from dataclasses import dataclass
from typing import Final

from checks.credentials import REFERENCE_SCHEMES
from prober.secrets.references import SPELLINGS, problem_with

SETTING: Final = "secrets.allow"


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry: a pattern of references, in which `*` stands for any text, and the origin that they are bound to."""

    pattern: str
    origin: str | None = None
    """Such as `https://orders.example.com`, as `prober.values.origin` spells it. None: any."""

    def matches(self, reference: str) -> bool:
        """Whether the pattern means this reference. One without `#` means every key of a secret."""
        if "#" not in self.pattern:
            reference = reference.partition("#")[0] if reference.startswith("aws-sm:") else reference
        pieces = (re.escape(piece) for piece in self.pattern.split("*"))
        return re.fullmatch(".*".join(pieces), _plain(reference), re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class AllowList:
    """All entries. A reference that a bound entry means is bound, whatever other entries mean it too."""

    entries: tuple[Allowed, ...] = ()

    def refusal(self, reference: str, origins: tuple[str, ...]) -> str | None:
        """Why the secret may not be sent to all of these origins, or None where it may.

        A secret that is not sent to an endpoint has no origins, and is refused where it is bound to one.
        """
        matching = [entry for entry in self.entries if entry.matches(reference)]
        if not matching:
            return f"{reference} is not among the secrets that may be used here: add it to {SETTING}"
        bound = {entry.origin for entry in matching if entry.origin is not None}
        if not bound or (origins and bound.issuperset(origins)):
            return None
        where = ", ".join(sorted(set(origins) - bound)) or "no endpoint at all"
        return f"{reference} is bound to {', '.join(sorted(bound))} by {SETTING}, and this is for {where}"


def problem_with_pattern(pattern: str) -> str | None:
    """What is wrong with the spelling of an entry's pattern, or None."""
    if not pattern.startswith(REFERENCE_SCHEMES):
        return f"begins with none of the references {SPELLINGS}"
    if "*" not in pattern:
        return problem_with(pattern)
    if pattern.startswith("file:") and (not pattern.startswith("file:/") or ".." in pattern.split("/")):
        return "after file: comes an absolute path without .."
    return None


def _plain(reference: str) -> str:
    """The reference with the shortest spelling of its path, as the system would read it."""
    if not reference.startswith("file:"):
        return reference
    return f"file:/{posixpath.normpath(reference.removeprefix('file:')).lstrip('/')}"
