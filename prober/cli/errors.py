"""How a command ends: the exit codes, and the one form in which errors are said."""

import sys
from collections.abc import Iterable
from enum import IntEnum

from checks.model import Verdict
from checks.text import clean

PROGRAM = "mcp-prober"


class ExitCode(IntEnum):
    """Part of the public interface: pipelines branch on these."""

    UP = 0
    NOT_UP = 1
    """The endpoint is degraded or down."""
    USAGE = 2
    """The command line or the configuration cannot be used."""
    UNOBSERVED = 3
    """We could not observe: nothing is said about the endpoint."""
    AUTHENTICATION = 4
    """The endpoint refuses our credentials, or asks for some: of the rest nothing is known."""
    WARNINGS = 5
    """Passed with warnings, under --strict."""
    INTERRUPTED = 130


EXIT_OF_VERDICT = {
    Verdict.UP: ExitCode.UP,
    Verdict.DEGRADED: ExitCode.NOT_UP,
    Verdict.DOWN: ExitCode.NOT_UP,
    Verdict.UNKNOWN: ExitCode.UNOBSERVED,
}


class CommandError(Exception):
    """A command cannot do what was asked. `hint` is the way out."""

    def __init__(
        self, message: str, hint: str = "", *, details: Iterable[str] = (), code: ExitCode = ExitCode.USAGE
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)
        self.code = code


def say_error(message: str, hint: str = "", details: Iterable[str] = ()) -> None:
    """`mcp-prober: error: …` on standard error, each detail and the way out on a line of its own."""
    print(f"{PROGRAM}: error: {clean(message, 2000)}", file=sys.stderr)
    for line in details:
        print(f"  {clean(line, 2000)}", file=sys.stderr)
    if hint:
        print(f"  {clean(hint, 2000)}", file=sys.stderr)
