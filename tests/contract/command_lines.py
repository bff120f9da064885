"""Command lines of ours, taken apart as the program would and not run."""

import argparse
from importlib import import_module

from prober.cli.dispatch import COMMANDS, Parser


def parsed(words: list[str]) -> argparse.Namespace:
    """The options of `mcp-prober <words>`. Ends like the command would where it takes no such options."""
    name, *rest = words
    assert name in COMMANDS, f"there is no command {name!r}"
    parser = Parser(prog=name)
    import_module(f"prober.cli.{name.replace('-', '_')}").add_arguments(parser)
    return parser.parse_args(rest)
