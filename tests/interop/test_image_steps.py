"""The steps of the Dockerfile without an engine: what it copies and runs, and the result away from the checkout."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from prober.storage.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[2]
IN_THE_IMAGE = "/opt/mcp-prober"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the image would have in /opt, made by the same instructions."""
    if find_spec("ensurepip") is None:
        pytest.skip("this Python has no ensurepip, which the image's has: apt-get install python3-venv")
    source = tmp_path_factory.mktemp("source")
    environment = tmp_path_factory.mktemp("opt") / "mcp-prober"
    build = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)[1]
    for line in build.splitlines():
        word, _, rest = line.partition(" ")
        if word == "COPY":
            copy(rest.split(), source)
        elif word == "RUN":
            # A Python in an environment of its own would find that one's packages: the image has the system's.
            python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
            command = re.sub(r"^python\b", str(python), rest.replace(IN_THE_IMAGE, str(environment)))
            done = subprocess.run(command.split(), cwd=source, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    shutil.rmtree(source)
    return environment


def copy(names: list[str], source: Path) -> None:
    *froms, to = names
    for name in froms:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, source)


def run(release: Path, *arguments: str, **environment: str) -> str:
    """What the installed command prints, in an empty directory, without our variables."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        [str(release / "bin" / "mcp-prober"), *arguments],
        cwd=release.parent,
        env={**kept, "PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def database_url(release: Path) -> Iterator[str]:
    # Not pytest's own directory: as root, the server runs as another user, who could not enter that.
    directory = Path("/var/tmp") / f"prober-image-{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    try:
        with EmbeddedPostgres(directory, settings={"fsync": "off"}) as server:
            yield server.url
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_the_image_has_a_working_command_and_no_broken_package(release: Path) -> None:
    assert re.fullmatch(r"mcp-prober \d+\.\d+\.\d+\n", run(release, "--version"))
    assert "tools-empty" in run(release, "lab", "--list")
    where = "import checks, prober, dashboard; print(prober.__file__, checks.__file__, dashboard.__file__)"
    python = str(release / "bin" / "python")
    found = subprocess.check_output([python, "-c", where], cwd=release.parent, text=True).split()
    assert all(Path(each).is_relative_to(release) for each in found)
    subprocess.run([python, "-m", "pip", "check"], check=True, capture_output=True)


def test_the_image_migrates_a_database_and_shows_its_pages(release: Path, database_url: str) -> None:
    newest = max((ROOT / "alembic" / "versions").glob("*.py")).name.partition("_")[0]
    assert f"is at {newest}" in run(release, "migrate", DATABASE_URL=database_url)
    assert "already" in run(release, "migrate", DATABASE_URL=database_url)
    page = (
        "from starlette.testclient import TestClient; from dashboard.app import create_app\n"
        "with TestClient(create_app(), base_url='http://localhost') as client:\n"
        "    for path in ('/', '/incidents', '/static/style.css'):\n"
        "        answer = client.get(path); print(path, answer.status_code, len(answer.text) > 100)"
    )
    shown = subprocess.check_output(
        [str(release / "bin" / "python"), "-c", page],
        cwd=release.parent,
        env={**os.environ, "DATABASE_URL": database_url, "PROBER_DASHBOARD_ACCESS": "open"},
        text=True,
    )
    assert shown.splitlines() == ["/ 200 True", "/incidents 200 True", "/static/style.css 200 True"]
