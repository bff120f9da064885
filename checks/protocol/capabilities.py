"""Is every declared capability served, and nothing served that is not declared?"""

from checks.model import CheckResult, Outcome, Profile
from checks.unit import CheckContext, check


@check("capabilities", profiles=frozenset({Profile.FULL}))
async def capabilities(ctx: CheckContext) -> CheckResult:
    """Is every declared capability served, and nothing served that is not declared?"""
    del ctx
    return CheckResult(check="capabilities", outcome=Outcome.SKIP, summary="not asked")
