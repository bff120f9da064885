"""The address policy, in every spelling in which an address can be written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.net.guard import SETTING, GuardPolicy, explain, explain_port, never_allowed

PUBLIC_ONLY = GuardPolicy()
LAX = GuardPolicy(allow_private=True, allow_cidrs=("0.0.0.0/0", "::/0"))

NEVER = {
    "169.254.169.254": "metadata",
    "169.254.170.2": "metadata",
    "169.254.170.23": "metadata",
    "::ffff:169.254.169.254": "metadata",
    "::ffff:a9fe:a9fe": "metadata",
    "fd00:ec2::254": "metadata",
    "fd00:ec2:0:0:0:0:0:23": "metadata",
    "fd20:ce::254": "metadata",
    "100.100.100.200": "metadata",
    "168.63.129.16": "metadata",
    "192.0.0.192": "metadata",
    "169.254.1.1": "link-local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "::": "unspecified",
    "::ffff:0.0.0.0": "unspecified",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "64:ff9b::a9fe:a9fe": "translated",
    "64:ff9b:1::1": "translated",
    "2002:a9fe:a9fe::1": "translated",
    "192.88.99.1": "translated",
    "2001:0:53aa:64c::1": "translated",
    "::7f00:1": "translated",
    "::ffff:0:169.254.169.254": "translated",
    "": "unreadable",
    "localhost": "unreadable",
    "2130706433": "unreadable",
    "0x7f.1": "unreadable",
    "127.1": "unreadable",
    "010.0.0.1": "unreadable",
}
INSIDE = {
    "127.0.0.1": "loopback",
    "127.9.9.9": "loopback",
    "::1": "loopback",
    "::ffff:127.0.0.1": "loopback",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "private",
    "198.18.0.1": "private",
    "192.0.2.1": "private",
    "fc00::1": "private",
    "fd12:3456::1": "private",
    "fec0::1": "private",
    "2001:db8::1": "private",
    "5f00::1": "private",
    "::ffff:10.0.0.1": "private",
}


@pytest.mark.parametrize(("address", "reason"), NEVER.items())
def test_no_setting_allows_what_is_never_connected_to(address: str, reason: str) -> None:
    assert PUBLIC_ONLY.verdict_on(address) == reason
    assert LAX.verdict_on(address) == reason


@pytest.mark.parametrize(("address", "reason"), INSIDE.items())
def test_private_addresses_are_refused_until_they_are_allowed(address: str, reason: str) -> None:
    assert PUBLIC_ONLY.verdict_on(address) == reason
    assert GuardPolicy(allow_private=True).verdict_on(address) is None


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "172.32.0.1", "100.128.0.1"])
def test_public_addresses_pass(address: str) -> None:
    assert PUBLIC_ONLY.verdict_on(address) is None


def test_a_cidr_allows_its_own_addresses_and_no_others() -> None:
    policy = GuardPolicy(allow_cidrs=("10.1.2.3/16", "fd12::/16"))
    assert policy.verdict_on("10.1.255.1") is None
    assert policy.verdict_on("::ffff:10.1.0.1") is None
    assert policy.verdict_on("fd12::1") is None
    assert policy.verdict_on("10.2.0.1") == "private"
    assert policy.verdict_on("127.0.0.1") == "loopback"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "fd12:3456::1", "100.64.0.1", "::ffff:10.1.2.3"])
def test_what_stays_inside_is_not_public(address: str) -> None:
    assert not PUBLIC_ONLY.is_public(address)
    assert not LAX.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_what_leaves_the_house_is_public_unless_the_owner_calls_it_his(address: str) -> None:
    assert PUBLIC_ONLY.is_public(address)
    assert GuardPolicy(allow_private=True, allow_cidrs=("9.0.0.0/8",)).is_public(address)
    assert not GuardPolicy(allow_cidrs=("8.8.0.0/16", "2606:4700::/32")).is_public(address)


def test_a_cidr_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        GuardPolicy(allow_cidrs=("10.0.0.0/99",))


def test_a_refusal_names_the_setting_only_where_it_would_help() -> None:
    assert SETTING in explain("private", "inside.example", "10.0.0.1")
    assert "inside.example → 10.0.0.1" in explain("private", "inside.example", "10.0.0.1")
    assert SETTING not in explain("metadata", "169.254.169.254", "169.254.169.254")


@pytest.mark.parametrize(
    ("own", "address", "refused"),
    [
        (("127.0.0.1", 8080), "127.0.0.1", True),
        (("127.0.0.1", 8080), "127.9.9.9", True),
        (("127.0.0.1", 8080), "::ffff:127.0.0.1", True),
        (("::1", 8080), "127.0.0.1", True),
        (("0.0.0.0", 8080), "127.0.0.1", True),
        (("::", 8080), "::1", True),
        (("10.0.0.7", 8080), "10.0.0.7", True),
        (("10.0.0.7", 8080), "::ffff:10.0.0.7", True),
        (("10.0.0.7", 8080), "10.0.0.8", False),
        (("10.0.0.7", 8081), "10.0.0.7", False),
    ],
)
def test_where_the_prober_itself_listens_is_never_connected_to(
    own: tuple[str, int], address: str, refused: bool
) -> None:
    policy = GuardPolicy(allow_private=True, allow_cidrs=("0.0.0.0/0",), own=(own,))
    assert policy.is_own(address, 8080) is refused
    assert not GuardPolicy(allow_private=True).is_own(address, 8080)


def test_ports_of_other_protocols_need_an_explicit_address() -> None:
    assert PUBLIC_ONLY.refuses_port("93.184.215.14", 6379)
    assert not PUBLIC_ONLY.refuses_port("93.184.215.14", 8443)
    assert not GuardPolicy(allow_cidrs=("93.184.215.14/32",)).refuses_port("93.184.215.14", 6379)
    assert SETTING in explain_port("93.184.215.14", 6379)


policies = st.sampled_from(
    [
        PUBLIC_ONLY,
        LAX,
        GuardPolicy(allow_private=True),
        GuardPolicy(allow_cidrs=("10.0.0.0/8", "fd12::/16", "127.0.0.0/30")),
        GuardPolicy(allow_private=True, own=(("127.0.0.1", 443), ("10.0.0.7", 443))),
    ]
)
telling = st.sampled_from(
    [
        int(ipaddress.ip_address(each))
        for each in (*NEVER, *INSIDE)
        if each.count(".") == 3 and ":" not in each and not each.startswith("01")
    ]
)


@given(st.ip_addresses(v=4) | telling.map(ipaddress.IPv4Address), policies, st.sampled_from([443, 6379]))
def test_every_spelling_of_an_ipv4_address_gets_the_same_verdict(
    address: ipaddress.IPv4Address, policy: GuardPolicy, port: int
) -> None:
    mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    spellings = [
        str(address),
        f"::ffff:{address}",
        str(mapped),
        mapped.exploded,
        mapped.exploded.upper(),
        f"0:0:0:0:0:FFFF:{address}",
    ]

    def judged(spelling: str) -> tuple[str | None, bool, bool]:
        return policy.verdict_on(spelling), policy.refuses_port(spelling, port), policy.is_own(spelling, port)

    assert len({judged(spelling) for spelling in spellings}) == 1


@given(st.ip_addresses(v=6), policies)
def test_every_spelling_of_an_ipv6_address_gets_the_same_verdict(
    address: ipaddress.IPv6Address, policy: GuardPolicy
) -> None:
    spellings = [address.compressed, address.exploded, address.exploded.upper()]
    assert len({policy.verdict_on(spelling) for spelling in spellings}) == 1


@given(st.ip_addresses(), policies)
def test_what_is_not_global_passes_only_where_it_is_allowed(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, policy: GuardPolicy
) -> None:
    passes = policy.verdict_on(str(address)) is None
    listed = any(address in ipaddress.ip_network(cidr) for cidr in policy.allow_cidrs)
    assert not passes or address.is_global or policy.allow_private or listed


@given(st.text(max_size=40), policies)
def test_what_is_no_address_is_never_connected_to(text: str, policy: GuardPolicy) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        assert policy.verdict_on(text) == "unreadable"


_WRITTEN = [address for address, reason in NEVER.items() if reason != "unreadable"]


@pytest.mark.parametrize("host", [*_WRITTEN, "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518"])
def test_whoever_writes_an_address_down_hears_that_it_is_never_connected_to(host: str) -> None:
    said = never_allowed(host)
    assert said is not None
    assert said.startswith(host)
    assert said.endswith("cannot be allowed")


@pytest.mark.parametrize("host", ["shop.example", "10.0.0.1", "127.0.0.1", "::1", "192.0.2.1", "", "é", "a:b", "\x00"])
def test_names_and_what_a_setting_may_allow_are_judged_when_they_are_connected_to(host: str) -> None:
    assert never_allowed(host) is None
