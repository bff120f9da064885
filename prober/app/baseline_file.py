"""Lists of tools in a file beside the code: what a pipeline compares a deployment with.

The form is versioned. Tools are compared by the rules of drift (`checks.drift`); here every difference counts, because
a file that no longer says what is deployed would let the next change pass as an old one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from checks.drift import Impact, difference
from checks.encode import as_json
from checks.inventory import TOOLS_KEPT, Inventory, ListedTool, fingerprint_of
from checks.model import CheckResult, Finding, Outcome
from checks.proofs import counted, listed
from checks.text import clean, shown_url

KIND: Final = "mcp-prober baseline"
SCHEMA_VERSION: Final = 1
LARGEST: Final = 64 << 20
"""Bytes of a file that are read."""
_LINES: Final = 12
_ANEW: Final = "save it anew with --save-baseline"


class BaselineUnusable(Exception):
    """A file is no baseline, or one that this release cannot read. The text says which, and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The list of tools of one endpoint, and whose it is."""

    name: str
    url: str
    server: str | None
    """Its own name for itself."""
    server_version: str | None
    inventory: Inventory | None
    """None where it was not read to its end, or different lists took turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineFile:
    """What a file holds."""

    saved_at: str
    endpoints: tuple[Saved, ...]

    def entry_for(self, now: Saved) -> Saved | None:
        """That of the same address; else the one of that name; else the only one, where the server calls itself alike:
        so what was saved at a test stage holds for the next one."""
        address = shown_url(now.url)
        for same in (
            [each for each in self.endpoints if each.url == address],
            [each for each in self.endpoints if each.name == now.name],
            [each for each in self.endpoints if len(self.endpoints) == 1 and each.server == now.server is not None],
        ):
            if same:
                return same[0]
        return None


def written(endpoints: Iterable[Saved], at: datetime) -> str:
    """The text of a file that holds these lists, each of which was read to its end."""
    return json.dumps(
        {
            "kind": KIND,
            "schema_version": SCHEMA_VERSION,
            "saved_at": at.isoformat(timespec="seconds"),
            "endpoints": [_entry(each) for each in endpoints],
        },
        indent=2,
        sort_keys=True,
    )


def read(content: bytes) -> BaselineFile:
    """What the bytes of a file say. Raises BaselineUnusable."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise BaselineUnusable(f"is no JSON: {_ANEW}") from None
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise BaselineUnusable(f"is no baseline of mcp-prober: {_ANEW}")
    if data.get("schema_version") != SCHEMA_VERSION:
        version = clean(str(data.get("schema_version")), 20)
        raise BaselineUnusable(f"is of version {version}, and this release reads {SCHEMA_VERSION}: {_ANEW}")
    try:
        entries = tuple(_saved(each) for each in data["endpoints"])
        return BaselineFile(saved_at=clean(str(data["saved_at"]), 40), endpoints=entries)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise BaselineUnusable(f"is damaged: {_ANEW}") from None


def compared(baseline: BaselineFile, now: Saved) -> CheckResult:
    """Whether an endpoint still lists what the file says."""
    if now.inventory is None:
        return _result(Outcome.SKIP, "the tools were not read to their end, or different lists took turns")
    entry = baseline.entry_for(now)
    if entry is None or entry.inventory is None:
        of = listed([clean(each.name, 60) for each in baseline.endpoints[:5]]) or "nobody"
        server = clean(now.server or "without a name", 60)
        return _result(Outcome.FAIL, f"the file holds no list of this endpoint (server {server}): it is of {of}")
    found = difference(entry.inventory, now.inventory)
    if not found.changes:
        return _result(Outcome.PASS, f"{counted(len(now.inventory.tools), 'tool')} as saved at {baseline.saved_at}")
    counts = {impact: found.count(impact) for impact in Impact}
    said = listed([f"{number} {impact}" for impact, number in counts.items() if number])
    stale = "" if counts[Impact.BREAKING] else f"; nobody is hurt, but the file is stale: {_ANEW}"
    findings = tuple(Finding(text=each.line) for each in found.changes[:_LINES])
    more = len(found.changes) - _LINES
    if more > 0:
        findings = (*findings, Finding(text=f"and {more} more"))
    changed = counted(len(found.changes), "change")
    facts = {"changes": as_json(found.changes), "is_whole": found.is_whole}
    return _result(Outcome.FAIL, f"{changed} since {baseline.saved_at} ({said}){stale}", findings, facts)


def _result(
    outcome: Outcome, summary: str, findings: tuple[Finding, ...] = (), facts: Mapping[str, Any] | None = None
) -> CheckResult:
    return CheckResult(check="baseline", outcome=outcome, summary=summary, findings=findings, facts=facts or {})


def _entry(saved: Saved) -> dict[str, Any]:
    assert saved.inventory is not None
    return {
        "name": as_json(saved.name),
        "url": shown_url(saved.url),
        "server": as_json(saved.server),
        "server_version": as_json(saved.server_version),
        "fingerprint": saved.inventory.fingerprint,
        "tools": as_json(saved.inventory.tools),
    }


def _saved(entry: Mapping[str, Any]) -> Saved:
    """One entry. Raises KeyError, TypeError or ValueError for one that nobody here has written."""
    server, version = entry["server"], entry["server_version"]
    return Saved(
        name=_text(entry["name"]),
        url=_text(entry["url"]),
        server=None if server is None else _text(server),
        server_version=None if version is None else _text(version),
        inventory=Inventory(fingerprint=_text(entry["fingerprint"]), tools=_tools(entry["tools"])),
    )


def _tools(tools: Sequence[Mapping[str, Any]]) -> tuple[ListedTool, ...]:
    if len(tools) > TOOLS_KEPT:
        raise ValueError("more tools than are ever kept")
    return tuple(_tool(each) for each in tools)


def _tool(tool: Mapping[str, Any]) -> ListedTool:
    fingerprint, definition = _text(tool["fingerprint"]), tool["definition"]
    if definition is not None and fingerprint_of(definition) != fingerprint:
        raise ValueError("a definition was edited by hand")
    return ListedTool(name=_text(tool["name"]), fingerprint=fingerprint, definition=definition)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
