"""Does a client without credentials learn where to get some?"""

from checks.model import CheckResult, Outcome, Profile
from checks.unit import CheckContext, check


@check("auth_challenge", profiles=frozenset({Profile.FULL}))
async def auth_challenge(ctx: CheckContext) -> CheckResult:
    """Does a client without credentials learn where to get some?"""
    del ctx
    return CheckResult(check="auth_challenge", outcome=Outcome.SKIP, summary="not asked")
