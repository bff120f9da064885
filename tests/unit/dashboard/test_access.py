"""Where a login leads, how tries are counted, and which passwords are taken."""

from datetime import timedelta

import pytest

from dashboard.access import csrf
from dashboard.access.addresses import counted
from dashboard.access.logging_in import OF_ADDRESS, OF_NAME, OF_ONE
from dashboard.access.permissions import GRANTS, Permission
from dashboard.access.way_in import local
from dashboard.views.settings import whom_of
from prober.cli.access import SCOPES
from prober.secrets.passwords import NOBODYS, PasswordRefused, accepted, is_outdated, is_right
from prober.storage.failed_logins import Pauses, by_address, by_name, by_name_from
from prober.storage.people import Role


@pytest.mark.parametrize("path", ["/", "/incidents?open=1", "/endpoints/a%2Fb", "/?next=//evil.example"])
def test_a_login_leads_back_to_a_path_of_ours(path: str) -> None:
    assert local(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        None,
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "evil",
        "/\n/evil.example",
        "/login?next=/",
        "/" + "x" * 3000,
        "\\\\evil.example",
        "/a\\b",
    ],
)
def test_it_leads_nowhere_else(path: str | None) -> None:
    assert local(path) == "/"


def test_pauses_grow_from_the_first_try_that_is_too_many() -> None:
    pauses = Pauses(free=3, first=timedelta(seconds=10), longest=timedelta(minutes=1))
    assert [pauses.after(number) for number in (1, 2)] == [None, None]
    assert [pauses.after(number).seconds for number in (3, 4, 5, 6, 1_000_000)] == [10, 20, 40, 60, 60]


def test_one_address_tries_at_most_twenty_passwords_in_a_quarter_of_an_hour() -> None:
    for pauses in (OF_ONE, OF_ADDRESS):
        tries, waited = 0, timedelta(0)
        while waited < timedelta(minutes=15):
            tries += 1
            waited += pauses.after(tries) or timedelta(0)
        assert tries <= 20
    assert OF_NAME.longest <= timedelta(minutes=1)


@pytest.mark.parametrize("name", ["ada 192.0.2.1", "192.0.2.1 ada", "from 192.0.2.1 ada", "address 192.0.2.1"])
def test_no_name_that_somebody_types_counts_against_somebody_else(name: str) -> None:
    others = {by_name("ada"), by_address("192.0.2.1"), by_name_from("ada", "192.0.2.1")}
    assert not others & {by_name(name), by_name_from(name, "198.51.100.1")}


@pytest.mark.parametrize(
    ("address", "as_one"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1:aaaa::1", "2001:db8:0:1::/64"),
        ("2001:db8:0:1::2%eth0", "2001:db8:0:1::/64"),
        ("testclient", "testclient"),
    ],
)
def test_tries_from_one_network_are_counted_together(address: str, as_one: str) -> None:
    assert counted(address) == as_one


def test_a_password_is_long_and_not_what_everybody_guesses() -> None:
    assert accepted("correct horse", of="ada") == "correct horse"
    for refused in ("short", "x" * 1025, "aaaaaaaaaaaaaaaa", "ada.lovelace.1815"):
        with pytest.raises(PasswordRefused):
            accepted(refused, of="ada.lovelace.1815")


def test_a_name_that_nobody_has_takes_as_long_as_one_that_somebody_has() -> None:
    assert not is_outdated(NOBODYS)
    assert not is_right("", NOBODYS)
    assert not is_right("", "no hash at all")


def test_the_field_of_a_form_is_for_one_browser() -> None:
    assert csrf.is_right(csrf.token("a"), "a")
    for wrong in ("", csrf.token("b"), "\ud800", "é" * 64):
        assert not csrf.is_right(wrong, "a")


def test_each_role_may_what_the_one_before_may() -> None:
    viewer, operator, admin = (GRANTS[role] for role in Role)
    assert viewer < operator < admin == frozenset(Permission)
    assert set(SCOPES) == set(Permission)


def test_whom_maintenance_is_for_is_written_in_a_line() -> None:
    assert whom_of("orders, team=payments\nledger,") == (["orders", "ledger"], {"team": "payments"})
    assert whom_of(" ") == ([], {})
    with pytest.raises(ValueError, match="key=value"):
        whom_of("team=")
