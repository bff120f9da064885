"""Browsers keep scripts of web pages out: the answers lack the headers that would let them in."""

from checks.model import Effect, Evidence
from checks.unit import Cause, detector


@detector("cors-misconfigured", effect=Effect.DEGRADED)
def cors_misconfigured(evidence: Evidence) -> Cause | None:
    """Browsers keep scripts of web pages out: the answers lack the headers that would let them in."""
    del evidence
    return None
