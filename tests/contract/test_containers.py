"""The image and the Compose file against the code that they run; no container engine is needed.

That the Compose file means to Compose what it means here is for `tests/interop/test_compose_file.py`.
"""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
import yaml

from dashboard.app import build
from dashboard.config import Config
from dashboard.guard import is_known_host
from prober.app.status_server import Status, StatusServer
from prober.clock import SystemClock
from prober.settings.loading import ENVIRONMENT, parse
from prober.storage.database import normalise
from prober.vitals import Vitals
from tests.contract.command_lines import parsed

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_TEXT)["services"]
OURS = sorted(set(SERVICES) - {"postgres"})


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's instructions as (word, rest), one list per stage."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    found: list[list[tuple[str, str]]] = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


def copied() -> list[str]:
    """What the image takes from the checkout."""
    return [
        source
        for stage in stages()
        for word, rest in stage
        if word == "COPY" and not rest.startswith("--from=")
        for source in rest.split()[:-1]
    ]


def test_everything_that_the_image_takes_is_in_the_tree_and_let_into_the_build() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*", "everything stays out that is not named"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert allowed == set(copied())
    for source in copied():
        assert (ROOT / source).exists(), source


def test_the_wheel_needs_no_file_that_the_image_does_not_take() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*build["packages"], *build["force-include"], PROJECT["readme"], *PROJECT["license-files"]}
    assert needed <= set(copied())


def test_packages_enter_the_image_by_their_hashes() -> None:
    installs = [rest for word, rest in stages()[0] if word == "RUN" and "pip install" in rest]
    assert len(installs) == 2
    locked, own = installs
    assert "--require-hashes -r requirements.lock" in locked
    assert "--no-deps" in own
    assert "--no-build-isolation" in own


def test_the_image_runs_our_command_and_not_as_root() -> None:
    final = dict(stages()[-1])
    assert final["ENTRYPOINT"] == '["mcp-prober"]'
    assert "mcp-prober" in PROJECT["scripts"]
    assert int(final["USER"]) > 0, "a number, so that an orchestrator can tell that it is not root"
    order = [word for word, _ in stages()[-1]]
    assert order.index("RUN") < order.index("USER"), "the user is made before it is taken"


