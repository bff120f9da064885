"""`mcp-prober explain [TOPIC]`: what a word of a report means, without a network.

A topic is a diagnosis first of all, and also a check, a demand of the smoke check, a rule of `template-check`, or an
exit code.
"""

import argparse
import difflib
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from checks.catalog import CHECKS, DETECTORS
from checks.model import Profile
from checks.proofs import listed
from checks.spec import chapter_link
from checks.templates.catalog import RULES
from checks.templates.unit import Rule
from checks.text import clean
from checks.unit import Check, Detector
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError, ExitCode
from prober.cli.explanations import DEMANDS, EXIT_CODES, EXPLANATIONS, SUBJECTS
from prober.cli.terminal import terminal_width

MOST_NEAR: Final = 6
_LIKE_AN_ID: Final = 0.72
_LIKE_A_WORD: Final = 0.82
"""How alike two words are that may be meant for each other; difflib counts from 0 to 1."""
_LONG: Final = 5
"""Letters of a word below which others that are no relatives look alike."""
_BEFORE_A_CODE: Final = re.compile(r"^exit-?(code-?)?(?=\d+$)")
"""What people write before the number of an exit code, once it is joined by hyphens."""

Page = Iterable[tuple[str, str]]
"""Headings with texts; without a heading it is the first line."""


def add_arguments(parser: Parser) -> None:
    parser.examples = (
        "mcp-prober explain",
        "mcp-prober explain streaming-buffered",
        "mcp-prober explain sentinel_call",
        "mcp-prober explain 3",
    )
    parser.add_argument(
        "topic",
        metavar="TOPIC",
        nargs="?",
        help="a diagnosis, a check, a demand of check such as ready, a rule of template-check, or an exit code; "
        "without one, all diagnoses are listed",
    )


def run(options: argparse.Namespace) -> int:
    width = terminal_width()
    if options.topic is None:
        longest = max(len(each.id) for each in DETECTORS)
        for each in DETECTORS:
            print("\n".join(_filled(each.fault, width, f"{each.id:<{longest}}  ", " " * (longest + 2))))
        return ExitCode.UP
    known = topics()
    spelled = {_plain(each): each for each in known}
    topic = spelled.get(_plain(options.topic))
    if topic is None:
        near = alike(options.topic, known)
        raise CommandError(
            f"nothing is called {clean(options.topic, 80)!r}",
            f"did you mean {', '.join(near)}?" if near else "what each means: mcp-prober explain",
            details=() if near else (f"{subject}: {', '.join(ids)}" for subject, ids in SUBJECTS.items()),
        )
    print("\n".join(_lines(known[topic](), width)))
    return ExitCode.UP


def topics() -> Mapping[str, Callable[[], Page]]:
    """All that can be explained, each with its page."""
    return {
        **{each.id: partial(_diagnosis, each) for each in DETECTORS},
        **{each.id: partial(_check, each) for each in CHECKS},
        **{each: partial(_demand, each) for each in DEMANDS},
        **{each.id: partial(_rule, each) for each in RULES},
        **{str(int(each)): partial(_exit_code, each) for each in ExitCode},
    }


def alike(written: str, known: Iterable[str]) -> list[str]:
    """What may have been meant: what is spelled alike, else what shares a word, else whose page speaks of it."""
    plain, ids = _plain(written), [each for each in known if not each.isdecimal()]
    words = {each for each in plain.split("-") if len(each) > 2}
    return (
        difflib.get_close_matches(plain, ids, n=3, cutoff=_LIKE_AN_ID)
        or [each for each in ids if _shares_a_word(words, each)][:MOST_NEAR]
        or _spoken_of(words)
    )


def _plain(written: str) -> str:
    joined = re.sub(r"[\s_-]+", "-", written.strip().lower())
    return _BEFORE_A_CODE.sub("", joined)


def _shares_a_word(words: set[str], known: str) -> bool:
    own = _plain(known).split("-")
    return any(
        each in own
        or (len(each) >= _LONG and difflib.get_close_matches(each, own, n=1, cutoff=_LIKE_A_WORD))
        or (len(each) >= _LONG and any(word.startswith(each) for word in own))
        for each in words
    )


def _spoken_of(words: set[str]) -> list[str]:
    """The diagnoses on whose pages all of the words stand, such as a status; none where these are too many."""
    texts = {each.id: f"{each.fault} {EXPLANATIONS[each.id].seen} {EXPLANATIONS[each.id].fix}" for each in DETECTORS}
    found = [
        name
        for name, text in texts.items()
        if words and all(re.search(rf"\b{re.escape(word)}", text, re.IGNORECASE) for word in words)
    ]
    return found if len(found) <= MOST_NEAR else []


def _diagnosis(detector: Detector) -> Page:
    explanation = EXPLANATIONS[detector.id]
    if detector.effect != "information":
        yield "", f"{detector.id}: the verdict is {detector.effect} by it"
    else:
        yield "", f"{detector.id}: information, which changes no verdict"
    yield "what", detector.fault
    yield "how it is seen", explanation.seen
    yield "fix", explanation.fix
    if explanation.links:
        yield "read on", "\n".join(explanation.links)


def _check(check: Check) -> Page:
    profiles = [each.value for each in Profile if each in check.profiles]
    yield "", f"{check.id}: a check, of {'the profile' if len(profiles) == 1 else 'the profiles'} {listed(profiles)}"
    yield "what it asks", check.question
    link = chapter_link(check.chapters, None)
    if link is not None:
        yield "read on", link


def _demand(name: str) -> Page:
    options = "--wait and --passes" if name == "ready" else f"--{name.replace('_', '-')}"
    yield "", f"{name}: what {options} of mcp-prober check {'demand' if name == 'ready' else 'demands'}"
    yield "what it asks", DEMANDS[name]


def _rule(rule: Rule) -> Page:
    yield "", f"{rule.id}: a rule of template-check and discover, of the severity {rule.severity.value}"
    yield "what", rule.fault
    if rule.diagnosis is None:
        yield "once it is deployed", "The deployment itself fails."
    else:
        yield "once it is deployed", f"{rule.diagnosis}; see: mcp-prober explain {rule.diagnosis}"


def _exit_code(code: ExitCode) -> Page:
    yield "", f"{int(code)}: an exit code of check, template-check and discover"
    yield "what", EXIT_CODES[code]


def _lines(page: Page, width: int) -> Iterator[str]:
    for heading, text in page:
        if not heading:
            yield text
            continue
        yield ""
        yield f"{heading}:"
        for line in text.splitlines():
            yield from _filled(line, width, "  ", "  ")


def _filled(text: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
