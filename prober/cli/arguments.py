"""What `check` and `init` ask about an endpoint on the command line."""

import argparse
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from checks.model import Endpoint, Expectation, OnRequest, Profile, Sentinel
from checks.spec import Era, Transport
from checks.text import clean
from prober import values
from prober.cli.credentials import Arguments, checked, credentials_from
from prober.cli.errors import CommandError

DEFAULT_TIMEOUT_S: Final = 15.0
"""Longer than a monitor's: after a deployment the first request meets a cold start."""
DEFAULT_FULL_TIMEOUT_S: Final = 60.0
LONGEST_TIMEOUT_S: Final = 900.0
_HIGHEST_PORT: Final = 65535


def add_connection_arguments(parser: Arguments) -> None:
    """How to speak to an endpoint that is named by its address."""
    parser.add_argument(
        "--transport",
        choices=("auto", *(transport.value for transport in Transport)),
        default="auto",
        help="pin the transport (default: %(default)s)",
    )
    parser.add_argument(
        "--era",
        choices=("auto", *(era.value for era in Era)),
        default="auto",
        help="pin the era of MCP: handshake up to 2025-11-25, stateless since 2026-07-28 (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        metavar="S",
        help=f"deadline of one whole probe, in seconds or such as 1m (default: {DEFAULT_TIMEOUT_S:g})",
    )
    parser.add_argument("--insecure", action="store_true", help="do not verify the certificate")


def add_question_arguments(parser: Arguments) -> None:
    """What is asked beyond the opening and the list of tools."""
    _add_sentinel_arguments(parser)
    parser.add_argument(
        "--expect-tool", metavar="TOOL", action="append", default=[], help="fail unless it is listed (repeatable)"
    )
    parser.add_argument(
        "--streaming",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether events must arrive one by one (default: only judged where it is plain)",
    )
    parser.add_argument(
        "--ask",
        choices=[each.value for each in OnRequest],
        action="append",
        default=[],
        help="with --profile full, also ask what makes the server hold or start something (repeatable)",
    )
    parser.add_argument(
        "--origin",
        metavar="ORIGIN",
        action="append",
        default=[],
        help="with --profile full, ask as a browser does for a page of this origin (repeatable)",
    )


def _add_sentinel_arguments(parser: Arguments) -> None:
    parser.add_argument(
        "--sentinel",
        metavar="TOOL",
        action=_SentinelAction,
        default=[],
        help="call this tool, once: naming it says that a call does no harm (repeatable)",
    )
    parser.add_argument(
        "--args", metavar="JSON", action=_ArgsAction, help="arguments of the sentinel before it, as a JSON object"
    )
    parser.add_argument(
        "--expect",
        metavar="JSON",
        action=_ExpectAction,
        help="what the answer of the sentinel before it must hold, as `expect` in a configuration: an object with any "
        "of text, matches, json, at and schema",
    )


def endpoint_from(options: argparse.Namespace, address: str) -> Endpoint:
    """The endpoint at an address as the options describe it. Raises CommandError, also for a secret that is not to be
    had."""
    url = _url(address)
    return Endpoint(
        name=urlsplit(url).netloc,
        url=url,
        timeout_s=timeout_s(options),
        transport=None if options.transport == "auto" else Transport(options.transport),
        era=None if options.era == "auto" else Era(options.era),
        expected_tools=expected_tools(options),
        sentinels=tuple(
            Sentinel(
                tool=checked("--sentinel", values.tool_name, each.tool),
                arguments=each.arguments or {},
                expect=each.expect or Expectation(),
                safe_to_repeat=True,
            )
            for each in getattr(options, "sentinel", ())
        ),
        streaming=getattr(options, "streaming", None),
        **credentials_from(options, url),
        **_for_full_profile(options),
        verify_tls=not options.insecure,
    )


def expected_tools(options: argparse.Namespace) -> tuple[str, ...]:
    """The tools that must be listed, each once. Raises CommandError."""
    named = dict.fromkeys(getattr(options, "expect_tool", ()))
    return tuple(checked("--expect-tool", values.tool_name, each) for each in named)


def _url(written: str) -> str:
    """The address. Raises CommandError, which names what was written where it is an address: there may be several."""
    try:
        return str(values.url(written))
    except values.Refused as refused:
        may_be_secret = "@" in written or "?" in written
        if "://" not in written and not may_be_secret:
            raise _without_scheme(written, refused) from None
        named = "" if may_be_secret else f" {clean(written, 200)}"
        raise CommandError(f"URL{named} {refused.message}", refused.hint) from None


