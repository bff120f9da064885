"""`mcp-prober baseline show|accept`: the list of tools that an endpoint's changes are measured by."""

import argparse
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.drift import Difference, difference
from checks.encode import as_json
from checks.inventory import Inventory, ListedTool
from checks.proofs import counted
from checks.text import clean
from prober.cli.database import add_database_arguments, in_database, migrated_url
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError, ExitCode
from prober.cli.person import author
from prober.storage import accepted_tools, audit
from prober.storage.accepted_tools import FIRST_SEEN, Accepted, NoSuchEndpoint, NotAccepted, ToolLists

SCHEMA_VERSION = 1

_DESCRIBED = 90

_Found = TypeVar("_Found")


def add_arguments(parser: Parser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    parser.examples = ("mcp-prober baseline show orders", "mcp-prober baseline accept orders")
    show = actions.add_parser(
        "show", help="the accepted list, and what changed since", description="Shows the accepted list of tools."
    )
    accept = actions.add_parser(
        "accept", help="accept the list that the endpoint has now", description="Measures changes by the newest list."
    )
    for each in (show, accept):
        each.add_argument("name", metavar="NAME", help="name of the endpoint")
        add_database_arguments(each)
    show.add_argument(
        "--format", choices=("text", "json"), default="text", help="form of the answer on stdout (default: %(default)s)"
    )
    accept.add_argument(
        "--fingerprint", metavar="HEX", help="accept only the list with this fingerprint, as `show` names it"
    )


def run(options: argparse.Namespace) -> int:
    url = migrated_url(options)
    return _accept(url, options) if options.action == "accept" else _show(url, options)


def text(name: str, lists: ToolLists) -> str:
    """The lists of an endpoint for a person."""
    return "\n".join(_lines(name, lists))


def document(name: str, lists: ToolLists) -> str:
    """The lists of an endpoint for machines."""
    candidate = lists.candidate
    changes = _changes(lists)
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "endpoint": as_json(name),
            "accepted": None if lists.accepted is None else as_json(lists.accepted),
            "accepted_at": as_json(lists.accepted_at),
            "accepted_by": as_json(lists.accepted_by) or None,
            "candidate": None if candidate is None else as_json(candidate),
            "changes": as_json(changes.changes),
            "changes_are_all": changes.is_whole,
        },
        indent=2,
    )


def _show(url: str, options: argparse.Namespace) -> int:
    lists = _in_database(url, lambda db: accepted_tools.known(db, options.name))
    print(document(options.name, lists) if options.format == "json" else text(options.name, lists))
    return ExitCode.UP


def _accept(url: str, options: argparse.Namespace) -> int:
    async def accepting(db: AsyncEngine) -> Accepted:
        who = author()
        async with db.begin() as connection:
            done = await accepted_tools.accept(connection, options.name, by=who.name, fingerprint=options.fingerprint)
            if done.is_news:
                detail = {"fingerprint": done.inventory.fingerprint}
                await audit.note(connection, who, "baseline.accept", options.name, detail)
            return done

    accepted = _in_database(url, accepting)
    already = "" if accepted.is_news else " already: nothing has changed"
    print(f"{clean(options.name, 60)}: changes are measured by {_named(accepted.inventory)}{already}")
    return ExitCode.UP


def _in_database(url: str, work: Callable[[AsyncEngine], Awaitable[_Found]]) -> _Found:
    try:
        return in_database(url, work)
    except NoSuchEndpoint as missing:
        raise CommandError(str(missing), "mcp-prober endpoints lists those that are") from None
    except NotAccepted as refused:
        raise CommandError(str(refused), "see: mcp-prober baseline show NAME") from None


def _lines(name: str, lists: ToolLists) -> Iterator[str]:
    accepted, candidate = lists.accepted, lists.candidate
    if accepted is None:
        yield f"{clean(name, 60)}: no list of tools is accepted yet; the first that probes agree on will be"
    else:
        when = "" if lists.accepted_at is None else f" since {lists.accepted_at:%Y-%m-%d %H:%M:%SZ}"
        by = "as the first one seen" if lists.accepted_by == FIRST_SEEN else f"by {clean(lists.accepted_by, 100)}"
        yield f"{clean(name, 60)}: {_named(accepted)}, accepted {by}{when}"
        for tool in accepted.tools:
            yield f"  {_tool(tool)}"
    if candidate is not None:
        yield f"the newest list is {_named(candidate)}"
        for change in _changes(lists).changes:
            yield f"  {change.line}"
        yield f"accept it with: mcp-prober baseline accept NAME --fingerprint {candidate.fingerprint}"


def _changes(lists: ToolLists) -> Difference:
    if lists.accepted is None or lists.candidate is None:
        return Difference()
    return difference(lists.accepted, lists.candidate)


def _named(inventory: Inventory) -> str:
    return f"{counted(len(inventory.tools), 'tool')}, fingerprint {inventory.fingerprint}"


def _tool(tool: ListedTool) -> str:
    definition: Any = tool.definition or {}
    said = clean(str(definition.get("description", "")), _DESCRIBED)
    return f"{clean(tool.name, 128)}  {said}".rstrip()
