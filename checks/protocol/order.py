"""Does the server list its tools in the same order when it is asked again?"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from checks.full_profile import opener_of, published, skipped, unobserved, why_not
from checks.messages import all_tools_of, result_of
from checks.model import CheckResult, Exchange, Finding, Outcome, Profile
from checks.proofs import answer_line, counted
from checks.protocol.tools_list import NAME_KEPT, read_pages
from checks.spec import NEWEST_HANDSHAKE, NEWEST_STATELESS, Chapter, Era, section
from checks.symptoms import first_asked
from checks.text import clean
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check

_NAMES_KEPT: Final = 50
_NAMED: Final = 5

_IN_ORDER: Final = section("2026-07-28", "server/tools", "capabilities")
"""A SHOULD of this revision, and advice to servers of the earlier ones."""


class Second(StrEnum):
    """How the second list compares with the first; the values stand in the check's facts."""

    SAME = "same"
    REORDERED = "reordered"
    OTHER_TOOLS = "other-tools"
    FAILED = "failed"
    NOT_OBSERVED = "not-observed"


@check(
    "order",
    Chapter(page="server/tools", anchor="capabilities", since=NEWEST_STATELESS),
    Chapter(page="server/tools", anchor="listing-tools", until=NEWEST_HANDSHAKE),
    profiles=frozenset({Profile.FULL}),
)
async def order(ctx: CheckContext) -> CheckResult:
    """Does the server list its tools in the same order when it is asked again?

    Reads all pages once more, within the bounds of `tools_list`. Clients keep the list, and models are billed less for
    a prompt that begins like the last one.
    Facts: `second`, a value of `Second`; `only_first` and `only_second`, the names that just one of the two lists
    holds (at most `_NAMES_KEPT`, each cut at `NAME_KEPT`); `first_exchange` and `second_exchange`, where each begins.
    """
    reason = why_not(ctx) or _nothing_to_compare(ctx)
    listing = ctx.result("tools_list")
    if reason is not None or listing is None:
        return skipped("order", reason or "not asked: the tools were not listed")
    read = await read_pages(ctx.wire, ctx.caps)
    pages, stopped = read.pages, read.stopped
    first, second = _names(first_asked(listing)), _names(pages)
    compared = _compare(first, second, pages, stopped)
    findings = _findings(ctx, compared, first, second, stopped or answer_line(pages[-1]))
    return CheckResult(
        check="order",
        outcome=Outcome.WARN if findings else Outcome.PASS if compared is Second.SAME else Outcome.SKIP,
        summary=findings[0].text if findings else _summary(compared, first, pages),
        ms=elapsed_ms(pages),
        exchanges=tuple(pages),
        findings=findings,
        facts={
            "second": compared.value,
            "only_first": _kept(first, second),
            "only_second": _kept(second, first),
            "first_exchange": listing.exchanges[0].id,
            "second_exchange": pages[0].id,
        },
    )


def _nothing_to_compare(ctx: CheckContext) -> str | None:
    listing = ctx.result("tools_list")
    if listing is None or listing.outcome is Outcome.SKIP:
        return "not asked: the server lists no tools"
    return None if listing.facts.get("complete") else "not asked: the first list was not read to its end"


def _names(pages: Sequence[Exchange]) -> list[str]:
    return [tool.name for tool in all_tools_of(pages)]


def _compare(first: Sequence[str], second: Sequence[str], pages: Sequence[Exchange], stopped: str | None) -> Second:
    last = pages[-1]
    if unobserved(last) is not None:
        return Second.NOT_OBSERVED
    if stopped is not None or not isinstance((result_of(last) or {}).get("tools"), list):
        return Second.FAILED
    if first == second:
        return Second.SAME
    return Second.REORDERED if sorted(first) == sorted(second) else Second.OTHER_TOOLS


def _findings(
    ctx: CheckContext, compared: Second, first: Sequence[str], second: Sequence[str], ended: str
) -> tuple[Finding, ...]:
    opener = opener_of(ctx)
    revision = published(opener.protocol_version)
    if compared is Second.REORDERED:
        advice = "" if opener.era is Era.STATELESS else f" (advice of 2026-07-28; {revision} does not speak of it)"
        text = f"the same {counted(len(first), 'tool')} come in another order when asked for again{advice}"
        return (Finding(text=text, rule=_IN_ORDER),)
    if compared is Second.OTHER_TOOLS:
        text = f"two lists within one probe differ: {_difference(first, second)}"
        anchor = "capabilities" if opener.era is Era.STATELESS else "listing-tools"
        return (Finding(text=text, rule=section(revision, "server/tools", anchor)),)
    if compared is Second.FAILED:
        text = f"tools/list works once and not again in the same probe: {ended}"
        return (Finding(text=text, rule=section(revision, "server/tools", "listing-tools")),)
    return ()


def _difference(first: Sequence[str], second: Sequence[str]) -> str:
    lost, new = _kept(first, second), _kept(second, first)
    parts = [*([f"only the first has {_spelled(lost)}"] if lost else [])]
    parts += [f"only the second has {_spelled(new)}"] if new else []
    return "; ".join(parts) or "a name comes more often in one of them"


def _kept(some: Sequence[str], others: Sequence[str]) -> list[str]:
    """The names of the one list that the other has not."""
    missing = set(some) - set(others)
    return [name[:NAME_KEPT] for name in dict.fromkeys(some) if name in missing][:_NAMES_KEPT]


def _spelled(names: Sequence[str]) -> str:
    shown = ", ".join(clean(name, 60) for name in names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and more"


def _summary(compared: Second, first: Sequence[str], pages: Sequence[Exchange]) -> str:
    if compared is Second.SAME:
        return f"{counted(len(first), 'tool')} in the same order when asked for again"
    return f"not observed: {unobserved(pages[-1])}"
