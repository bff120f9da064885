"""Under which names the dashboard may be asked, and what it takes from its environment."""

import pytest
from starlette.datastructures import Headers

from dashboard.config import Config, ConfigMissing
from dashboard.guard import SECURITY_HEADERS, is_known_host, is_same_origin

ALLOWED = frozenset({"prober.example.com"})


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8080",
        "127.0.0.1:80",
        "[::1]:8080",
        "10.1.2.3",
        "dashboard",
        "PROBER.example.com:443",
        "prober.example.com.",
        "a.localhost",
    ],
)
def test_local_names_addresses_and_allowed_names_are_answered(host: str) -> None:
    assert is_known_host(host, ALLOWED)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "prober.example.com.evil.example",
        "",
        "localhost/../x",
        "a@localhost",
        "127.0.0.1.evil.example",
        "x y",
    ],
)
def test_names_of_strangers_are_not(host: str) -> None:
    assert not is_known_host(host, ALLOWED)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost:8080"},
        {"host": "localhost:8080", "origin": "http://localhost:8080"},
        {"host": "Prober.example.com", "origin": "https://prober.example.com"},
        {"host": "localhost", "origin": "http://localhost", "sec-fetch-site": "same-origin"},
    ],
)
def test_a_change_is_taken_from_our_own_pages_and_from_what_is_no_browser(headers: dict[str, str]) -> None:
    assert is_same_origin(Headers(headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:8080", "origin": "https://evil.example"},
        {"host": "localhost:8080", "origin": "http://localhost:9090"},
        {"host": "localhost", "origin": "null"},
        {"host": "localhost", "origin": ""},
        {"origin": "null"},
        {"host": "", "origin": "http://"},
        {"host": "localhost", "sec-fetch-site": "cross-site"},
        {"host": "localhost", "sec-fetch-site": "same-site"},
        {"host": "localhost", "sec-fetch-site": "none"},
        {"host": "localhost", "origin": "http://localhost", "sec-fetch-site": "cross-site"},
    ],
)
def test_a_change_is_not_taken_from_pages_of_others(headers: dict[str, str]) -> None:
    assert not is_same_origin(Headers(headers))


def test_our_own_forms_say_where_they_come_from_and_lead_nowhere_else() -> None:
    assert SECURITY_HEADERS["Referrer-Policy"] == "same-origin"
    assert "form-action 'self'" in SECURITY_HEADERS["Content-Security-Policy"]


def test_the_content_security_policy_needs_no_exception() -> None:
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_hosts_come_from_the_public_address_and_the_list() -> None:
    config = Config.from_environment(
        {
            "DATABASE_URL": "postgresql://x/y",
            "PROBER_DASHBOARD_PUBLIC_URL": "https://Prober.example.com:8443/",
            "PROBER_DASHBOARD_ALLOWED_HOSTS": "a.example, ,B.example",
        }
    )
    assert config.allowed_hosts == {"prober.example.com", "a.example", "b.example"}


def test_without_a_database_the_message_says_what_to_set() -> None:
    with pytest.raises(ConfigMissing, match="DATABASE_URL is not set"):
        Config.from_environment({"DATABASE_URL": " "})


def test_the_password_of_the_database_is_not_shown() -> None:
    assert "geheim" not in repr(Config(database_url="postgresql://u:geheim@h/d"))
