"""Who may log in, and as what."""

from enum import StrEnum


class Role(StrEnum):
    """What a person may do; each may do all that the one before may."""

    VIEWER = "viewer"
    """Look at everything but the audit log and the settings of access."""
    OPERATOR = "operator"
    """Acknowledge, snooze, comment, ask for a probe, accept tools, mute, test a channel."""
    ADMIN = "admin"
    """Endpoints, people, tokens, and the audit log."""
