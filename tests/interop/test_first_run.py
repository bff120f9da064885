"""The first run of docker-compose.yml by a new user, line by line without an engine.

The services' own command lines and health checks, with ports and directories of this machine in the containers' place.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from prober.storage.embedded import EmbeddedPostgres
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PATIENCE_S = 60


class Containers:
    """The services that run, and how what is written in the Compose file is called on this machine."""

    def __init__(self, database_url: str, home: Path) -> None:
        self.home = home
        self.ports = {"8080": free_ports(), "9464": free_ports()}
        self._database_url = database_url
        self._running = ExitStack()

    def here(self, text: str) -> str:
        text = text.replace("/etc/mcp-prober", str(self.home / "config"))
        for port, taken in self.ports.items():
            text = re.sub(rf"\b{port}\b", str(taken), text)
        return text

    def environment(self, name: str) -> dict[str, str]:
        kept = {each: os.environ[each] for each in ("HOME", "LANG") if each in os.environ}
        image = dict(re.findall(r"(PROBER_\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
        data = {
            "PROBER_DATA_DIR": str(self.home / "spool"),
            "PROBER_STATUS_PORT": self.here(image["PROBER_STATUS_PORT"]),
        }
        assert set(SERVICES[name]["environment"]) == {"DATABASE_URL"}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            **data,
            "DATABASE_URL": self._database_url,
        }

    def start(self, name: str) -> None:
        with (self.home / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / "mcp-prober"), *map(self.here, SERVICES[name]["command"])],
                cwd=self.home,
                env=self.environment(name),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.callback(process.wait, 20)
        self._running.callback(process.terminate)

    def until_healthy(self, name: str) -> None:
        _, python, *words = SERVICES[name]["healthcheck"]["test"]
        assert python == "python"
        deadline = time.monotonic() + PATIENCE_S
        while subprocess.run([sys.executable, *map(self.here, words)], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, f"{name} is not healthy:\n{self.log(name)}"
            time.sleep(0.2)

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
def containers(tmp_path: Path) -> Iterator[Containers]:
    # Not pytest's own directory: as root, the server runs as another user, who could not enter that.
    directory = Path("/var/tmp") / f"prober-first-{os.getpid()}"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "prober.yaml").write_text(
        "endpoints:\n- name: orders\n  url: http://127.0.0.1:9/mcp\n  auth: {bearer: env:MCP_TOKEN}\n"
    )
    try:
        with EmbeddedPostgres(directory, settings={"fsync": "off"}) as server:
            made = Containers(server.url, tmp_path)
            try:
                yield made
            finally:
                made.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_a_new_user_gets_healthy_services_and_a_link_to_set_himself_up(containers: Containers) -> None:
    assert SERVICES["dashboard"]["depends_on"] == {"prober": {"condition": "service_started"}}
    containers.start("prober")
    containers.start("dashboard")  # it does not wait until the database has its tables
    for name in ("prober", "dashboard"):
        containers.until_healthy(name)
    (published,) = SERVICES["dashboard"]["ports"]
    address = containers.here(f"http://{published.rpartition(':')[0]}")
    links = re.findall(rf"{address}/setup#\S+", containers.log("dashboard"))
    assert len(links) == 1, containers.log("dashboard")
    with urlopen(f"{address}/setup", timeout=5) as page:
        assert b'type="password"' in page.read()
    with urlopen(address, timeout=5) as page:
        assert "/login" in page.url, "nobody sees anything before"
    assert "Traceback" not in containers.log("prober") + containers.log("dashboard")
    assert "MCP_TOKEN" in containers.log("prober"), "what prober.env lacks is said"
