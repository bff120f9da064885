"""A session id that the server gave out is refused later, or on some connections only."""

from checks.model import Effect, Evidence
from checks.unit import Cause, detector


@detector("session-lost", effect=Effect.DOWN)
def session_lost(evidence: Evidence) -> Cause | None:
    """A session id that the server gave out is refused later, or on some connections only."""
    del evidence
    return None
