"""Does the server list its tools in the same order when it is asked again?"""

from checks.model import CheckResult, Outcome, Profile
from checks.unit import CheckContext, check


@check("order", profiles=frozenset({Profile.FULL}))
async def order(ctx: CheckContext) -> CheckResult:
    """Does the server list its tools in the same order when it is asked again?"""
    del ctx
    return CheckResult(check="order", outcome=Outcome.SKIP, summary="not asked")
