"""The demo's configuration: one that `config check` accepts, with its secrets where only their owner can read them."""

import os
import stat
from pathlib import Path

import yaml

from prober.app import channels
from prober.app.demo import INTERVAL_S, SHOWN, STORY_INTERVAL_S, own_environment, write_configuration
from prober.settings import load

URLS = {scenario.id: f"http://127.0.0.1:9/{scenario.id}" for scenario in SHOWN}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_demo_configuration_passes_the_check_and_names_every_scenario_that_is_shown(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "demo", URLS)
    settings = load(path, {}, judge=channels.problems_with)
    assert {endpoint.name: endpoint.url for endpoint in settings.endpoints} == URLS
    assert [(notifier.name, notifier.kind) for notifier in settings.notifiers] == [("notices", "file")]
    by_name = {endpoint.name: endpoint for endpoint in settings.endpoints}
    for scenario in SHOWN:
        endpoint = by_name[scenario.id]
        assert len(endpoint.sentinels) == len(scenario.options.get("sentinels", []))
        assert endpoint.streaming is scenario.options.get("streaming")
        assert endpoint.protocol_version == scenario.options.get("protocol_version")
        assert endpoint.era == scenario.options.get("era")
        assert [*endpoint.browser_origins] == scenario.options.get("browser_origins", [])
        assert (endpoint.bearer is None) is ("bearer" not in scenario.options)
        assert endpoint.timeout_s <= endpoint.interval_s
        assert endpoint.interval_s == (INTERVAL_S if scenario.steady else STORY_INTERVAL_S)


def test_reports_of_the_demo_wait_beside_its_database_where_commands_with_its_file_look_for_it(tmp_path: Path) -> None:
    assert load(write_configuration(tmp_path / "demo", URLS), {}).data_dir == tmp_path / "demo"


def test_credentials_lie_in_files_of_their_own_that_nobody_else_may_read(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        path = write_configuration(tmp_path / "demo", URLS)
    finally:
        os.umask(umask)
    secrets = sorted((tmp_path / "demo" / "secrets").iterdir())
    tokens = {each.id: f"{each.id}-bearer" for each in SHOWN if "bearer" in each.options}
    assert [secret.name for secret in secrets] == sorted(["auth-rejected-authorization", *tokens.values()])
    assert {"bearer", "browser-clients-bearer"} <= tokens.keys()
    assert {mode_of(secret) for secret in secrets} == {0o600}
    assert mode_of(secrets[0].parent) == 0o700
    endpoints = yaml.safe_load(path.read_text())["endpoints"]
    assert {each["name"]: each["auth"] for each in endpoints if "auth" in each} == {
        name: {"bearer": f"file:{secrets[0].with_name(file)}"} for name, file in tokens.items()
    }
    assert {each["name"]: each["headers"] for each in endpoints if "headers" in each} == {
        "auth-rejected": {"Authorization": f"file:{secrets[0]}"},
        "observer-impaired": {"Authorization": "env:MCP_PROBER_LAB_NO_SUCH_SECRET"},
    }
    assert not [secret for secret in secrets if secret.read_text() in path.read_text()]


def test_a_second_run_closes_what_stood_open_and_replaces_what_was_longer(tmp_path: Path) -> None:
    write_configuration(tmp_path, URLS)
    secret = tmp_path / "secrets" / "auth-rejected-authorization"
    written = secret.read_text()
    secret.write_text("x" * 1000)
    secret.chmod(0o644)
    write_configuration(tmp_path, URLS)
    assert mode_of(secret) == 0o600
    assert secret.read_text() == written
    assert not list(tmp_path.glob("*.new"))


def test_what_configures_an_owners_prober_is_nothing_to_the_demo() -> None:
    environment = {"DATABASE_URL": "postgresql://real", "PROBER_CLOUDWATCH_ENABLED": "true", "PATH": "/bin"}
    assert own_environment(environment) == {"PATH": "/bin"}
