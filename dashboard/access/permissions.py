"""What may be done, and which roles may do it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from prober.storage.people import SCOPES, Role


class Permission(StrEnum):
    """What a route asks of whoever calls it; the scopes of an API token have the same names."""

    READ = "read"
    """Look at endpoints, probes, incidents, channels."""
    OPERATE = "operate"
    """What is done about an incident: acknowledge, snooze, comment, mute, probe now, accept tools, test a channel."""
    MANAGE = "manage"
    """Endpoints, people, tokens, and the audit log."""


GRANTS: Final[Mapping[Role, frozenset[Permission]]] = {
    role: frozenset(map(Permission, scopes)) for role, scopes in SCOPES.items()
}
