"""The dashboard's socket and its process."""

import asyncio
import os
import re
import signal
import socket
import urllib.request
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from prober.app.dashboard_process import (
    EnvironmentRefused,
    NotLoopback,
    OpenAndVouched,
    PortTaken,
    access_at,
    address,
    blanked,
    check,
    keep_running,
    listen,
    warn_of_plain_http,
)
from prober.settings import Access, DashboardSettings
from tests.contract.documents.access import application, doors
from tests.integration.app.conftest import Configuration, Start, is_alive, until

BEYOND = ["0.0.0.0", "::", "192.0.2.1", "prober.example"]
OPEN, LOGIN = DashboardSettings(access=Access.OPEN), DashboardSettings(access=Access.LOGIN)


@pytest.mark.parametrize("host", BEYOND)
def test_beyond_this_machine_people_log_in_unless_somebody_insists(host: str) -> None:
    assert access_at(host, DashboardSettings(), {}) is access_at(host, LOGIN, {}) is Access.LOGIN
    with pytest.raises(NotLoopback, match="--insecure-no-auth"):
        access_at(host, OPEN, {})
    for settings in (DashboardSettings(), OPEN):
        assert access_at(host, settings, {}, insecure_no_auth=True) is Access.OPEN
    assert access_at(host, LOGIN, {}, insecure_no_auth=True) is Access.LOGIN


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_nobody_logs_in_until_somebody_is_named(host: str) -> None:
    assert access_at(host, DashboardSettings(), {}) is access_at(host, OPEN, {}) is Access.OPEN
    assert access_at(host, LOGIN, {}) is Access.LOGIN
    for variable in ("ADMIN_PASSWORD_FILE", "PROBER_DASHBOARD_OIDC_ISSUER", "PROBER_DASHBOARD_PROXY_USER_HEADER"):
        assert access_at(host, DashboardSettings(), {variable: "x"}) is Access.LOGIN
        assert access_at(host, DashboardSettings(), {variable: ""}) is Access.OPEN


def test_a_public_address_elsewhere_asks_for_a_login_where_nothing_is_said() -> None:
    for public, access in (("https://prober.example", Access.LOGIN), ("http://localhost:8080", Access.OPEN)):
        assert access_at("127.0.0.1", DashboardSettings(public_url=public), {}) is access
        assert access_at("127.0.0.1", DashboardSettings(public_url=public, access=Access.OPEN), {}) is Access.OPEN


def test_an_address_that_is_everywhere_is_shown_as_one_that_a_browser_finds() -> None:
    with listen("0.0.0.0", 0) as listener:
        assert address(listener).startswith("http://127.0.0.1:")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_is_for_everybody(host: str) -> None:
    with listen(host, 0) as listener:
        shown = address(listener)
        assert shown.startswith("http://[::1]:" if ":" in host else "http://127.0.0.1:")
        with socket.create_connection(listener.getsockname()[:2], 2):
            pass


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_does_not_exist_is_named(port: int) -> None:
    with pytest.raises(PortTaken, match="choose another port with --port"):
        listen("127.0.0.1", port)


def test_a_taken_port_is_said_in_plain_words() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port}: Address already in use; choose another port with --port"):
            listen("127.0.0.1", port)


def test_beyond_this_machine_nothing_of_what_is_watched_is_told_without_a_login(
    start: Start, database_url: str
) -> None:
    running = start("serve", "--host", "0.0.0.0", "--port", "0", DATABASE_URL=database_url)
    shown = running.first_line().removeprefix("dashboard: ")
    said, forged = [], {"Remote-User": "admin", "X-Forwarded-For": "127.0.0.1", "Cookie": "mcpp_login=x"}
    with httpx.Client(base_url=shown, timeout=15, headers=forged) as client:
        for door in doors(application()):
            answer = client.request(door.method, re.sub(r"\{\w+(:path)?\}", str(UUID(int=0)), door.path))
            is_asked = answer.status_code == 401 or answer.headers.get("location", "").startswith("/login")
            if not is_asked and answer.status_code not in {403, 404}:
                said.append(door.path)
            assert is_asked or not door.permission, f"{door.method} {door.path}: {answer.status_code}"
    assert set(said) == {"/livez", "/readyz", "/login", "/setup"}, "there is no public page, for no endpoint is chosen"


def children_of(pid: int) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(parent) == pid and state != "Z":
                found.add(int(entry.name))
    return found


def test_a_dashboard_that_dies_starts_again_and_dies_with_its_prober(
    start: Start, configuration: Configuration, database_url: str
) -> None:
    config = configuration.write({"shop": "http://127.0.0.1:9/mcp"})
    # What lies in the working directory must not take the place of the prober's own packages.
    for name in ("dashboard", "checks"):
        (config.parent / name).mkdir()
        (config.parent / name / "__init__.py").write_text("raise AssertionError('somebody else')")
    running = start("up", "--config", str(config), "--port", "0", DATABASE_URL=database_url)
    shown = running.first_line().removeprefix("dashboard: ")
    assert shown.startswith("http://127.0.0.1:"), running.said

    def page() -> str:
        with urllib.request.urlopen(shown, timeout=45) as answer:
            return str(answer.read().decode())

    assert "shop" in page()
    (first,) = children_of(running.pid)
    os.kill(first, signal.SIGKILL)
    assert "shop" in page(), "connections wait for the next one"
    (second,) = children_of(running.pid)
    assert second != first
    assert "the dashboard ended with status -9; it starts again" in running.said
    running.kill()
    until(lambda: not is_alive(second), 20, "the dashboard is gone, too")


