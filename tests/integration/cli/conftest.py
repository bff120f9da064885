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


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs `mcp-prober` with the given words in an empty directory; `env` is added to the environment."""

    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "prober.cli", *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            timeout=60,
            check=False,
        )

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
