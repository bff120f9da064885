"""Does the server refuse a request whose headers contradict its body?"""

from checks.model import CheckResult, Outcome, Profile
from checks.unit import CheckContext, check


@check("headers", profiles=frozenset({Profile.FULL}))
async def headers(ctx: CheckContext) -> CheckResult:
    """Does the server refuse a request whose headers contradict its body?"""
    del ctx
    return CheckResult(check="headers", outcome=Outcome.SKIP, summary="not asked")
