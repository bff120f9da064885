"""The command as a real process, and the lab as another one for it to probe."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.commands import Commands

ROOT = Path(__file__).parent.parent.parent.parent
PATIENCE_S = 60

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Command:
    """Runs `mcp-prober` with the given words in an empty directory; `env` is added to the environment."""
    said = tmp_path_factory.mktemp("said")
    out, err = said / "out", said / "err"

    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        status = commands.start(words, env, tmp_path, out, err).wait(PATIENCE_S)
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
