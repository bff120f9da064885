"""The tool list, page by page: what clients and models see of the server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice
from typing import Final

from checks.inventory import inventory_of
from checks.messages import all_tools_of, error_of, next_cursor_of, result_of, tools_of
from checks.model import CheckResult, Exchange, Finding, Outcome
from checks.proofs import answer_line, counted
from checks.second_look import after_failed_listing
from checks.shapes import of_page, of_pages, of_tools, rulebook, unusable_tools
from checks.spec import Chapter, ErrorCode, section
from checks.symptoms import Symptom, symptom_of
from checks.text import clean
from checks.timing import elapsed_ms
from checks.tool_schemas import broken_schemas
from checks.unit import CheckContext, ListCaps, check
from checks.wire import Wire

NAMES_KEPT: Final = 1000
NAME_KEPT: Final = 128
"""The length that the specification recommends (2025-11-25, server/tools, "Tool Names")."""
_NAMED: Final = 10
"""Names that a summary spells out."""

_FINDINGS_KEPT: Final = 100


class Stop(StrEnum):
    """Why a list was not read to its end; the values stand in the check's facts."""

    CYCLE = "cursor-cycle"
    """A cursor came back: the list never ends."""
    PAGES = "too-many-pages"
    ITEMS = "too-many-items"
    BYTES = "list-too-large"


