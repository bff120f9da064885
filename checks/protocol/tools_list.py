"""The tool list, page by page: what clients and models see of the server."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from checks.messages import Tool, all_tools_of, error_of, next_cursor_of, result_of, tools_of
from checks.model import CheckResult, Exchange, Finding, Outcome
from checks.proofs import answer_line, counted
from checks.spec import ErrorCode, section
from checks.symptoms import Symptom, symptom_of
from checks.text import clean
from checks.timing import elapsed_ms
from checks.unit import CheckContext, check
from checks.wire import Wire

PAGE_CAP: Final = 50
ITEM_CAP: Final = 5000
NAMES_KEPT: Final = 1000
NAME_KEPT: Final = 128
"""The length that the specification recommends (2025-11-25, server/tools, "Tool Names")."""
_NAMED: Final = 10
"""Names that a summary spells out."""

_PROBLEMS_KEPT: Final = 100

_RULE: Final = section("2025-11-25", "server/tools", "data-types")


@check("tools_list")
async def tools_list(ctx: CheckContext) -> CheckResult:
    """Does the server list its tools, all pages of them, and are those that the owner expects among them?

    At most `PAGE_CAP` pages and `ITEM_CAP` tools are read, and a cursor that comes back ends the reading.
    Facts: `tools` (the first `NAMES_KEPT` names, each cut at `NAME_KEPT`, for reading; who judges reads the
    exchanges), `tool_count` (of all), `pages`, `complete` (every page was read), `invalid` (entries that clients drop,
    each with the reason), `missing` (expected but not listed).
    """
    if not ctx.wire.opening.established:
        return CheckResult(check="tools_list", outcome=Outcome.SKIP, summary="not asked: no conversation is open")
    pages, stopped = await read_pages(ctx.wire)
    last = pages[-1]
    tools = all_tools_of(pages)
    invalid = _invalid(pages, tools)
    names = list(dict.fromkeys(tool.name for tool in tools))
    missing = [name for name in ctx.endpoint.expected_tools if name not in names]
    readable = isinstance((result_of(last) or {}).get("tools"), list)
    if not names and not invalid and _is_toolless(ctx, last):
        outcome, summary = Outcome.SKIP, "the server declares no tools, only other capabilities"
    elif not readable:
        outcome, summary = Outcome.FAIL, _unreadable(last)
    else:
        outcome, summary = _outcome(names, invalid, missing, stopped)
    return CheckResult(
        check="tools_list",
        outcome=outcome,
        summary=summary,
        ms=elapsed_ms(pages),
        exchanges=tuple(pages),
        findings=tuple(Finding(text=text, rule=_RULE) for text in (*invalid, *([stopped] if stopped else []))),
        facts={
            "tools": [name[:NAME_KEPT] for name in names[:NAMES_KEPT]],
            "tool_count": len(names),
            "pages": len(pages),
            "complete": readable and stopped is None,
            "invalid": invalid,
            "missing": missing,
        },
    )


async def read_pages(wire: Wire) -> tuple[list[Exchange], str | None]:
    """The pages, at least one, and why reading stopped before the end of the list where it did."""
    pages = [await wire.request("tools/list")]
    seen: set[str] = set()
    count = len(tools_of(pages[0]))
    while (cursor := next_cursor_of(pages[-1])) is not None:
        if cursor in seen:
            return pages, f"the cursor “{clean(cursor, 60)}” comes back: the list never ends"
        if len(pages) >= PAGE_CAP or count >= ITEM_CAP:
            return pages, f"the list goes on after {counted(len(pages), 'page')} with {counted(count, 'tool')}"
        seen.add(cursor)
        pages.append(await wire.request("tools/list", {"cursor": cursor}))
        count += len(tools_of(pages[-1]))
    return pages, None


def _outcome(
    names: Sequence[str], invalid: Sequence[str], missing: Sequence[str], stopped: str | None
) -> tuple[Outcome, str]:
    if not names:
        return Outcome.FAIL, "the list has no tool that a client could use" if invalid else "the list is empty"
    tools = counted(len(names), "tool")
    if missing:
        return Outcome.WARN, f"{tools}, but not the expected {_spelled(missing)}"
    if stopped is not None:
        return Outcome.WARN, f"{tools} read; {stopped}"
    if invalid:
        return Outcome.WARN, f"{tools}; {counted(len(invalid), 'violation')} of the rules for tools"
    return Outcome.PASS, f"{tools}: {_spelled(names)}"


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


def _invalid(pages: Sequence[Exchange], tools: Sequence[Tool]) -> list[str]:
    """Entries that break a MUST, in words. The charset of names is a SHOULD and counts for nothing here."""
    problems: list[str] = []
    for page in pages:
        listed = (result_of(page) or {}).get("tools")
        nameless = len(listed) - len(tools_of(page)) if isinstance(listed, list) else 0
        if nameless:
            problems.append(f"{counted(nameless, 'tool')} without a name")
    for name, count in Counter(tool.name for tool in tools).items():
        if count > 1:
            problems.append(f"{clean(name, 80)} is listed {count} times")
    for tool in tools:
        schema = tool.raw.get("inputSchema")
        if not isinstance(schema, Mapping) or schema.get("type") != "object":
            problems.append(f'{clean(tool.name, 80)} has no inputSchema of type "object"')
    return problems[:_PROBLEMS_KEPT]


def _spelled(names: Sequence[str]) -> str:
    shown = ", ".join(clean(name, 60) for name in names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
