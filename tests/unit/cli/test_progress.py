"""What a person at a terminal sees while a command works, and in which width and colours."""

import io
import sys

import pytest
from rich.console import Console
from rich.progress import Progress

from checks.model import Endpoint
from prober.cli import terminal
from prober.cli.progress import _Lines, progress, working

SHOP = Endpoint(name="shop", url="https://shop.example/mcp")
CART = Endpoint(name="cart", url="https://cart.example/mcp")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(bar: Progress) -> list[str]:
    return [each.description for each in bar.tasks if each.visible]


def test_one_endpoint_has_a_line_and_its_conclusion_stays_on_it() -> None:
    bar = Progress(console=Console(file=io.StringIO()), disable=True)
    lines = _Lines(bar, [SHOP])
    assert shown(bar) == ["shop"]
    lines.tell(SHOP, "passed")
    assert shown(bar) == ["shop: passed"]


def test_of_several_only_those_that_are_asked_have_a_line_and_one_counts_them_all() -> None:
    bar = Progress(console=Console(file=io.StringIO()), disable=True)
    lines = _Lines(bar, [SHOP, CART])
    assert shown(bar) == ["0 of 2 endpoints"]
    lines.tell(SHOP, "asking")
    lines.tell(CART, "not ready after 1 probe: \x1b[2Jtools-empty")
    assert shown(bar)[:2] == ["0 of 2 endpoints", "shop: asking"]
    assert "\x1b" not in "".join(shown(bar))
    lines.tell(CART, "failed")
    lines.tell(SHOP, "passed")
    assert shown(bar) == ["2 of 2 endpoints: 1 failed, 1 passed"]


@pytest.mark.parametrize(("stream", "term"), [(io.StringIO(), "xterm"), (Terminal(), "dumb")])
def test_in_a_pipe_and_on_a_dumb_terminal_nothing_is_shown(
    stream: io.StringIO, term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", term)
    with progress([SHOP, CART]) as tell, working("reading") as say:
        tell(SHOP, "asking")
        say("reading more")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("stream", "environment", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": "", "FORCE_COLOR": ""}, True),
    ],
)
def test_colours_are_for_terminals_and_for_whoever_forces_them(
    stream: io.StringIO, environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert terminal.wants_colour(stream) is coloured


@pytest.mark.parametrize(("columns", "width"), [("20", 40), ("40", 40), ("79", 79), ("300", 100)])
def test_lines_are_as_wide_as_the_terminal_within_reason(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal.terminal_width() == width
