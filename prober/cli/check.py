"""`mcp-prober check`: probes at the prompt, or as the last step of a deployment."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from checks.costs import COSTS, TO_FIND
from checks.model import Endpoint, Failure, OnRequest, ProbeReport, Profile
from prober import values
from prober.app.smoke import PASSING, Demands, FailOn, Run, inventory_of_report
from prober.cli.arguments import (
    DEFAULT_FULL_TIMEOUT_S,
    LONGEST_TIMEOUT_S,
    add_connection_arguments,
    add_question_arguments,
    expected_tools,
)
from prober.cli.credentials import Arguments, add_credential_arguments, checked
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError, ExitCode
from prober.cli.files import attempt, refuse_unwritable, write
from prober.cli.interrupting import ending_at_once
from prober.cli.outcome import exit_of
from prober.cli.progress import progress
from prober.cli.reports import add_report_arguments, deliver, outputs_from
from prober.cli.selection import add_selection_arguments, selection_from

USAGE: Final = """\
%(prog)s URL... [OPTION...]
       %(prog)s --config FILE {NAME...|--label K=V|--all} [OPTION...]"""

EXAMPLES: Final = (
    "mcp-prober check https://abc123.lambda-url.eu-central-1.on.aws/mcp",
    """mcp-prober check URL --bearer env:TOKEN --sentinel find --args '{"id": 7}'""",
    "mcp-prober check URL --wait 120s --passes 3 --report junit=mcp.xml",
    "mcp-prober check --config prober.yaml --label team=shop --format json",
)

EPILOG: Final = """\
profiles, and about how many requests each takes (up to {to_find} of them to find
out how the server wants to be spoken to; more for further pages of tools):
  quick     {quick}: the opening and the list of tools
  standard  {standard}: also calls each --sentinel, one request more for each
  full      {full}: also whether capabilities, versions, headers, order,
            session and credentials are as specified, what browsers may do, and
            which clients can connect. Much of that is refused on purpose: it
            counts as 4xx in the server's metrics. Default --timeout: {timeout_s:g}

