"""What a run means for the pipeline that waits for it.

Of several endpoints the worst decides: failed (1), then credentials (4), then not observed (3), then warnings (5 under
--strict), then passed (0). A failure that was seen outweighs what could not be seen elsewhere.
"""

from typing import Final

from prober.app.smoke import Conclusion, Run
from prober.cli.errors import ExitCode

_CODES: Final = {
    Conclusion.PASSED: ExitCode.UP,
    Conclusion.WARNINGS: ExitCode.UP,
    Conclusion.UNOBSERVED: ExitCode.UNOBSERVED,
    Conclusion.AUTHENTICATION: ExitCode.AUTHENTICATION,
    Conclusion.FAILED: ExitCode.NOT_UP,
}


def exit_of(run: Run) -> ExitCode:
    """The exit code of a run."""
    if run.conclusion is Conclusion.WARNINGS and run.demands.strict:
        return ExitCode.WARNINGS
    return _CODES[run.conclusion]


def tally(run: Run) -> str:
    """How many endpoints came to which conclusion: `2 passed, 1 failed`."""
    counts = {each: sum(one.conclusion is each for one in run.examined) for each in Conclusion}
    words = {Conclusion.WARNINGS: "passed with warnings", Conclusion.AUTHENTICATION: "refused our credentials"}
    return ", ".join(f"{number} {words.get(each, each.value)}" for each, number in counts.items() if number)
