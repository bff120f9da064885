"""Is the session honoured on every connection, and refused once it has ended?"""

from checks.model import CheckResult, Outcome, Profile
from checks.unit import CheckContext, check


@check("session", profiles=frozenset({Profile.FULL}))
async def session(ctx: CheckContext) -> CheckResult:
    """Is the session honoured on every connection, and refused once it has ended?"""
    del ctx
    return CheckResult(check="session", outcome=Outcome.SKIP, summary="not asked")
