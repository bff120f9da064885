"""`mcp-prober discover`: the MCP servers of an AWS account, with what their live configuration shows."""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence

from checks.proofs import counted
from checks.text import clean
from prober import values
from prober.cli.credentials import checked
from prober.cli.database import add_database_arguments
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError, ExitCode
from prober.cli.findings import JSON_VERSION, as_json, exit_code, in_words, lines_of
from prober.cli.progress import working
from prober.cli.registering import register
from prober.cli.starter_file import scalar
from prober.endpoints.aws_asking import Account, CannotDiscover, RegionClients, smallest_policy
from prober.endpoints.aws_discovery import ACTIONS, MOST_FUNCTIONS, NOT_SEEN, Discovery, Server, Wanted
from prober.endpoints.aws_regions import discover_all


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "--region",
        metavar="REGION",
        action="append",
        default=[],
        help="where to look (repeatable; default: AWS_REGION)",
    )
    parser.add_argument(
        "--tag", metavar="KEY[=VALUE]", action="append", default=[], help="only functions with this tag (repeatable)"
    )
    parser.add_argument(
        "--name", metavar="PATTERN", action="append", default=[], help="only functions so named, such as 'orders-*'"
    )
    parser.add_argument(
        "--all", action="store_true", help="also functions of which nothing says that they are MCP servers"
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "config"),
        default="text",
        help="form of what is found on stdout; config: endpoints for a configuration file (default: %(default)s)",
    )
    parser.add_argument(
        "--policy", action="store_true", help="print the IAM policy that discovery needs, and ask nothing"
    )
    parser.add_argument(
        "--register",
        action="store_true",
        help="watch what is found: write it to the database of a prober, among the endpoints that people keep there",
    )
    add_database_arguments(parser)
    parser.add_argument("--strict", action="store_true", help="exit with 5 where there are warnings and no errors")
    parser.examples = (
        "mcp-prober discover --region eu-central-1",
        "mcp-prober discover --region eu-central-1 --tag mcp:probe=true --format config",
        "mcp-prober discover --region eu-central-1 --name 'orders-*' --register",
    )
    parser.epilog = (
        "Only reads, through the AWS credentials of this process. Exit codes: 0 nothing wrong, 1 errors were found, "
        "3 something could not be looked at, 5 warnings under --strict."
    )


def run(options: argparse.Namespace) -> int:
    if "" in options.name:
        raise CommandError("--name is empty", "such as --name 'orders-*', or leave it out")
    wanted = Wanted(names=tuple(options.name), tags=_tags(options.tag), everything=options.all)
    regions = _regions(options.region)
    if options.policy:
        print(smallest_policy(ACTIONS, regions[0] if len(regions) == 1 else "*"))
        return ExitCode.UP
    if not regions:
        raise CommandError("no Region is named", "add --region, such as --region eu-central-1, or set AWS_REGION")
    account = Account()
    try:
        with working("looking") as say:
            found = discover_all(
                regions,
                wanted,
                lambda region: RegionClients(region, account),
                lambda left: say(f"looking at the functions and their addresses in {', '.join(left)}"),
            )
    except CannotDiscover as error:
        raise CommandError(str(error), code=ExitCode.UNOBSERVED) from None
    if options.register:
        print("\n".join(_unseen(found)), file=sys.stderr, end="")
        print("\n".join(register(options, _named(found))) or "no MCP server was found, and none is registered")
        return outcome(found, strict=options.strict)
    forms = {"text": plain_text, "config": configuration_text, "json": as_document}
    print(forms[options.format](found))
    return outcome(found, strict=options.strict)


def outcome(found: Sequence[Discovery], *, strict: bool) -> int:
    """The exit code: what could not be looked at outweighs warnings, and errors outweigh it."""
    code = exit_code((each for one in found for each in one.findings), strict=strict)
    partial = any(_is_partial(each) for each in found)
    return ExitCode.UNOBSERVED if partial and code != ExitCode.NOT_UP else code


def _regions(given: Sequence[str]) -> list[str]:
    usual = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    regions = list(dict.fromkeys(given)) or ([usual] if usual else [])
    return [str(checked("--region", values.aws_name, each)) for each in regions]


def _tags(given: Sequence[str]) -> dict[str, str | None]:
    tags: dict[str, str | None] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not key or len(key) > 128 or len(value) > 256:
            raise CommandError("--tag wants KEY or KEY=VALUE", "such as --tag mcp:probe=true")
        tags[key] = value if equals else None
    return tags