def test_the_image_sets_only_variables_that_something_reads() -> None:
    variables = set(re.findall(r"(\w+)=", dict(stages()[-1])["ENV"]))
    assert variables - {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"} <= set(ENVIRONMENT)


def test_the_image_is_built_once_and_carries_the_version() -> None:
    assert {SERVICES[name]["image"] for name in OURS} == {f"mcp-prober:{PROJECT['version']}"}
    builders = [name for name in OURS if "build" in SERVICES[name]]
    assert builders == ["prober"]
    assert {SERVICES[name]["pull_policy"] for name in OURS if name not in builders} == {"never"}


@pytest.mark.parametrize("name", OURS)
def test_each_service_runs_a_command_line_that_we_take(name: str) -> None:
    options = parsed(SERVICES[name]["command"])
    if config := getattr(options, "config", None):
        assert str(config.parent) in {mount["target"] for mount in SERVICES[name]["volumes"]}


def test_a_command_line_that_we_do_not_take_would_be_noticed() -> None:
    with pytest.raises(SystemExit):
        parsed([*SERVICES["prober"]["command"], "--no-such-option"])


def test_no_service_is_root_or_can_become_somebody_else() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert SERVICES["postgres"]["user"] == "postgres", "its image starts as root; ours does not"
    assert SERVICES["postgres"]["tmpfs"] == ["/tmp", "/run/postgresql"], "its socket"


@pytest.mark.parametrize("name", OURS)
def test_our_services_can_write_nothing_but_a_temporary_directory_and_reports_that_wait(name: str) -> None:
    service = SERVICES[name]
    assert service["tmpfs"] == ["/tmp"]
    written = [mount["target"] for mount in service.get("volumes", ()) if not mount.get("read_only", False)]
    data_dir = re.search(r"PROBER_DATA_DIR=(\S+)", dict(stages()[-1])["ENV"])
    assert data_dir is not None
    assert written == ([data_dir[1]] if name in ("prober", "worker") else [])


def test_no_service_can_be_reached_from_other_machines() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["dashboard"]
    for port in published["dashboard"]:
        assert port.startswith("127.0.0.1:")
        assert port.endswith(f":{parsed(SERVICES['dashboard']['command']).port}")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080"])
def test_the_dashboard_answers_under_the_address_that_is_published(host: str) -> None:
    assert is_known_host(host, frozenset())


def test_the_dashboard_is_asked_for_its_health_where_it_answers() -> None:
    word, python, flag, program = SERVICES["dashboard"]["healthcheck"]["test"]
    assert (word, python, flag) == ("CMD", "python", "-c")
    compile(program, "healthcheck", "exec")
    address = urlsplit(re.findall(r"'(http://[^']+)'", program)[0])
    assert address.port == parsed(SERVICES["dashboard"]["command"]).port
    configuration = Config(database_url="postgresql://nobody@localhost/nothing")
    assert address.path in {getattr(route, "path", None) for route in build(configuration, SystemClock()).routes}


@pytest.mark.parametrize("name", ["prober", "worker"])
def test_a_worker_is_asked_whether_it_is_wedged_where_it_answers(name: str) -> None:
    word, python, flag, program = SERVICES[name]["healthcheck"]["test"]
    assert (word, python, flag) == ("CMD", "python", "-c")
    compile(program, "healthcheck", "exec")
    address = urlsplit(re.findall(r"'(http://[^']+)'", program)[0])
    port = re.search(r"PROBER_STATUS_PORT=(\d+)", dict(stages()[-1])["ENV"])
    assert port is not None
    with_status = parse(b"endpoints: []", "prober.yaml", {"PROBER_STATUS_PORT": port[1]}).status
    assert (address.hostname, address.port) == (with_status.host, with_status.port)
    server = StatusServer("127.0.0.1", 0, status=Status(Vitals(), SystemClock()), metrics=bytes)
    server.start()
    try:
        urlopen(f"http://127.0.0.1:{server.address[1]}{address.path}", timeout=3).close()
    finally:
        server.stop()


def test_the_password_has_no_default_and_is_written_nowhere() -> None:
    uses = re.findall(r"\$\{POSTGRES_PASSWORD(.*?)\}", COMPOSE_TEXT)
    assert uses
    assert all(use.startswith(":?") for use in uses)
    assert "$POSTGRES_PASSWORD" not in COMPOSE_TEXT


def test_the_prober_and_the_database_mean_the_same_database() -> None:
    server = SERVICES["postgres"]["environment"]
    for name in OURS:
        url = SERVICES[name]["environment"]["DATABASE_URL"]
        beginning, _, rest = url.partition(":${")
        assert beginning == f"postgresql://{server['POSTGRES_USER']}"
        assert rest.endswith(f"@postgres:5432/{server['POSTGRES_DB']}")
        assert normalise(re.sub(r"\$\{.*?\}", "secret", url)).endswith("@postgres:5432/prober")
    check = SERVICES["postgres"]["healthcheck"]["test"]
    assert f"--username={server['POSTGRES_USER']}" in check
    assert f"--dbname={server['POSTGRES_DB']}" in check


def test_the_database_outlives_its_container() -> None:
    major = int(SERVICES["postgres"]["image"].partition(":")[2])
    assert major >= 18, "before 18 the data lay in /var/lib/postgresql/data"
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


def test_the_secrets_of_probing_are_given_to_those_that_probe_alone() -> None:
    given = {name: [each["path"] for each in SERVICES[name].get("env_file", ())] for name in SERVICES}
    assert given == {"postgres": [], "prober": ["prober.env"], "worker": ["prober.env"], "dashboard": ["dashboard.env"]}
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    for path in (".env", "prober.env", "dashboard.env"):
        assert any(fnmatch(path, pattern) for pattern in ignored)


def test_nobody_looks_at_the_dashboard_without_a_login() -> None:
    assert "--insecure-no-auth" not in SERVICES["dashboard"]["command"]
