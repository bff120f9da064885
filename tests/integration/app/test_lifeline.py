"""A command tied to its parent: what becomes of it when the parent is killed, and that it is otherwise itself."""

import os
import subprocess
import sys

import pytest

from prober.lifeline import NOT_FOUND, tied
from tests.integration.app.conftest import ROOT, is_alive, until

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's own")

PARENT = """
import subprocess, sys
from prober.lifeline import tied
child = subprocess.Popen(tied([sys.executable, "-c", "import time; time.sleep(60)"]))
print(child.pid, flush=True)
child.wait()
"""


@linux_only
def test_a_child_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    until(lambda: not is_alive(child), 5, "the child is gone")


@linux_only
def test_a_child_whose_parent_was_gone_before_does_not_begin() -> None:
    command = tied([sys.executable, "-c", "print('begun')"])
    command[command.index(str(os.getpid()))] = "1"
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "has ended" in ended.stderr


def test_a_child_keeps_its_process_its_arguments_and_its_status() -> None:
    program = "import os, signal, sys; print(os.getpid(), sys.argv[1:], signal.getsignal(signal.SIGTERM)); sys.exit(7)"
    with subprocess.Popen(
        tied([sys.executable, "-c", program, "a b", "-x"]), stdout=subprocess.PIPE, text=True
    ) as child:
        said, _ = child.communicate(timeout=20)
        assert said == f"{child.pid} ['a b', '-x'] 0\n"
    assert child.returncode == 7


def test_a_program_that_is_not_there_is_named() -> None:
    ended = subprocess.run(tied(["/nowhere/postgres"]), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (NOT_FOUND, "/nowhere/postgres: No such file or directory\n")
