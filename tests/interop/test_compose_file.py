"""The Compose file as Compose itself reads it: its own library checks the schema and the references."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

READER = Path(__file__).parent / "compose"
ROOT = Path(__file__).parents[2]
OLDEST_GO = (1, 24)


def read(compose_file: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Compose's reader on a file; its Go modules are pinned by go.sum."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go on PATH: the reader of Compose files is written in it")
    version = re.match(r"go(\d+)\.(\d+)", subprocess.check_output([go, "env", "GOVERSION"], text=True))
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GO:
        pytest.skip("the reader of Compose files wants Go {}.{} or newer".format(*OLDEST_GO))
    kept = {name: value for name, value in os.environ.items() if name != "POSTGRES_PASSWORD"}
    return subprocess.run(
        [go, "run", ".", str(compose_file)],
        cwd=READER,
        env={**kept, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    done = read(ROOT / "docker-compose.yml", POSTGRES_PASSWORD="secret")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_compose_accepts_the_file_and_merges_what_the_services_share(project: dict[str, Any]) -> None:
    services = project["services"]
    assert set(services) == {"postgres", "prober", "worker", "dashboard"}
    for service in services.values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert services["postgres"]["user"] == "postgres"
    for name in ("prober", "worker", "dashboard"):
        assert services[name]["environment"]["DATABASE_URL"] == "postgresql://prober:secret@postgres:5432/prober"
    assert services["prober"]["build"]["context"] == str(ROOT)
    assert services["worker"]["scale"] == 0
    for name in ("prober", "worker"):
        _, spool = services[name]["volumes"]
        assert (spool["type"], spool["source"], spool["target"]) == ("volume", "spool", "/var/lib/mcp-prober")
    for name in ("prober", "worker", "dashboard"):
        mount = services[name]["volumes"][0]
        assert (mount["source"], mount["target"]) == (str(ROOT / "config"), "/etc/mcp-prober")
        assert (mount["read_only"], mount["bind"]) == (True, {"create_host_path": False})


def test_compose_publishes_the_dashboard_on_loopback_alone(project: dict[str, Any]) -> None:
    (port,) = project["services"]["dashboard"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "8080", 8080)


def test_compose_refuses_to_start_without_a_password() -> None:
    done = read(ROOT / "docker-compose.yml")
    assert done.returncode != 0
    assert "put POSTGRES_PASSWORD into .env" in done.stderr


def test_compose_would_notice_a_misspelled_key(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(
        (ROOT / "docker-compose.yml").read_text().replace("read_only: true\n  tmpfs", "reed_only: true\n  tmpfs", 1)
    )
    done = read(broken, POSTGRES_PASSWORD="secret")
    assert done.returncode != 0
    assert "reed_only" in done.stderr
