"""May a script of a web page speak to this endpoint, from every origin that its owner names?"""

from checks.model import CheckResult, Outcome, Profile
from checks.unit import CheckContext, check


@check("cors", profiles=frozenset({Profile.FULL}))
async def cors(ctx: CheckContext) -> CheckResult:
    """May a script of a web page speak to this endpoint, from every origin that its owner names?"""
    del ctx
    return CheckResult(check="cors", outcome=Outcome.SKIP, summary="not asked")
