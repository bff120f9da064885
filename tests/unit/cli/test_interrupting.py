"""Ctrl-C during an import."""

import signal
import subprocess
import sys
import threading

from prober.cli.interrupting import ending_at_once

IN_A_CALLBACK = """
import os, signal, weakref
from prober.cli.interrupting import ending_at_once
class Lock: pass
def interrupted():
    lock = Lock()
    watched = weakref.ref(lock, lambda _: [os.kill(os.getpid(), signal.SIGINT), None][1])
    del lock
with ending_at_once():
    interrupted()
print("went on")
"""


def test_an_interrupt_that_python_would_ignore_ends_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", IN_A_CALLBACK], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_afterwards_an_interrupt_is_an_exception_again() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ending_at_once():
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_whoever_ignores_or_handles_interrupts_goes_on_to_do_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ending_at_once():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_thread_beside_the_first_changes_no_signal() -> None:
    seen: list[BaseException] = []

    def enter() -> None:
        try:
            with ending_at_once():
                pass
        except BaseException as error:
            seen.append(error)

    beside = threading.Thread(target=enter)
    beside.start()
    beside.join()
    assert seen == []