@check("tools_list", Chapter(page="server/tools", anchor="listing-tools"))
async def tools_list(ctx: CheckContext) -> CheckResult:
    """Does the server list its tools, all pages of them, and are those that the owner expects among them?

    The limits of pages, items and bytes bound the reading, and a cursor that comes back ends it.
    Facts: `tools` (the first `NAMES_KEPT` names, each cut at `NAME_KEPT`, for reading; who judges reads the
    exchanges), `tool_count` (of all), `fingerprint` (of the whole list, whatever its order, see `checks.inventory`),
    `pages`, `complete` (every page was read), `stopped` (a value of `Stop`, or None where the reading came to an end or
    a page failed), `invalid` (entries for which clients drop a tool or the list, each with the reason), `missing`
    (expected but not listed), `asked_again` (ids of the exchanges of a second look at a page for which a front door
    answered in the function's place, and of the one beyond the end of the list).
    """
    if not ctx.wire.opening.established:
        return CheckResult(check="tools_list", outcome=Outcome.SKIP, summary="not asked: no conversation is open")
    read = await read_pages(ctx.wire, ctx.caps)
    pages, stopped, last = read.pages, read.stopped, read.pages[-1]
    again = (*read.beyond, *await after_failed_listing(ctx, last))
    revision = _rulebook(ctx)
    judged = await ctx.apart(_bytes_of(pages), lambda: _judged(read, revision))
    missing = [name for name in ctx.endpoint.expected_tools if name not in judged.names]
    outcome, summary = _outcome(ctx, last, judged, missing, stopped)
    return CheckResult(
        check="tools_list",
        outcome=outcome,
        summary=summary,
        ms=elapsed_ms(pages),
        exchanges=(*pages, *again),
        findings=judged.findings,
        facts={
            "tools": [name[:NAME_KEPT] for name in judged.names[:NAMES_KEPT]],
            "tool_count": len(judged.names),
            "fingerprint": judged.fingerprint,
            "pages": len(pages),
            "complete": _is_readable(last) and stopped is None,
            "stopped": None if stopped is None else stopped.value,
            "invalid": list(judged.invalid),
            "missing": missing,
            "asked_again": [each.id for each in again],
        },
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a list says, once it is read."""

    names: tuple[str, ...]
    """Each once, in their order."""
    findings: tuple[Finding, ...]
    invalid: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a list."""

    pages: Sequence[Exchange]
    """At least one."""
    stopped: Stop | None = None
    """Why it was not read to its end."""
    beyond: tuple[Exchange, ...] = ()
    """What an empty cursor led to that is no page of the list: an error, or nothing new."""


def _judged(read: Read, revision: str) -> _Judged:
    pages = read.pages
    tools = all_tools_of(pages)
    broken = broken_schemas((tool.raw for tool in tools), revision)
    unusable = tuple(islice(chain(unusable_tools(pages, revision), broken), _FINDINGS_KEPT))
    return _Judged(
        names=tuple(dict.fromkeys(tool.name for tool in tools)),
        findings=(*_of_end(read, revision), *unusable, *_of_shapes(pages, revision))[:_FINDINGS_KEPT],
        invalid=tuple(finding.text for finding in unusable),
        fingerprint=inventory_of(tool.raw for tool in tools).fingerprint,
    )


def _bytes_of(pages: Sequence[Exchange]) -> int:
    return sum(page.body_size for page in pages)


async def read_pages(wire: Wire, caps: ListCaps) -> Read:
    """The pages of the list, as far as the limits allow.

    The empty string is a cursor like any other (2026-07-28, server/utilities/pagination), and yet servers write it on
    their last page, as most clients know: what it leads to counts as a page where it brings tools.
    """
    pages = [await wire.request("tools/list")]
    seen: set[str] = set()
    names = {tool.name for tool in tools_of(pages[0])}
    count = len(tools_of(pages[0]))
    while (cursor := next_cursor_of(pages[-1])) is not None:
        stopped = _stop(cursor in seen, pages, count, caps)
        if stopped is not None:
            return Read(pages, stopped)
        seen.add(cursor)
        page = await wire.request("tools/list", {"cursor": cursor})
        listed = tools_of(page)
        if cursor == "" and (result_of(page) or error_of(page)) and names.issuperset(tool.name for tool in listed):
            return Read(pages, beyond=(page,))
        names.update(tool.name for tool in listed)
        count += len(listed)
        pages.append(page)
    return Read(pages)


def _stop(is_known: bool, pages: Sequence[Exchange], count: int, caps: ListCaps) -> Stop | None:
    if is_known:
        return Stop.CYCLE
    if count >= caps.items:
        return Stop.ITEMS
    if _bytes_of(pages) >= caps.bytes:
        return Stop.BYTES
    return Stop.PAGES if len(pages) >= caps.pages else None


def _rulebook(ctx: CheckContext) -> str:
    assert ctx.wire.opening.opener is not None
    return rulebook(ctx.wire.opening.opener)


def _of_end(read: Read, revision: str) -> Iterator[Finding]:
    """What is wrong with how the list ends."""
    rule = section(revision, "server/utilities/pagination", "response-format")
    for page in read.beyond:
        led = "the same tools again" if result_of(page) is not None else answer_line(page)
        yield Finding(text=f"the last page has an empty nextCursor: a client that follows it gets {led}", rule=rule)
    if read.stopped is Stop.CYCLE:
        cursor = clean(next_cursor_of(read.pages[-1]) or "", 60)
        yield Finding(text=f"the cursor “{cursor}” comes back: the list never ends", rule=rule)
    elif read.stopped is not None:
        far = f"{counted(len(read.pages), 'page')} with {counted(len(all_tools_of(read.pages)), 'tool')}"
        yield Finding(text=f"the list goes on after {far}, and was read no further ({read.stopped})", rule=rule)


def _of_shapes(pages: Sequence[Exchange], revision: str) -> Iterator[Finding]:
    for page in pages:
        yield from of_page(page, revision)
    yield from of_pages(pages, revision)
    yield from of_tools(pages, revision)


def _outcome(
    ctx: CheckContext, last: Exchange, judged: _Judged, missing: Sequence[str], stopped: Stop | None
) -> tuple[Outcome, str]:
    names, findings = judged.names, judged.findings
    if not names and not judged.invalid and _is_toolless(ctx, last):
        return Outcome.SKIP, "the server declares no tools, only other capabilities"
    if judged.invalid and (not names or not _is_readable(last)):
        return Outcome.FAIL, "the list has no tool that a client could use"
    if not _is_readable(last):
        return Outcome.FAIL, _unreadable(last)
    if not names:
        return Outcome.FAIL, "the list is empty"
    tools = counted(len(names), "tool")
    if missing:
        return Outcome.WARN, f"{tools}, but not the expected {_spelled(missing)}"
    if stopped is not None:
        return Outcome.WARN, f"{tools} read; {findings[0].text}"
    if findings:
        return Outcome.WARN, f"{tools}; {counted(len(findings), 'finding')}, first: {findings[0].text}"
    return Outcome.PASS, f"{tools}: {_spelled(names)}"


def _is_readable(page: Exchange) -> bool:
    return isinstance((result_of(page) or {}).get("tools"), list)


def _unreadable(page: Exchange) -> str:
    if result_of(page) is not None:
        return "the result has no array of tools"
    return f"tools/list → {answer_line(page)}"


def _is_toolless(ctx: CheckContext, page: Exchange) -> bool:
    """Whether the server says truthfully that it offers prompts or resources and no tools, and nobody expects any."""
    error, declared = error_of(page), ctx.wire.opening.capabilities
    truthful = error is None or error.code == ErrorCode.METHOD_NOT_FOUND
    offers_else = "tools" not in declared and ("prompts" in declared or "resources" in declared)
    wanted = ctx.endpoint.expected_tools or ctx.endpoint.sentinels
    return symptom_of(page) in (Symptom.ANSWERED, Symptom.RPC_ERROR) and truthful and offers_else and not wanted


def _spelled(names: Sequence[str]) -> str:
    shown = ", ".join(clean(name, 60) for name in names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
