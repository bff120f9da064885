"""What every kind of test can rely on."""

import signal

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Let the processes that tests start hear Ctrl-C: whatever a script starts in the background ignores it, and hands
    that down to its children."""
    del config
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
