"""The wheel holds what an installed prober needs, and nothing else; the lock files can be trusted."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted([ROOT / "requirements.lock", *(ROOT / "tests").rglob("*.lock")])
PACKAGES = ("checks", "prober", "dashboard")
LEFT_BEHIND = ("__pycache__", ".pyc")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds what the wheel does, as `pip install` would lay it out."""
    directory = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    return directory


def run_installed(installed: Path, *arguments: str) -> str:
    """What a Python prints that has the wheel's content before the checkout, started outside the checkout."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def files_of(package: str, directory: Path) -> set[str]:
    return {
        str(path.relative_to(directory))
        for path in (directory / package).rglob("*")
        if path.is_file() and not str(path).endswith(LEFT_BEHIND)
    }


def test_the_wheel_holds_every_file_of_the_packages_and_the_migrations_and_nothing_else(installed: Path) -> None:
    held = {name for package in PACKAGES for name in files_of(package, installed)}
    migrations = {f"prober/storage/{name}" for name in files_of("alembic", ROOT)}
    assert any("versions/0001" in name for name in migrations)
    assert held == migrations.union(*(files_of(package, ROOT) for package in PACKAGES))
    assert {path.name for path in installed.iterdir()} == {
        *PACKAGES,
        f"mcp_prober-{PYPROJECT['project']['version']}.dist-info",
    }


def test_an_installed_prober_finds_its_own_migrations(installed: Path) -> None:
    where, head = run_installed(
        installed,
        "-c",
        "from prober.storage import migrations; print(migrations.__file__, migrations.head(), sep='\\n')",
    ).splitlines()
    assert Path(where).is_relative_to(installed)
    newest = max(path.name for path in (ROOT / "alembic" / "versions").glob("*.py"))
    assert newest.startswith(head)


def test_an_installed_lab_and_dashboard_find_their_files(installed: Path) -> None:
    listed = run_installed(installed, "-m", "prober.cli", "lab", "--list")
    assert "tls-invalid" in listed
    assert "-----BEGIN CERTIFICATE" in (installed / "prober" / "lab" / "self_signed.pem").read_text()
    assert '"$schema"' in (installed / "prober" / "notifiers" / "notice.v1.schema.json").read_text()
    for name in ("static/style.css", "static/live.js", "templates/fleet.html"):
        assert (installed / "dashboard" / name).stat().st_size > 0


def test_every_package_says_that_it_is_typed(installed: Path) -> None:
    assert all((installed / package / "py.typed").exists() for package in PACKAGES)


def test_the_version_is_that_of_the_changelog(installed: Path) -> None:
    version = PYPROJECT["project"]["version"]
    assert run_installed(installed, "-m", "prober.cli", "--version") == f"mcp-prober {version}"
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading is not None
    assert heading[1] == version


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_lock_file_pins_everything_by_hash_and_names_no_index(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)
    requirements = re.findall(r"^[A-Za-z0-9].*(?:\n[ ]+--hash.*)*", text, re.MULTILINE)
    assert requirements
    for requirement in requirements:
        assert re.match(r"[\w.\-]+(\[[\w,\-]+\])?==", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement


def test_every_lock_file_is_one_that_make_lock_renews() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for lock in LOCKS:
        name = str(lock.relative_to(ROOT))
        if lock.parent.name == "envs":
            assert lock.with_suffix(".in").exists(), name
            assert "tests/interop/envs/*.in" in makefile
        else:
            assert f"-o {name}" in makefile


def test_the_locks_name_everything_that_is_declared() -> None:
    groups = PYPROJECT["dependency-groups"]
    runtime = [*PYPROJECT["project"]["dependencies"], *groups["build"]]
    wanted = {ROOT / "requirements.lock": runtime, ROOT / "tests" / "requirements.lock": [*runtime, *groups["dev"]]}
    for lock, declared in wanted.items():
        pinned = {normal(line.partition("==")[0]) for line in lock.read_text().splitlines() if "==" in line}
        missing = {name for each in declared if (name := normal(each)) not in pinned}
        assert not missing, f"run: make lock ({lock.name} lacks {sorted(missing)})"


def test_the_tests_run_with_the_packages_that_are_shipped() -> None:
    shipped = pins(ROOT / "requirements.lock")
    tested = pins(ROOT / "tests" / "requirements.lock")
    assert {name: version for name, version in tested.items() if name in shipped} == shipped


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.\-]+)(?:\[[\w,\-]+\])?==([\w.+]+)", lock.read_text(), re.MULTILINE))


def normal(requirement: str) -> str:
    """The name in a requirement as indexes compare it."""
    found = re.match(r"[\w.\-]+", requirement.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