async def test_a_dashboard_that_the_machine_does_not_start_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    too_large = {"NOTHING": "x" * 4_000_000}  # execve(2): E2BIG, as ENOMEM would be without memory
    with listen("127.0.0.1", 0) as listener:
        trying = asyncio.create_task(keep_running(listener, too_large, pause_s=0.01))
        async with asyncio.timeout(10):
            while caplog.text.count("cannot be started: Argument list too long; it is tried again") < 2:
                assert not trying.done()
                await asyncio.sleep(0.01)
        trying.cancel()


def test_nobody_is_asked_and_somebody_vouches_is_a_contradiction() -> None:
    provider = {"PROBER_DASHBOARD_OIDC_ISSUER": "https://login.example.com"}
    with pytest.raises(OpenAndVouched, match="PROBER_DASHBOARD_OIDC_ISSUER"):
        access_at("127.0.0.1", OPEN, provider)
    with pytest.raises(OpenAndVouched, match="PROBER_DASHBOARD_PROXY_USER_HEADER"):
        access_at("0.0.0.0", DashboardSettings(), {"PROBER_DASHBOARD_PROXY_USER_HEADER": "x"}, insecure_no_auth=True)
    with pytest.raises(OpenAndVouched, match=r"dashboard\.oidc\.issuer"):
        access_at("0.0.0.0", DashboardSettings(vouching=provider), {}, insecure_no_auth=True)
    assert access_at("127.0.0.1", LOGIN, provider) is Access.LOGIN
    assert access_at("127.0.0.1", DashboardSettings(vouching=provider), {}) is Access.LOGIN


def test_an_empty_variable_takes_nothing_away_from_what_the_file_says() -> None:
    variable = "PROBER_DASHBOARD_PROXY_USER_HEADER"
    settings = DashboardSettings(vouching={variable: "Remote-User"})
    assert access_at("127.0.0.1", settings, {variable: ""}) is Access.LOGIN
    with pytest.raises(OpenAndVouched, match=r"dashboard\.proxy\.user_header"):
        access_at("0.0.0.0", settings, {variable: " "}, insecure_no_auth=True)


def test_the_owners_provider_is_none_of_the_demos_business() -> None:
    whole = {"PATH": "/bin", "PROBER_DASHBOARD_OIDC_ISSUER": "https://login.example.com", "PROBER_LOCATION": "here"}
    assert blanked(whole, {"PATH": "/bin", "PROBER_LOCATION": "here"}) == {"PROBER_DASHBOARD_OIDC_ISSUER": ""}


async def test_what_is_wrong_with_a_provider_is_said_once_before_anything_runs(
    capfd: pytest.CaptureFixture[str],
) -> None:
    lacking = {"DATABASE_URL": "postgresql://localhost/x", "PROBER_DASHBOARD_OIDC_ISSUER": "https://login.example.com"}
    with pytest.raises(EnvironmentRefused):
        await check(lacking)
    assert "dashboard: PROBER_DASHBOARD_OIDC_CLIENT_ID is not set" in capfd.readouterr().err
    await check({"DATABASE_URL": "postgresql://localhost/x"})


def test_a_dashboard_alone_that_cannot_use_its_environment_says_so_and_fails(start: Start) -> None:
    lacking = {"DATABASE_URL": "postgresql://localhost/x", "PROBER_DASHBOARD_PROXY_USER_HEADER": "Remote-User"}
    ended = start("serve", "--port", "0", **lacking)
    assert ended.process.wait(60) == 2
    assert "dashboard.proxy.trusted: is missing" in ended.said
    assert "Traceback" not in ended.said


@pytest.mark.parametrize(
    ("host", "public", "environment", "access", "warned"),
    [
        ("0.0.0.0", None, {}, Access.LOGIN, True),
        ("10.1.2.3", "http://prober.example.com", {}, Access.LOGIN, True),
        ("10.1.2.3", "https://prober.example.com", {}, Access.LOGIN, False),
        ("10.1.2.3", None, {"PROBER_DASHBOARD_PROXY_TRUSTED": "10.0.0.5"}, Access.LOGIN, False),
        ("127.0.0.1", None, {}, Access.LOGIN, False),
        ("10.1.2.3", None, {}, Access.OPEN, False),
    ],
)
def test_passwords_that_would_go_in_the_clear_are_warned_of(
    host: str,
    public: str | None,
    environment: dict[str, str],
    access: Access,
    warned: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    warn_of_plain_http(host, DashboardSettings(public_url=public), environment, access)
    assert ("passwords and tokens can be read on their way" in caplog.text) == warned
