"""The command as a real process, and the lab as another one for it to probe."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def commands() -> Iterator[subprocess.Popen[str]]:
    """The process that all commands are forked from."""
    line = [sys.executable, "-m", "tests.integration.cli.command_child"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process
        process.communicate(timeout=10)


@pytest.fixture
def command(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, commands: subprocess.Popen[str]) -> Command:
    """Runs `mcp-prober` with the given words in an empty directory; `env` is added to the environment."""
    said = tmp_path_factory.mktemp("said")
    out, err = said / "out", said / "err"

    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        whole = {**os.environ, "PYTHONPATH": str(ROOT), **env}
        task = {"words": words, "env": whole, "cwd": str(tmp_path), "out": str(out), "err": str(err)}
        assert commands.stdin is not None
        assert commands.stdout is not None
        print(json.dumps(task), file=commands.stdin, flush=True)
        status = int(commands.stdout.readline())
        return subprocess.CompletedProcess(words, status, out.read_text(), err.read_text())

    return run


@pytest.fixture(scope="module")
def lab() -> Iterator[dict[str, str]]:
    """Addresses of the lab's scenarios by id."""
    with subprocess.Popen([sys.executable, "-m", "prober.lab"], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["urls"]
        finally:
            process.terminate()
            process.wait(10)
