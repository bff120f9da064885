"""`mcp-prober explain [ID]`: what a diagnosis means, how it is seen and what mends it, without a network."""

import argparse
import difflib
import textwrap
from collections.abc import Iterator

from checks.catalog import DETECTORS
from checks.text import clean
from checks.unit import Detector
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError, ExitCode
from prober.cli.explanations import EXPLANATIONS
from prober.cli.terminal import terminal_width

_NEAR = 3


def add_arguments(parser: Parser) -> None:
    parser.examples = ("mcp-prober explain", "mcp-prober explain streaming-buffered")
    parser.add_argument("id", metavar="ID", nargs="?", help="as reports name it; without one, all are listed")


def run(options: argparse.Namespace) -> int:
    width = terminal_width()
    known = {each.id: each for each in DETECTORS}
    if options.id is None:
        longest = max(map(len, known))
        for each in DETECTORS:
            print("\n".join(_filled(each.fault, width, f"{each.id:<{longest}}  ", " " * (longest + 2))))
        return ExitCode.UP
    if options.id not in known:
        raise CommandError(f"there is no diagnosis {clean(options.id, 80)}", _suggestion(options.id, list(known)))
    print("\n".join(_page(known[options.id], width)))
    return ExitCode.UP


def _suggestion(written: str, known: list[str]) -> str:
    """What may have been meant: what is spelled alike, or shares a word."""
    near = difflib.get_close_matches(written.lower(), known, n=_NEAR, cutoff=0.5)
    words = {word for word in written.lower().split("-") if len(word) > 2}
    near += [each for each in known if words & set(each.split("-")) and each not in near]
    return f"did you mean {', '.join(near[:_NEAR])}?" if near else "all of them: mcp-prober explain"


def _page(detector: Detector, width: int) -> Iterator[str]:
    explanation = EXPLANATIONS[detector.id]
    yield (
        f"{detector.id}: the verdict is {detector.effect} by it"
        if detector.effect != "information"
        else (f"{detector.id}: information, which changes no verdict")
    )
    for heading, text in (("what", detector.fault), ("how it is seen", explanation.seen), ("fix", explanation.fix)):
        yield ""
        yield f"{heading}:"
        yield from _filled(text, width, "  ", "  ")
    if explanation.links:
        yield ""
        yield "read on:"
        yield from (f"  {link}" for link in explanation.links)


def _filled(text: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
