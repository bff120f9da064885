"""What is remembered of the lists of tools that earlier probes read, and of the deploys that they tell of.

One differing list is no change yet: an alias with weights, a canary or a deploy under way answers with two versions for
a while. So a list counts once `AGREE` of the last `READINGS` probes read it, and not while two take turns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from checks.inventory import Inventory
from checks.text import clean

READINGS: Final = 5
AGREE: Final = 3

TURNS: Final = 3
"""Changes from one list to another within `READINGS` probes from which on lists take turns: a deploy makes one, and one
that is taken back makes two."""

WARMING: Final = timedelta(minutes=10)
"""How long after a deploy its new instances may still be on their way."""

LISTS_KEPT: Final = 2
DEPLOYS_KEPT: Final = 10

_RESTLESS: Final = 3
"""Different values among the last ones, from which on one more tells of no deploy."""

_VERSION_KEPT: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """A change that shows from outside that another version answers."""

    at: datetime
    """The slot of the probe that saw it first."""
    what: str
    """In words, such as `version 1.2 → 1.3`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolMemory:
    """What earlier probes read; newest last."""

    fingerprints: tuple[str, ...] = ()
    """Of the last `READINGS` lists that were read to their end."""
    versions: tuple[str, ...] = ()
    """What the server called its version in as many openings."""
    functions: tuple[str, ...] = ()
    """Versions of the function that answered these openings, where the front door tells them."""
    lists: tuple[Inventory, ...] = ()
    """Those of `fingerprints` that are not the accepted one, as far as they are kept."""
    deploys: tuple[Deploy, ...] = ()

    @property
    def agreed(self) -> str | None:
        """Fingerprint of the list that enough probes read, or None while there is none."""
        return next((each for each in set(self.fingerprints) if self.fingerprints.count(each) >= AGREE), None)

    @property
    def takes_turns(self) -> bool:
        """Whether different lists take turns, so that none of them is the list."""
        return sum(one != other for one, other in pairwise(self.fingerprints)) >= TURNS

    @property
    def settled(self) -> str | None:
        """Fingerprint of the list that is now the server's: agreed upon, and not taking turns with another."""
        return None if self.takes_turns else self.agreed

    def inventory(self, fingerprint: str | None) -> Inventory | None:
        """The list with that fingerprint, where it is kept."""
        return next((each for each in self.lists if each.fingerprint == fingerprint), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one probe read."""

    at: datetime
    version: str | None
    """What the server called its version."""
    function: str | None = None
    """The version of the function that answered; None where nobody tells."""
    fingerprint: str | None = None
    """Of the list of tools; None where it was not read to its end."""
    inventory: Inventory | None = None
    """That list, where it is not the accepted one."""


def after_probe(memory: ToolMemory, reading: Reading, *, accepted: str | None) -> ToolMemory:
    """What is remembered after a probe. `accepted` is the fingerprint of the accepted list."""
    version = clean(reading.version, _VERSION_KEPT) if reading.version else None
    fingerprints = _and(memory.fingerprints, reading.fingerprint)
    lists = [each for each in memory.lists if each.fingerprint != reading.fingerprint]
    lists += [] if reading.inventory is None else [reading.inventory]
    kept = [each for each in lists if each.fingerprint in fingerprints and each.fingerprint != accepted]
    what = ", ".join(_new(memory, version, reading))
    return replace(
        memory,
        fingerprints=fingerprints,
        versions=_and(memory.versions, version),
        functions=_and(memory.functions, reading.function),
        lists=tuple(kept[-LISTS_KEPT:]),
        deploys=(*memory.deploys, *([Deploy(at=reading.at, what=what)] if what else []))[-DEPLOYS_KEPT:],
    )


def _and(values: tuple[str, ...], value: str | None) -> tuple[str, ...]:
    return values if value is None else (*values, value)[-READINGS:]


def _new(memory: ToolMemory, version: str | None, reading: Reading) -> Iterator[str]:
    """What this probe saw that no recent one did."""
    if _is_new(version, memory.versions):
        yield f"version {memory.versions[-1]} → {version}"
    if _is_new(reading.function, memory.functions):
        yield f"function version {memory.functions[-1]} → {reading.function}"
    if _is_new(reading.fingerprint, memory.fingerprints):
        yield "another list of tools"


def _is_new(value: str | None, recent: Sequence[str]) -> bool:
    """Whether a value follows others that it is none of. A server that says another one each time is just restless."""
    return value is not None and 0 < len(set(recent)) < _RESTLESS and value not in recent
