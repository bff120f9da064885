"""What the environment may say about who vouches for people, and what is refused at the start."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.requests import Request

from dashboard.access.environment import Groups, SettingRefused
from dashboard.access.oidc import LASTS, Attempt, OidcSettings, Spent
from dashboard.access.proxy import LONGEST_GROUPS, ProxySettings, address_of
from dashboard.config import Config, ConfigMissing
from prober.storage.people import Role
from prober.storage.vouched import fit

OIDC = "PROBER_DASHBOARD_OIDC_"
PROXY = "PROBER_DASHBOARD_PROXY_"
PROVIDER = {
    "DATABASE_URL": "postgresql://prober@localhost/prober",
    "PROBER_DASHBOARD_PUBLIC_URL": "https://prober.example.com/",
    f"{OIDC}ISSUER": "https://login.example.com/realms/ops",
    f"{OIDC}CLIENT_ID": "prober",
    f"{OIDC}GROUPS": "oncall=operator, platform=admin",
}
IN_FRONT = {
    "DATABASE_URL": "postgresql://prober@localhost/prober",
    f"{PROXY}TRUSTED": "10.0.0.5, fd00:1::/64",
    f"{PROXY}USER_HEADER": "Remote-User",
    f"{PROXY}ROLE": "viewer",
}
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def oidc(**changes: str) -> OidcSettings:
    found = Config.from_environment({**PROVIDER, **{OIDC + name: text for name, text in changes.items()}}).oidc
    assert found is not None
    return found


def proxy(**changes: str) -> ProxySettings:
    found = Config.from_environment({**IN_FRONT, **{PROXY + name: text for name, text in changes.items()}}).proxy
    assert found is not None
    return found


def test_without_a_word_about_them_nobody_vouches() -> None:
    config = Config.from_environment({"DATABASE_URL": "x", f"{OIDC}ISSUER": " ", f"{PROXY}ROLE": ""})
    assert (config.oidc, config.proxy) == (None, None)


def test_a_provider_needs_little() -> None:
    found = oidc()
    assert found.redirect_uri == "https://prober.example.com/login/oidc/callback"
    assert found.groups == Groups({"oncall": Role.OPERATOR, "platform": Role.ADMIN})
    assert (found.scopes, found.groups_claim, found.client_secret) == ("openid profile email", "groups", None)
    assert found.reachable == ()


def test_groups_with_commas_are_written_as_json() -> None:
    found = oidc(GROUPS='{"CN=ops,OU=x": "admin"}', SCOPES="openid groups", GROUPS_CLAIM="roles", LABEL="Log in with X")
    assert found.groups.roles == {"CN=ops,OU=x": Role.ADMIN}
    assert (found.scopes, found.groups_claim, found.label) == ("openid groups", "roles", "Log in with X")


def test_a_provider_on_this_machine_and_in_networks_that_are_named_may_be_asked() -> None:
    assert oidc(ISSUER="http://127.0.0.1:9000").reachable == ("127.0.0.0/8", "::1/128")
    assert oidc(ALLOW_CIDRS="10.1.0.0/16").reachable == ("10.1.0.0/16",)


def test_the_secret_of_the_client_is_kept_as_a_reference(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    assert oidc(CLIENT_SECRET=f"file:{tmp_path}/secret").client_secret == f"file:{tmp_path}/secret"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({f"{OIDC}GROUPS": ""}, f"{OIDC}GROUPS is not set"),
        ({f"{OIDC}GROUPS": " , "}, f"{OIDC}GROUPS is not set"),
        ({f"{OIDC}GROUPS": "{}"}, f"{OIDC}GROUPS is not set"),
        ({f"{OIDC}GROUPS": "oncall"}, "oncall names no role"),
        ({f"{OIDC}GROUPS": "oncall=root"}, "oncall=root is no group with viewer or operator or admin"),
        ({f"{OIDC}GROUPS": "=admin"}, "=admin is no group"),
        ({f"{OIDC}GROUPS": "a=admin, a=viewer"}, "two roles"),
        ({f"{OIDC}GROUPS": '{"a": "admin"'}, "no JSON object"),
        ({f"{OIDC}GROUPS": '{"a": ["admin"]}'}, "is no group"),
        ({f"{OIDC}ISSUER": ""}, f"{OIDC}ISSUER is not set"),
        ({f"{OIDC}CLIENT_ID": ""}, f"{OIDC}CLIENT_ID is not set"),
        ({f"{OIDC}ISSUER": "http://login.example.com"}, "must begin with https://"),
        ({f"{OIDC}ISSUER": "login.example.com"}, "is no address"),
        ({f"{OIDC}ISSUER": "https://[::1"}, "is no address"),
        ({f"{OIDC}ISSUER": "https://a:b@login.example.com"}, "without a password"),
        ({f"{OIDC}ISSUER": "https://login.example.com?x=1"}, "a query"),
        ({f"{OIDC}SCOPES": "profile"}, "must have openid"),
        ({f"{OIDC}CLIENT_SECRET": "s3cret-itself"}, "does not hold the secret itself"),
        ({f"{OIDC}CLIENT_SECRET": "env:NOT_THERE"}, "NOT_THERE is not set"),
        ({f"{OIDC}ALLOW_CIDRS": "10.0.0.1/8"}, "is no network"),
        ({f"{OIDC}GROUP": "oncall=viewer"}, f"{OIDC}GROUP is no setting"),
        ({"PROBER_DASHBOARD_PUBLIC_URL": ""}, "PROBER_DASHBOARD_PUBLIC_URL is not set"),
        ({"PROBER_DASHBOARD_PUBLIC_URL": "http://prober.example.com"}, "must begin with https://"),
        ({"PROBER_DASHBOARD_ACCESS": "open"}, "PROBER_DASHBOARD_ACCESS=open lets everybody in"),
    ],
)
def test_a_provider_that_would_let_in_too_many_or_nobody_is_refused(changes: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigMissing) as refused:
        Config.from_environment({**PROVIDER, **changes})
    assert named in str(refused.value)
    assert "s3cret-itself" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({f"{PROXY}TRUSTED": ""}, f"{PROXY}TRUSTED is not set"),
        ({f"{PROXY}TRUSTED": "proxy.example.com"}, "is no network"),
        ({f"{PROXY}TRUSTED": "10.0.0.5, 0.0.0.0/0"}, "trusts every address"),
        ({f"{PROXY}TRUSTED": "::/0"}, "trusts every address"),
        ({f"{PROXY}USER_HEADER": ""}, f"{PROXY}USER_HEADER is not set"),
        ({f"{PROXY}USER_HEADER": "Remote User"}, "cannot be the header"),
        ({f"{PROXY}USER_HEADER": "Cookie"}, "cannot be the header"),
        ({f"{PROXY}ROLE": ""}, "nothing says what people may do"),
        ({f"{PROXY}ROLE": "root"}, "root is none of viewer, operator, admin"),
        ({f"{PROXY}GROUPS": "a=admin"}, "need each other"),
        ({f"{PROXY}GROUPS_HEADER": "Remote-Groups"}, "need each other"),
        ({f"{PROXY}USER": "x"}, f"{PROXY}USER is no setting"),
        ({"PROBER_DASHBOARD_ACCESS": "open"}, "PROBER_DASHBOARD_ACCESS=open lets everybody in"),
    ],
)
def test_a_proxy_that_anybody_could_be_is_refused(changes: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigMissing) as refused:
        Config.from_environment({**IN_FRONT, **changes})
    assert named in str(refused.value)


def test_only_the_named_addresses_are_the_proxys() -> None:
    found = proxy()
    for address in ("10.0.0.5", "::ffff:10.0.0.5", "fd00:1::7"):
        assert found.is_trusted(address)
    for address in ("10.0.0.6", "127.0.0.1", "::1", "", "testclient", "10.0.0.5:80", "fd00:2::7"):
        assert not found.is_trusted(address)


def test_the_role_is_the_highest_of_the_groups_or_that_of_everybody() -> None:
    found = proxy(ROLE="", GROUPS_HEADER="Remote-Groups", GROUPS="oncall=operator, platform=admin, all=viewer")
    assert found.role_of("all, oncall") is Role.OPERATOR
    assert found.role_of("all|platform|x") is Role.ADMIN
    assert found.role_of("on,call") is None
    assert found.role_of(None) is None
    assert proxy().role_of(None) is Role.VIEWER


def test_a_list_of_groups_that_is_too_long_gives_nobody_the_group_in_which_it_would_be_cut() -> None:
    found = proxy(ROLE="", GROUPS_HEADER="Remote-Groups", GROUPS="oncall=operator, platform=admin")
    before = "oncall" + ",x" * ((LONGEST_GROUPS - len("oncall,platform")) // 2)
    assert found.role_of(f"{before},platform") is Role.ADMIN
    assert found.role_of(f"{before}, platform-readers") is Role.OPERATOR


def asked_from(peer: str, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return Request({"type": "http", "headers": headers, "client": (peer, 5000), "path": "/"})


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("198.51.100.7", ["203.0.113.1"], "198.51.100.7"),
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["203.0.113.1"], "203.0.113.1"),
        ("10.0.0.5", ["127.0.0.1, 203.0.113.1"], "203.0.113.1"),
        ("10.0.0.5", ["127.0.0.1", "203.0.113.1, fd00:1::9"], "203.0.113.1"),
        ("10.0.0.5", ["203.0.113.1, unknown"], "10.0.0.5"),
        ("10.0.0.5", ["10.0.0.5"], "10.0.0.5"),
    ],
)
def test_a_browsers_address_is_what_the_last_of_our_proxies_saw(peer: str, forwarded: list[str], seen: str) -> None:
    assert address_of(asked_from(peer, *forwarded), proxy()) == seen


def test_nobody_is_believed_about_addresses_without_a_setting() -> None:
    assert address_of(asked_from("10.0.0.5", "203.0.113.1"), None) == "10.0.0.5"


def test_an_attempt_outlives_its_way_through_the_browser_but_not_ten_minutes() -> None:
    attempt = Attempt.begin(NOW, "/endpoints/a?day=1")
    again = Attempt.read(attempt.cookie, NOW + LASTS)
    assert again is not None
    assert (again.state, again.nonce, again.verifier, again.next) == (
        *(attempt.state, attempt.nonce, attempt.verifier),
        attempt.next,
    )
    assert again.is_answered_by(attempt.state)
    assert Attempt.read(attempt.cookie, NOW + LASTS + timedelta(seconds=1)) is None
    assert Attempt.read(attempt.cookie, NOW - timedelta(minutes=2)) is None


def test_what_the_provider_is_told_gives_nothing_away() -> None:
    one, other = Attempt.begin(NOW, "/"), Attempt.begin(NOW, "/")
    told = {one.seed, one.state, one.nonce, one.verifier, one.challenge}
    assert len(told) == 5
    assert not told & {other.seed, other.state, other.nonce, other.verifier, other.challenge}
    assert 43 <= len(one.verifier) <= 128
    assert not one.is_answered_by(other.state)
    assert not one.is_answered_by("")


@pytest.mark.parametrize(
    "cookie", ["", ".", "a.b.c", "x" * 43, "x" * 43 + ".1.é", "x" * 43 + ".99999999999.", "x" * 9000]
)
def test_what_is_no_attempt_is_none(cookie: str) -> None:
    assert Attempt.read(cookie, NOW) is None


def test_an_attempt_is_spent_once_and_the_memory_of_it_is_bounded() -> None:
    spent, attempts = Spent(room=2), [Attempt.begin(NOW, "/") for _ in range(3)]
    assert [spent.is_first(each) for each in (attempts[0], attempts[0], *attempts[1:])] == [True, False, True, True]
    assert not spent.is_first(attempts[2])


@pytest.mark.parametrize(
    ("name", "here"),
    [("Alice", "alice"), ("Jürgen Müller", "jurgen-muller"), ("a@b.com", "a@b.com"), ("‮", ""), ("<b>x", "b-x")],
)
def test_names_from_elsewhere_are_spelled_as_names_are_here(name: str, here: str) -> None:
    assert fit(name) == here


def test_networks_of_addresses_are_those_addresses_alone() -> None:
    assert proxy(TRUSTED="10.0.0.5").trusted == (ipaddress.ip_network("10.0.0.5/32"),)
    with pytest.raises(SettingRefused):
        Groups.read("X", "a=b=c")
