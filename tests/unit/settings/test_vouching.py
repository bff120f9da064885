"""Who vouches for people, as the file and the environment say it, and as the dashboard's process hears it."""

import pytest

from dashboard.config import Config
from prober.app.dashboard_process import environment_of
from prober.settings import Access, ConfigError, DashboardSettings, parse
from prober.storage.people import Role

OIDC = "PROBER_DASHBOARD_OIDC_"
FILE = """\
endpoints: []
dashboard:
  public_url: https://prober.example.com
  oidc:
    issuer: https://login.example.com/realms/ops
    client_id: mcp-prober
    groups: {oncall: operator, "CN=ops,OU=x": admin}
    scopes: openid groups
    allow_cidrs: [10.1.0.0/16, 10.2.0.0/16]
  proxy:
    trusted: [10.0.0.5, "fd00:1::/64"]
    user_header: Remote-User
    groups_header: Remote-Groups
    groups: {platform: admin}
    role: viewer
"""


def dashboard(text: str, **environment: str) -> DashboardSettings:
    return parse(text.encode(), "f", environment).dashboard


def problems(text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        dashboard(text, **environment)
    assert all(each.hint for each in refused.value.problems)
    return [f"{each.place} {each.message}" for each in refused.value.problems]


def heard(settings: DashboardSettings) -> Config:
    """What the dashboard makes of it."""
    return Config.from_environment(environment_of("postgresql://localhost/x", settings, Access.LOGIN))


def test_what_the_file_says_arrives_at_the_dashboard() -> None:
    found = heard(dashboard(FILE))
    assert found.oidc is not None
    assert found.oidc.issuer == "https://login.example.com/realms/ops"
    assert found.oidc.groups.roles == {"oncall": Role.OPERATOR, "CN=ops,OU=x": Role.ADMIN}
    assert (found.oidc.scopes, found.oidc.groups_claim) == ("openid groups", "groups")
    assert found.oidc.allow_cidrs == ("10.1.0.0/16", "10.2.0.0/16")
    assert found.oidc.redirect_uri == "https://prober.example.com/login/oidc/callback"
    assert found.proxy is not None
    assert [str(each) for each in found.proxy.trusted] == ["10.0.0.5/32", "fd00:1::/64"]
    assert (found.proxy.user_header, found.proxy.role) == ("Remote-User", Role.VIEWER)
    assert found.proxy.groups.roles == {"platform": Role.ADMIN}


def test_the_environment_stands_over_the_file_key_by_key() -> None:
    said = {f"{OIDC}GROUPS": "sre = admin, all=viewer", f"{OIDC}CLIENT_ID": "other", f"{OIDC}LABEL": " "}
    found = heard(dashboard(FILE, **said)).oidc
    assert found is not None
    assert found.groups.roles == {"sre": Role.ADMIN, "all": Role.VIEWER}
    assert (found.client_id, found.label) == ("other", "Single sign-on")
    assert found.issuer == "https://login.example.com/realms/ops"


def test_the_environment_alone_will_do() -> None:
    said = {
        "PROBER_DASHBOARD_PUBLIC_URL": "https://prober.example.com",
        f"{OIDC}ISSUER": "https://login.example.com",
        f"{OIDC}CLIENT_ID": "prober",
        f"{OIDC}GROUPS": '{"a": "admin"}',
        f"{OIDC}ALLOW_CIDRS": "10.1.0.0/16, 10.2.0.0/16",
    }
    found = heard(dashboard("endpoints: []", **said)).oidc
    assert found is not None
    assert (found.groups.roles, found.allow_cidrs) == ({"a": Role.ADMIN}, ("10.1.0.0/16", "10.2.0.0/16"))
    assert heard(dashboard("endpoints: []")).oidc is None


def test_every_fault_is_named_at_its_place_in_one_run() -> None:
    text = """\
endpoints: []
dashboard:
  access: open
  oidc:
    issuer: http://login.example.com?x=1
    groups: {a: root}
    client_secret: aws-ssm:/secret
    scopes: profile
    client_sekret: x
  proxy:
    trusted: [0.0.0.0/0]
    user_header: Cookie
"""
    assert problems(text) == [
        "f:4 dashboard.oidc.client_id: is missing",
        "f:4 dashboard.oidc: needs dashboard.public_url, to which the provider sends browsers back",
        "f:4 dashboard.oidc: says who people are, and access: open asks nobody",
        "f:5 dashboard.oidc.issuer: does not begin with https://, and what is sent there must not be read on the way",
        "f:5 dashboard.oidc.issuer: holds a query, which no issuer has",
        "f:6 dashboard.oidc.groups.a: must be 'viewer', 'operator' or 'admin'",
        "f:7 dashboard.oidc.client_secret: is kept by AWS, which the dashboard does not ask",
        "f:8 dashboard.oidc.scopes: lacks openid, without which nobody is asked who they are",
        "f:9 dashboard.oidc.client_sekret: is not a known key",
        "f:10 dashboard.proxy: does not say what people may do whom the proxy names",
        "f:10 dashboard.proxy: says who people are, and access: open asks nobody",
        "f:11 dashboard.proxy.trusted: trusts every address there is",
        "f:12 dashboard.proxy.user_header: says something else already",
    ]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("oidc: {issuer: 'https://x', client_id: x, groups: {}}", "f:4 dashboard.oidc.groups: lets nobody in"),
        ("oidc: {issuer: 'https://x', client_id: x, groups: a}", "f:4 dashboard.oidc.groups: names a group without"),
        ("oidc: {issuer: 'https://x', client_id: x, groups: 'a=admin, a=viewer'}", "f:4 dashboard.oidc.groups: gives"),
        ("oidc: {issuer: 'https://x', client_id: x, groups: '{'}", "f:4 dashboard.oidc.groups: is no JSON object"),
        ("oidc: {issuer: 'https://x', client_id: x, groups: {a: admin}, client_secret: s3}", "client_secret: "),
        ("proxy: {trusted: []}", "f:4 dashboard.proxy.trusted: "),
        ("proxy: {trusted: [proxy.example.com]}", "f:4 dashboard.proxy.trusted[0]: is not a network"),
        ("proxy: {trusted: [10.0.0.5], role: admin}", "f:4 dashboard.proxy: lacks user_header"),
        ("proxy: {trusted: [10.0.0.5], user_header: X, groups_header: G}", "f:4 dashboard.proxy: has one of groups"),
    ],
)
def test_each_of_them_is_said_with_the_way_out(section: str, said: str) -> None:
    found = problems(f"endpoints: []\ndashboard:\n  public_url: https://prober.example.com\n  {section}\n")
    assert any(said in each for each in found), found
    assert not any("s3" in each for each in found)


def test_a_fault_of_the_environment_is_named_there() -> None:
    (found,) = problems(FILE, **{f"{OIDC}GROUPS": "oncall"})
    assert found.startswith(f"environment variable {OIDC}GROUPS dashboard.oidc.groups: names a group without a role")


def test_a_public_address_without_tls_is_refused_where_a_provider_sends_browsers_there() -> None:
    text = FILE.replace("public_url: https", "public_url: http")
    assert any(each.startswith("f:3 dashboard.public_url: does not begin") for each in problems(text))
    assert dashboard("endpoints: []\ndashboard: {public_url: 'http://prober.example.com'}").vouching == {}
