"""What `check` imports before it asks: a pipeline waits for it after every deployment."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "words", [[], ["--bearer", "env:TOKEN"], ["--header", "X-Api-Key=env:TOKEN"], ["--sentinel", "a", "--args", "{}"]]
)
def test_a_probe_imports_nothing_of_aws_and_no_engine_for_patterns_unless_it_needs_them(words: list[str]) -> None:
    script = (
        "import sys; from prober.cli import main; main(sys.argv[1:]); "
        "print([each for each in sys.modules if each.partition('.')[0] in ('boto3', 'botocore', 's3transfer', 're2')])"
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
