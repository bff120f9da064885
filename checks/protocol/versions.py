"""Does the server refuse a revision that it cannot know, in the way that its own revision says?"""

from checks.model import CheckResult, Outcome, Profile
from checks.unit import CheckContext, check


@check("versions", profiles=frozenset({Profile.FULL}))
async def versions(ctx: CheckContext) -> CheckResult:
    """Does the server refuse a revision that it cannot know, in the way that its own revision says?"""
    del ctx
    return CheckResult(check="versions", outcome=Outcome.SKIP, summary="not asked")
