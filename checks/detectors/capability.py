"""The server declares a capability that it does not serve, or serves one that it does not declare."""

from checks.model import Effect, Evidence
from checks.unit import Cause, detector


@detector("capability-untruthful", effect=Effect.DEGRADED)
def capability_untruthful(evidence: Evidence) -> Cause | None:
    """The server declares a capability that it does not serve, or serves one that it does not declare."""
    del evidence
    return None
