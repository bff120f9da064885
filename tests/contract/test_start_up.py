"""What `check` imports before it asks: a pipeline waits for it after every deployment."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("words", [[], ["--bearer", "env:TOKEN"], ["--header", "X-Api-Key=env:TOKEN"]])
def test_a_probe_without_aws_imports_nothing_of_it(words: list[str]) -> None:
    script = (
        "import sys; from prober.cli import main; main(sys.argv[1:]); "
        "print([each for each in sys.modules if each.partition('.')[0] in ('boto3', 'botocore', 's3transfer')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "check", "http://127.0.0.1:9/mcp", *words],
        cwd=ROOT,
        env={"TOKEN": "t", "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