def _without_scheme(written: str, refused: values.Refused) -> CommandError:
    """An address whose beginning was left out, or no address at all, which is not repeated."""
    if _is_file(written):
        return CommandError(f"{clean(written, 200)} is a file", f"if it is a configuration: --config {written} --all")
    if re.search(r"[.:/]", written) is None:
        return CommandError(
            f"URL {refused.message}", "write it out; for an endpoint of a configuration, add --config FILE"
        )
    is_near = re.match(r"localhost|127\.|\[::1\]", written) is not None
    try:
        meant = values.url(f"{'http' if is_near else 'https'}://{written}")
    except values.Refused:
        return CommandError(f"URL {refused.message}", refused.hint)
    return CommandError(f"{clean(written, 200)} has no scheme", f"did you mean {meant}?")


def _is_file(written: str) -> bool:
    try:
        return Path(written).is_file()
    except (OSError, ValueError):
        return False


def _for_full_profile(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of an endpoint that other profiles do not look at."""
    asked, origins = getattr(options, "ask", []), getattr(options, "origin", [])
    if (asked or origins) and options.profile != Profile.FULL:
        raise CommandError("--ask and --origin are for the full profile", "add --profile full, or leave them out")
    return {
        "on_request": tuple(OnRequest(each) for each in dict.fromkeys(asked)),
        "browser_origins": tuple(dict.fromkeys(checked("--origin", values.origin, each) for each in origins)),
    }


@dataclass(frozen=True, slots=True)
class _Named:
    """A `--sentinel` with what has been said of it so far."""

    tool: str
    arguments: dict[str, Any] | None = None
    expect: Expectation | None = None


class _SentinelAction(argparse.Action):
    """Collects what is named."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        namespace.sentinel = [*namespace.sentinel, _Named(str(values))]


class _OfSentinelAction(argparse.Action):
    """Adds a JSON object to the last sentinel."""

    example: str
    field: str

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        option = self.option_strings[0]
        if not namespace.sentinel:
            parser.error(f"{option} stands after the --sentinel that it belongs to")
        try:
            given = json.loads(str(values), parse_constant=_refused_number, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            parser.error(f"{option} is not JSON: {error}")
        if not isinstance(given, dict):
            parser.error(f"{option} is not a JSON object: write such as '{self.example}'")
        last: _Named = namespace.sentinel[-1]
        if getattr(last, self.field) is not None:
            parser.error(f"{option} is given twice for the sentinel {last.tool}")
        namespace.sentinel = [*namespace.sentinel[:-1], replace(last, **{self.field: self.read(parser, given)})]

    def read(self, parser: argparse.ArgumentParser, given: dict[str, Any]) -> Any:
        """What the object stands for. Ends the command where it cannot be taken."""
        return given


class _ArgsAction(_OfSentinelAction):
    """Gives the last sentinel its arguments."""

    example = '{"id": 7}'
    field = "arguments"


class _ExpectAction(_OfSentinelAction):
    """Says what the answer of the last sentinel must hold."""

    example = '{"text": "shipped"}'
    field = "expect"

    def read(self, parser: argparse.ArgumentParser, given: dict[str, Any]) -> Any:
        from prober.settings import ConfigError, expectation_from  # here, so that others do not wait for it

        try:
            return expectation_from(given)
        except ConfigError as refused:
            first = refused.problems[0]
            parser.error(f"--expect: {first.message}" + (f" ({first.hint})" if first.hint else ""))


def _refused_number(word: str) -> NoReturn:
    raise ValueError(f"{word[:40]} is no JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refused_number(digits)


def port(written: str) -> int:
    """The number of a port, as argparse takes a type; 0 stands for any free one."""
    if not (written.isascii() and written.isdigit() and len(written) <= 5 and int(written) <= _HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"is no port: a number from 0 to {_HIGHEST_PORT}")
    return int(written)


def timeout_s(options: argparse.Namespace) -> float:
    """The deadline of one probe in seconds. Raises CommandError."""
    if options.timeout is None:
        is_full = getattr(options, "profile", None) == Profile.FULL
        return DEFAULT_FULL_TIMEOUT_S if is_full else DEFAULT_TIMEOUT_S
    seconds = float(checked("--timeout", values.duration_s, options.timeout))
    if not 0.1 <= seconds <= LONGEST_TIMEOUT_S:
        raise CommandError("--timeout is out of range", "0.1 seconds to 15 minutes")
    return seconds
