"""The command as a real process, and the lab as another one for it to probe."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.commands import Commands

ROOT = Path(__file__).parents[3]
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
