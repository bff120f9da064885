"""Does the server acknowledge a subscription to what it says it can announce?"""

from checks.model import CheckResult, Outcome, Profile
from checks.unit import CheckContext, check


@check("subscriptions", profiles=frozenset({Profile.FULL}))
async def subscriptions(ctx: CheckContext) -> CheckResult:
    """Does the server acknowledge a subscription to what it says it can announce?"""
    del ctx
    return CheckResult(check="subscriptions", outcome=Outcome.SKIP, summary="not asked")
