"""What every kind of test can rely on."""

import gc
import os
import signal

import hypothesis
import pytest

# The same examples everywhere, and no bound on the time of one: a test fails for what is wrong with the code alone.
# `--hypothesis-profile=default` looks at others, and so does `make fuzz`.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
hypothesis.settings.load_profile("repeatable")


def _forget_the_machine() -> None:
    """Take from the environment what would change what commands say or whom they ask: the width of somebody's terminal,
    somebody's AWS account, the workflow that runs the tests, and a proxy where a server of theirs is meant."""
    for name in [each for each in os.environ if each.startswith(("AWS_", "COLUMNS", "GITHUB_", "LINES"))]:
        del os.environ[name]
    direct = os.environ.pop("NO_PROXY", "") or os.environ.get("no_proxy", "")
    os.environ["no_proxy"] = ",".join(filter(None, (direct, "127.0.0.1", "localhost")))


_forget_the_machine()  # before anything is imported that reads it: pytest loads other conftests before it configures


def pytest_configure(config: pytest.Config) -> None:
    """Let the processes that tests start hear Ctrl-C: whatever a script starts in the background ignores it, and hands
    that down to its children."""
    del config
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep what was collected out of each search for garbage: there are thousands of tests, and they stay."""
    del session
    gc.freeze()
