"""The command line: one file per command; they parse and print, and decide nothing."""

from collections.abc import Sequence

__all__ = ["main"]

_INTERRUPTED = 130
"""`errors.ExitCode.INTERRUPTED`, which is not to be had yet."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Ctrl-C ends it quietly from here on, the imports among it."""
    try:
        from prober.cli.dispatch import main as run

        return run(argv)
    except KeyboardInterrupt:
        return _INTERRUPTED