def plain_text(found: Sequence[Discovery]) -> str:
    """A table of servers, the findings about them, and what was not or cannot be seen."""
    servers = [each for one in found for each in one.servers]
    lines = [*_table(servers)] if servers else [_nothing(found)]
    findings = [each for one in found for each in one.findings]
    for one in found:
        for each in one.findings:
            lines += ["", *lines_of(each, one.region)]
    lines += ["", *_unseen(found), "What discovery cannot see:", *(f"  {each}" for each in NOT_SEEN)]
    addresses = "1 address" if len(servers) == 1 else f"{len(servers)} addresses"
    partial = [one.region for one in found if _is_partial(one)]
    blind = f"; not all was seen of {', '.join(partial)}" if partial else ""
    return "\n".join([*lines, "", f"{addresses}: {in_words(findings) if findings else 'no findings'}{blind}"])


def _is_partial(one: Discovery) -> bool:
    return bool(one.unseen or one.skipped or one.failed)


def _nothing(found: Sequence[Discovery]) -> str:
    if any(_is_partial(one) for one in found):
        return "No MCP server was found in what could be looked at."
    return "No MCP server was found; --all shows every function with an address."


def _table(servers: Sequence[Server]) -> Iterator[str]:
    head = ("FUNCTION", "REGION", "DOOR", "ACCESS", "URL")
    rows = [
        (
            clean(each.function, 64),
            each.region,
            each.door,
            _access(each),
            each.url + (" (path guessed)" if each.guessed else ""),
        )
        for each in servers
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head) - 1)]
    for row in (head, *rows):
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])


def _access(server: Server) -> str:
    """Who may ask, as far as it was seen: authorizers are not looked at."""
    if server.signed:
        return "AWS signature"
    return "public" if server.door == "Function URL" else "not told"


def _unseen(found: Sequence[Discovery]) -> Iterator[str]:
    """What was not looked at and why, and one policy for all that was denied."""
    for one in found:
        if one.failed is not None:
            yield f"{one.region}: not looked at: {one.failed}"
        if one.skipped:
            left = counted(one.skipped, "function")
            yield f"{one.region}: {left} beyond the first {MOST_FUNCTIONS} not looked at: use --name or --tag"
        for each in one.unseen:
            yield f"{one.region}: not seen: {each.call}: {each.why}"
    denied = [(one.region, each.action) for one in found for each in one.unseen if each.action is not None]
    if denied:
        regions = {region for region, _ in denied}
        policy = smallest_policy((action for _, action in denied), denied[0][0] if len(regions) == 1 else "*")
        yield "The smallest policy that lets it be seen:"
        yield from (f"  {line}" for line in policy.splitlines())
    if any(_is_partial(one) for one in found):
        yield ""


def configuration_text(found: Sequence[Discovery]) -> str:
    """Endpoints for a configuration file; what was not seen stands in comments."""
    kept = _named(found)
    comments = [f"# {line}".rstrip() for line in _unseen(found)]
    if not kept:
        return "\n".join([*comments, "# No MCP server was found.", "endpoints: []"])
    lines = [*comments, "endpoints:"]
    for each, name in kept:
        lines += [
            f"  - name: {scalar(name)}",
            f"    url: {scalar(each.url)}" + ("  # the path is a guess" if each.guessed else ""),
            *(["    auth: {sigv4: true}"] if each.signed else []),
            "    labels:",
            f"      function: {scalar(clean(each.function, 100))}",
            f"      region: {scalar(each.region)}",
        ]
    return "\n".join(lines)


def _named(found: Sequence[Discovery]) -> list[tuple[Server, str]]:
    """What clients use, each with a name of its own: a function behind CloudFront is asked there."""
    servers = [each for one in found for each in one.servers]
    behind_cloudfront = {(each.region, each.function) for each in servers if each.door == "CloudFront"}
    names: set[str] = set()
    return [
        (each, _name(each, names))
        for each in servers
        if each.door == "CloudFront" or (each.region, each.function) not in behind_cloudfront
    ]


def _name(server: Server, taken: set[str]) -> str:
    """A name that no other endpoint has."""
    wished = re.sub(r"[^A-Za-z0-9._-]+", "-", server.function).strip("-._")[:80] or "endpoint"
    name, number = wished, 1
    while name in taken:
        number += 1
        name = f"{wished}-{number}"
    taken.add(name)
    return name


def as_document(found: Sequence[Discovery]) -> str:
    """What was found, as JSON."""
    document = {
        "version": JSON_VERSION,
        "regions": [
            {
                "region": one.region,
                "servers": [
                    {
                        "function": clean(each.function, 200),
                        "door": each.door,
                        "url": each.url,
                        "path_guessed": each.guessed,
                        "signed": each.signed,
                    }
                    for each in one.servers
                ],
                "findings": [as_json(each) for each in one.findings],
                "unseen": [{"call": each.call, "why": each.why, "action": each.action} for each in one.unseen],
                "skipped": one.skipped,
                "failed": one.failed,
            }
            for one in found
        ],
        "cannot_see": list(NOT_SEEN),
    }
    return json.dumps(document, indent=2)
