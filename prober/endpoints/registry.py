"""Compares the endpoints that are registered with those that are wanted."""

from collections.abc import Iterable
from dataclasses import dataclass

from checks.model import Endpoint


@dataclass(frozen=True, slots=True)
class Changes:
    """What it takes to get from one set of endpoints to another; each part in the order of its source."""

    added: tuple[Endpoint, ...] = ()
    changed: tuple[Endpoint, ...] = ()
    """As wanted now."""
    removed: tuple[Endpoint, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        parts = (("added", self.added), ("changed", self.changed), ("removed", self.removed))
        said = [f"{word} {', '.join(each.name for each in endpoints)}" for word, endpoints in parts if endpoints]
        return "; ".join(said) or "nothing changed"


def changes(stored: Iterable[Endpoint], wanted: Iterable[Endpoint]) -> Changes:
    """The changes from `stored` to `wanted`. The name is the identity: a renamed endpoint is removed and added."""
    before = {endpoint.name: endpoint for endpoint in stored}
    after = {endpoint.name: endpoint for endpoint in wanted}
    return Changes(
        added=tuple(endpoint for name, endpoint in after.items() if name not in before),
        changed=tuple(endpoint for name, endpoint in after.items() if name in before and before[name] != endpoint),
        removed=tuple(endpoint for name, endpoint in before.items() if name not in after),
    )
