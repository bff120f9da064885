"""Causes around the tool list: empty, not to be had, incomplete, unfit for clients.

Source: MCP, server/tools, "Listing Tools" and "Tool", and server/utilities/pagination, of each revision.
"""

from checks.detectors.scene import Scene, scene
from checks.detectors.session import is_lost_session
from checks.messages import all_tools_of, error_of, result_of
from checks.model import CheckResult, Effect, Evidence, Exchange, Outcome, Proof
from checks.proofs import answer_line, answer_proof, counted
from checks.reproduce import curl
from checks.symptoms import Symptom, first_asked
from checks.text import clean
from checks.unit import Cause, detector


@detector("tools-empty", effect=Effect.DOWN)
def tools_empty(evidence: Evidence) -> Cause | None:
    """The server lists no tools, although all else works: clients connect and find nothing to call."""
    listing = _failed_listing(evidence)
    if listing is None or not listing.facts.get("complete") or listing.facts.get("tool_count"):
        return None
    found = Scene(evidence, first_asked(listing)[-1])
    unusable = [Proof(text=clean(text, 200), exchange=found.exchange.id) for text in listing.facts["invalid"][:5]]
    pages = counted(listing.facts["pages"], "page")
    what = "entries that no client can use" if unusable else "an empty list of tools"
    return found.cause(
        0.95,
        f"tools/list answers with {what} ({pages}), while the conversation opens well.",
        "Register the tools before the server starts to answer. Look for an import that fails quietly, a registry that "
        "is filled only in `if __name__ == '__main__'`, or a feature flag or table that is empty in this environment.",
        proofs=unusable,
        alternatives=("The tools depend on the caller: then other credentials see them.",),
    )


@detector("tools-list-failed", effect=Effect.DOWN)
def tools_list_failed(evidence: Evidence) -> Cause | None:
    """The conversation opens, but the tool list cannot be had."""
    listing = _failed_listing(evidence)
    if listing is None or listing.facts.get("complete"):
        return None
    found = _unreadable_page(evidence, listing)
    if found is None or is_lost_session(evidence, found.exchange):
        return None
    error = error_of(found.exchange)
    pages = listing.facts.get("pages", 1)
    at = "" if pages == 1 else f" on page {pages}"
    return found.cause(
        0.95 if error is not None else 0.7,
        f"tools/list fails{at} while the conversation opens: {_what(found)}.",
        "Look in the server's log for what tools/list ran into: often a tool whose schema cannot be built, or a "
        "registry that is not loaded.",
    )


@detector("tools-missing", effect=Effect.DEGRADED)
def tools_missing(evidence: Evidence) -> Cause | None:
    """Tools that the owner expects, or calls as sentinels, are not listed."""
    listing = evidence.result("tools_list")
    if listing is None or not listing.facts.get("complete") or not listing.facts.get("tool_count"):
        return None
    listed = list(dict.fromkeys(tool.name for tool in all_tools_of(listing.exchanges)))
    wanted = dict.fromkeys((*evidence.endpoint.expected_tools, *(each.tool for each in evidence.endpoint.sentinels)))
    missing = [name for name in wanted if name not in listed]
    if not missing:
        return None
    last = first_asked(listing)[-1]
    names = ", ".join(clean(name, 60) for name in missing[:10])
    there = ", ".join(clean(name, 60) for name in listed[:10])
    return Cause(
        confidence=1.0,
        summary=f"{len(missing)} of {len(wanted)} expected tools not listed: {names}.",
        evidence=(answer_proof(last), Proof(text=f"{counted(len(listed), 'tool')} listed: {there}", exchange=last.id)),
        fix="Restore the tools in the server; if they were renamed or removed on purpose, correct `expected_tools` and "
        "`sentinels` of the endpoint.",
        reproduce=curl(last, insecure=not evidence.endpoint.verify_tls),
        alternatives=("The tools depend on the caller: then other credentials see them.",),
    )


@detector("tools-invalid", effect=Effect.DEGRADED)
def tools_invalid(evidence: Evidence) -> Cause | None:
    """A listed tool breaks the rules so that clients drop it, or the list never ends: tools are there and out of reach.

    Some clients drop the tool, others the whole list; a list that is merely longer than what is read is no fault.
    """
    listing = evidence.result("tools_list")
    if listing is None or not listing.facts.get("tool_count"):
        return None
    invalid, endless = listing.facts["invalid"], _endless_page(listing)
    if not invalid and endless is None:
        return None
    pages = first_asked(listing)
    shown = endless or pages[0]
    what = counted(len(invalid), "fault") + " for which clients drop a tool or the whole list"
    first = f"{what}, first: {clean(invalid[0], 200)}" if invalid else ""
    never = f"it never ends ({counted(len(pages), 'page')} read)" if endless is not None else ""
    return Scene(evidence, shown).cause(
        0.9 if invalid or listing.facts["stopped"] == "cursor-cycle" else 0.6,
        f"The list of {counted(listing.facts['tool_count'], 'tool')} is not fit for clients: "
        f"{'; '.join(each for each in (never, first) if each)}.",
        "Give every tool a name of its own and an inputSchema that is a valid JSON schema of type object: "
        '{"type": "object", "properties": {}} where it takes no arguments. Let the last page have no nextCursor, and '
        "every other page a cursor of its own.",
        proofs=tuple(Proof(text=clean(text, 200)) for text in invalid[:5]),
        alternatives=(
            "A proxy or a registry that joins several servers brings it in: then each server's own list is right.",
        ),
    )


def _endless_page(listing: CheckResult) -> Exchange | None:
    """The last page that was read of a list without end: its cursor came before, or it brings no new tool. A list that
    is merely longer than what is read is none."""
    stopped = listing.facts["stopped"]
    if stopped is None:
        return None
    *before, last = first_asked(listing)
    known = {tool.name for tool in all_tools_of(before)}
    brings_new = any(tool.name not in known for tool in all_tools_of([last]))
    return last if stopped == "cursor-cycle" or not brings_new else None


def _failed_listing(evidence: Evidence) -> CheckResult | None:
    listing = evidence.result("tools_list")
    return listing if listing is not None and listing.outcome is Outcome.FAIL and listing.exchanges else None


def _unreadable_page(evidence: Evidence, listing: CheckResult) -> Scene | None:
    """The page that could not be read, where the answer itself says why and no front door or network does."""
    last = first_asked(listing)[-1]
    if result_of(last) is not None:
        return Scene(evidence, last)
    found = scene(evidence, Symptom.RPC_ERROR, Symptom.NOT_MCP, Symptom.ROUTE_MISSING)
    return found if found is not None and found.exchange.rpc_method == "tools/list" else None


def _what(found: Scene) -> str:
    result = result_of(found.exchange)
    if result is not None:
        endless = isinstance(result.get("tools"), list)
        return "its pages hold no tools and never end" if endless else "the result has no array of tools"
    return answer_line(found.exchange)
