"""The command line: one file per command; they parse and print, and decide nothing."""

from prober.cli.dispatch import main

__all__ = ["main"]