exit codes: 0 passed, 1 failed, 2 usage or configuration, 3 we could not observe
all that was asked for, 4 credentials are refused or missing, 5 passed with
warnings under --strict. Of several endpoints the worst decides: 1, then 4, 3
and 5.
"""

LONGEST_WAIT_S: Final = 3600.0
LEAST_WAIT_S: Final = 0.001
MOST_PASSES: Final = 100
MOST_AT_ONCE: Final = 100
PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")
NO_CANARY: Final = "none"
ENDS_WITHIN_S: Final = 0.7
"""How long what runs may take to end after Ctrl-C."""

_UNCONNECTED: Final = frozenset({Failure.DNS, Failure.CONNECT, Failure.DEADLINE})

_Found = TypeVar("_Found")


def add_arguments(parser: Parser) -> None:
    parser.usage = USAGE
    add_selection_arguments(parser.add_argument_group("which servers", "such as: --config prober.yaml orders billing"))
    asked = parser.add_argument_group(
        "what they are asked", """such as: --sentinel find --args '{"id": 7}' --expect '{"text": "shipped"}'"""
    )
    asked.add_argument(
        "--profile",
        choices=[profile.value for profile in Profile],
        default=Profile.STANDARD.value,
        help="how much is asked, see below (default: %(default)s)",
    )
    add_question_arguments(asked)
    _add_demand_arguments(
        parser.add_argument_group(
            "what passes", "such as: --wait 120s --passes 3 --answer-within 2s --expect-version 1.4"
        )
    )
    add_credential_arguments(
        parser.add_argument_group("credentials, each secret by reference", "such as: --bearer env:MCP_TOKEN")
    )
    add_connection_arguments(
        parser.add_argument_group("connection", "such as: --era handshake --transport streamable-http --timeout 30s")
    )
    reports = parser.add_argument_group("reports", "such as: --report junit=reports/mcp.xml --bundle mcp.zip")
    add_report_arguments(reports)
    reports.add_argument(
        "--bundle",
        metavar="FILE",
        type=Path,
        help="write a ZIP file with all evidence for a bug report, without secrets",
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    costs = {profile.value: _requests(profile) for profile in Profile}
    parser.epilog = EPILOG.format(timeout_s=DEFAULT_FULL_TIMEOUT_S, to_find=TO_FIND, **costs)
    parser.examples = EXAMPLES


def _add_demand_arguments(parser: Arguments) -> None:
    parser.add_argument(
        "--wait",
        metavar="TIME",
        help="ask again until it passes, for so long at most, such as 120s; all ends by then (default: ask once)",
    )
    parser.add_argument(
        "--passes", metavar="N", default="1", help="so many probes in a row must pass (default: %(default)s)"
    )
    parser.add_argument(
        "--cold",
        metavar="N",
        default="0",
        help="send N requests at once, for which Lambda starts new instances (default: none)",
    )
    parser.add_argument("--expect-version", metavar="VERSION", help="fail unless the server's version begins so")
    parser.add_argument(
        "--answer-within",
        metavar="TIME",
        help="fail where an answer that clients wait for takes longer to begin, such as 2s; cold starts count as well",
    )
    parser.add_argument("--baseline", metavar="FILE", type=Path, help="fail where the tools are not those of the file")
    parser.add_argument(
        "--save-baseline", metavar="FILE", type=Path, help="write the tools of what passes to a file for --baseline"
    )
    parser.add_argument(
        "--fail-on",
        choices=[each.value for each in FailOn],
        default=FailOn.DEGRADED.value,
        help="from where on it has failed (default: %(default)s)",
    )
    parser.add_argument("--strict", action="store_true", help="end with 5 where it passed with warnings")
    parser.add_argument(
        "--canary",
        metavar="HOST:PORT",
        action="append",
        default=[],
        help="a place that this machine reaches whenever its network works: where none answers, a lost connection says "
        "nothing of the endpoint and ends with 3 (repeatable; `none`: each counts as the endpoint's)",
    )


def run(options: argparse.Namespace) -> int:
    if options.profile == Profile.QUICK and (options.sentinel or options.streaming is not None):
        raise CommandError("--profile quick calls no tools", "leave out --sentinel and --streaming, or take standard")
    for option, path in (("--save-baseline", options.save_baseline), ("--bundle", options.bundle)):
        if path is not None:
            refuse_unwritable(option, path)
    demands, canaries, outputs = _demands(options), _canaries(options.canary), outputs_from(options, os.environ)
    selection = selection_from(options)
    with ending_at_once():
        from prober.app.once import examine  # here, because the import of the engine is most of the start-up time

    with progress(selection.endpoints) as tell:
        found = interruptible(
            examine(selection.endpoints, demands, settings=selection.settings, canaries=canaries, tell=tell)
        )
    steps = [partial(deliver, found, outputs), partial(_say_unused_proxy, found)]
    if options.bundle is not None:
        steps.append(partial(_save_bundle, options.bundle, found))
    if options.save_baseline is not None:
        steps.append(partial(_save_baseline, options.save_baseline, found))
    attempt(steps)
    return exit_of(found)


def _say_unused_proxy(found: Run) -> None:
    if (proxy := unused_proxy(found, os.environ)) is not None:
        print(
            f"{proxy} is set and not used: the prober connects by itself, as a client without a proxy", file=sys.stderr
        )


def _save_bundle(path: Path, found: Run) -> None:
    from prober.cli.bundle import bundle

    write(path, bundle(found))


def unused_proxy(found: Run, env: Mapping[str, str]) -> str | None:
    """The variable that names a proxy, where no connection came about to an endpoint that is meant to be behind it."""
    lost = (
        urlsplit(each.url).hostname or ""
        for one in found.examined
        if one.report is not None
        for each in one.report.opening.exchanges
        if each.transport_error is not None
        and each.transport_error.failure in _UNCONNECTED
        and each.timings.connect_ms is None
    )
    if not any(host != "localhost" and not host.startswith(("127.", "::1")) for host in lost):
        return None
    return next((each for each in PROXIES if env.get(each)), None)


def probe(endpoint: Endpoint, profile: Profile) -> ProbeReport:
    """One probe of one endpoint."""
    with ending_at_once():
        from prober.app.once import probe_once

    return asyncio.run(probe_once(endpoint, profile=profile))


def interruptible(work: Coroutine[Any, Any, _Found]) -> _Found:
    """What the work comes to. Ctrl-C ends it, and the process soon after, whatever still hangs.

    Raises KeyboardInterrupt.
    """

    async def main() -> _Found:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)

        def end() -> None:
            task.cancel()
            loop.call_later(ENDS_WITHIN_S, os._exit, int(ExitCode.INTERRUPTED))

        loop.add_signal_handler(signal.SIGINT, end)
        return await task

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _demands(options: argparse.Namespace) -> Demands:
    cold = _count("--cold", options.cold, 0, MOST_AT_ONCE)
    if cold and OnRequest.COLD_STARTS in options.ask:
        raise CommandError("--cold and --ask cold-starts ask for the same", "keep --cold, which says how many")
    if options.baseline is not None and options.save_baseline is not None:
        raise CommandError("--baseline compares and --save-baseline writes anew", "do one after the other")
    wait_s = None if options.wait is None else float(checked("--wait", values.duration_s, options.wait))
    if wait_s is not None and not 1 <= wait_s <= LONGEST_WAIT_S:
        raise CommandError("--wait is out of range", "1 second to 1 hour")
    version = options.expect_version
    return Demands(
        profile=Profile(options.profile),
        passes=_count("--passes", options.passes, 1, MOST_PASSES),
        wait_s=wait_s,
        cold=cold,
        tools=expected_tools(options),
        version=None if version is None else checked("--expect-version", values.server_version, version),
        answer_within_s=_answer_within(options.answer_within),
        baseline=None if options.baseline is None else _baseline(options.baseline),
        fail_on=FailOn(options.fail_on),
        strict=options.strict,
    )


def _answer_within(written: str | None) -> float | None:
    if written is None:
        return None
    seconds = float(checked("--answer-within", values.duration_s, written))
    if not LEAST_WAIT_S <= seconds <= LONGEST_TIMEOUT_S:
        raise CommandError("--answer-within is out of range", "1 millisecond to 15 minutes, such as 800ms or 2s")
    return seconds


def _canaries(given: Sequence[str]) -> tuple[str, ...] | None:
    """None: those of the configuration, or a few public ones for public endpoints."""
    if NO_CANARY in given:
        if len(given) > 1:
            raise CommandError("--canary none is for no other beside it", "leave out one of the two")
        return ()
    return tuple(dict.fromkeys(checked("--canary", values.host_port, each) for each in given)) or None


def _count(option: str, written: str, least: int, most: int) -> int:
    if not (written.isascii() and written.isdigit() and least <= int(written[:9]) <= most):
        raise CommandError(f"{option} is no number from {least} to {most}", f"such as {option} 3")
    return int(written)


def _baseline(path: Path) -> Any:
    from prober.app.baseline_file import LARGEST, BaselineUnusable, read

    try:
        if path.stat().st_size > LARGEST:
            raise CommandError(f"{path} is too large for a baseline", "save it anew with --save-baseline")
        return read(path.read_bytes())
    except OSError as error:
        hint = "write it first with --save-baseline"
        raise CommandError(f"{path} cannot be read: {error.strerror}", hint) from None
    except BaselineUnusable as unusable:
        raise CommandError(f"{path} {unusable}") from None


def _save_baseline(path: Path, found: Run) -> None:
    """What did not pass is nothing to measure by: then the file stays as it is."""
    from prober.app.baseline_file import Saved, written

    saved = []
    for each in found.examined:
        inventory = None if each.report is None else inventory_of_report(each.endpoint, each.report)
        if each.conclusion not in PASSING or each.report is None or inventory is None:
            print(f"{path} is not written: the list of {each.endpoint.name} is no measure yet", file=sys.stderr)
            if exit_of(found) is ExitCode.UP:
                raise CommandError("the tools were not read to their end", code=ExitCode.UNOBSERVED)
            return
        opening = each.report.opening
        saved.append(
            Saved(
                name=each.endpoint.name,
                url=each.endpoint.url,
                server=opening.server_name,
                server_version=opening.server_version,
                inventory=inventory,
            )
        )
    write(path, f"{written(saved, found.started_at)}\n".encode())


def _requests(profile: Profile) -> str:
    counts = [each[profile].requests for each in COSTS.values()]
    return f"{min(counts)} to {max(counts) + TO_FIND}"
