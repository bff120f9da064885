"""The recipe for GitHub run by act, which runs workflows as GitHub does, on this machine and without containers.

act is no dependency of ours: where it is not on PATH, `tests/integration/recipes` has run the action's steps by itself.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
UNOBSERVED = {"canaries": "127.0.0.1:1", "targets": "http://127.0.0.1:9/mcp"}
FAILS = {"canaries": "none", "targets": "http://127.0.0.1:9/mcp"}


@pytest.fixture
def act() -> str:
    found = shutil.which("act")
    if found is None:
        pytest.skip("no act on PATH: go install github.com/nektos/act@v0.2.89")
    return found


def repository(home: Path, given: dict[str, str]) -> Path:
    """A repository with the recipe as its workflow and our action, installed already, over other targets."""
    workflow: dict[Any, Any] = yaml.safe_load((ROOT / "docs" / "recipes" / "github-actions.yml").read_text())
    workflow["on"] = workflow.pop(True)  # what YAML 1.1 reads in the word
    steps = workflow["jobs"]["smoke"]["steps"]
    (ours,) = [step for step in steps if step.get("id") == "mcp"]
    ours["with"] = {**ours["with"], **given, "wait": "1s", "passes": "1"}
    workflow["jobs"]["smoke"]["steps"] = [step for step in steps if "upload-sarif" not in step.get("uses", "")]
    (home / ".github" / "workflows").mkdir(parents=True)
    (home / ".github" / "workflows" / "deploy.yml").write_text(yaml.safe_dump(workflow))
    action = home / ".github" / "actions" / "check"
    shutil.copytree(ROOT / ".github" / "actions" / "check", action)
    (action / "install.sh").write_text(f'#!/bin/sh\necho "{Path(sys.executable).parent}" >>"$GITHUB_PATH"\n')
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *words], cwd=home, check=True)
    return home


@pytest.mark.parametrize(("given", "code"), [(FAILS, 1), (UNOBSERVED, 3)], ids=["fails", "unobserved"])
def test_the_workflow_rolls_back_for_a_fault_of_the_server_alone(
    act: str, tmp_path: Path, given: dict[str, str], code: int
) -> None:
    home = repository(tmp_path / "repository", given)
    done = subprocess.run(
        [act, "push", "--platform", "ubuntu-24.04=-self-hosted", "--pull=false", "--secret", "MCP_TOKEN=a-token"],
        cwd=home,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "DOCKER_HOST": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"exit status {code}" in done.stdout, done.stdout + done.stderr
    assert bool(re.search(r"\| Here goes what takes the deployment back", done.stdout)) == (code == 1)
