"""Which addresses may be connected to: a prober reads addresses from files and servers, and must not be led inside."""

import ipaddress
import socket
from dataclasses import dataclass, field
from typing import Final

IPv4 = ipaddress.IPv4Address
IPv6 = ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SETTING: Final = "network.allow_cidrs"

_METADATA: Final = (
    "169.254.169.254/32",  # EC2 and most other clouds
    "169.254.170.2/32",  # ECS task credentials
    "169.254.170.23/32",  # EKS pod identity
    "fd00:ec2::/32",  # EC2, ECS and EKS over IPv6
    "fd20:ce::254/128",  # Google Cloud over IPv6
    "100.100.100.200/32",  # Alibaba Cloud
    "168.63.129.16/32",  # Azure platform
    "192.0.0.192/32",  # Oracle Cloud
)
_LINK_LOCAL: Final = ("169.254.0.0/16", "fe80::/10")
_UNSPECIFIED: Final = ("0.0.0.0/8", "::/128")
_MULTICAST: Final = ("224.0.0.0/4", "ff00::/8")
_RESERVED: Final = ("240.0.0.0/4",)
_TRANSLATED: Final = (
    "64:ff9b::/96",  # NAT64, RFC 6052
    "64:ff9b:1::/48",  # NAT64 for local use, RFC 8215
    "2002::/16",  # 6to4, RFC 3056
    "192.88.99.0/24",  # 6to4 relays, RFC 7526
    "2001::/32",  # Teredo, RFC 4380
    "::ffff:0:0:0/96",  # IPv4-translated, RFC 7915
    "::/96",  # IPv4-compatible, RFC 4291 section 2.5.5.1
)
"""IPv6 forms that carry an IPv4 address, through which a translator would reach one that is refused by itself."""


def _networks(*cidrs: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(cidr) for cidr in cidrs)


_LOOPBACK: Final = _networks("127.0.0.0/8", "::1/128")
_THIS_HOST: Final = IPv4("127.0.0.1")
_NEVER: Final = (
    ("metadata", _networks(*_METADATA)),
    ("link-local", _networks(*_LINK_LOCAL)),
    ("unspecified", _networks(*_UNSPECIFIED)),
    ("multicast", _networks(*_MULTICAST)),
    ("reserved", _networks(*_RESERVED)),
    ("translated", _networks(*_TRANSLATED)),
)
_PRIVATE_BESIDES: Final = _networks("fec0::/10", "5f00::/16")
"""Not for the public internet, although `ipaddress` of Python 3.11 calls them global (RFC 3879, RFC 9602)."""

_FOREIGN_PORTS: Final = frozenset({22, 25, 53, 111, 2375, 2379, 3306, 5432, 6379, 9200, 11211, 27017})
"""Ports of services that would read an HTTP request as commands of their own."""

_WORDS: Final = {
    "metadata": "is an address of the cloud's metadata service",
    "link-local": "is a link-local address",
    "unspecified": "is an address of this host on no network",
    "multicast": "is a multicast address",
    "reserved": "is a reserved address",
    "translated": "is an IPv6 address that stands for an IPv4 address",
    "loopback": "is a loopback address",
    "private": "is a private address",
    "unreadable": "is no IP address",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """What the owner of this prober allows beyond the public internet.

    Raises ValueError for a CIDR or an address that is none. Addresses of metadata services, link-local and other
    special addresses are refused whatever is set here.
    """

    allow_cidrs: tuple[str, ...] = ()
    allow_private: bool = False
    """Private and loopback addresses, all of them: for a prober that only one person uses."""
    own: tuple[tuple[str, int], ...] = ()
    """Addresses and ports where the prober itself listens, or its database: refused whatever is allowed. `0.0.0.0` and
    `::` stand for every loopback address, which is what listening there opens on this host for certain."""
    _allowed: tuple[Network, ...] = field(init=False, repr=False, compare=False)
    _own: frozenset[tuple[IPv4 | IPv6, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        allowed = tuple(ipaddress.ip_network(cidr, strict=False) for cidr in self.allow_cidrs)
        object.__setattr__(self, "_allowed", allowed)
        own = frozenset((_listening(ipaddress.ip_address(address)), port) for address, port in self.own)
        object.__setattr__(self, "_own", own)

    def verdict_on(self, address: str) -> str | None:
        """Why this address is refused, as a stable code, or None where it may be connected to."""
        try:
            ip = _unwrapped(ipaddress.ip_address(address))
        except ValueError:
            return "unreadable"
        if ip not in _LOOPBACK[1]:
            for reason, networks in _NEVER:
                if _within(ip, networks):
                    return reason
        if self.allow_private or _within(ip, self._allowed):
            return None
        if _within(ip, _LOOPBACK):
            return "loopback"
        return "private" if _is_private(ip) else None

    def is_public(self, address: str) -> bool:
        """Whether strangers carry what goes there. Networks in `allow_cidrs` are the owner's own."""
        ip = _unwrapped(ipaddress.ip_address(address))
        return not _is_private(ip) and not _within(ip, self._allowed)

    def is_own(self, address: str, port: int) -> bool:
        """Whether the prober itself, or its database, listens there."""
        return bool(self._own) and (_listening(ipaddress.ip_address(address)), port) in self._own

    def refuses_port(self, address: str, port: int) -> bool:
        """Whether `port` belongs to another protocol. An address in `allow_cidrs` may be asked on every port."""
        if port not in _FOREIGN_PORTS or self.allow_private:
            return False
        return not _within(_unwrapped(ipaddress.ip_address(address)), self._allowed)


_ANYTHING: Final = GuardPolicy(allow_private=True)


def never_allowed(host: str) -> str | None:
    """Why nothing that could be set lets anybody connect there, in words; None for names, and for other addresses.

    It is for people who write an address down. Only what is judged when it is connected to counts.
    """
    try:
        # Resolvers take 2852039166 and 0xa9fea9fe for addresses, too (inet_aton(3)).
        address = host if ":" in host else socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, ValueError):
        return None
    reason = _ANYTHING.verdict_on(address)
    return None if reason is None or reason == "unreadable" else explain(reason, host, address)


def explain(reason: str, host: str, address: str) -> str:
    """A refusal in words, with the setting that would lift it where there is one."""
    shown = address if host == address else f"{host} → {address}"
    if reason in ("private", "loopback"):
        return f"{shown} {_WORDS[reason]}; to allow it, add it to {SETTING}"
    return f"{shown} {_WORDS[reason]}, which is never connected to and cannot be allowed"


def explain_own(address: str, port: int) -> str:
    """Why an address of our own is refused."""
    return f"{address} port {port} is where this prober or its database listens, which is never connected to"


def explain_plain_http(host: str, address: str) -> str:
    """Why credentials do not go there, and what would let them."""
    shown = address if host == address else f"{host} → {address}"
    way_out = f"use https or another form of TLS, or add it to {SETTING}"
    return f"{shown} is a public address, where a secret would go in plain text; {way_out}"


def explain_port(address: str, port: int) -> str:
    """Why a port is refused, and what would allow it."""
    return f"port {port} belongs to another protocol than HTTP; to allow it, add {address} to {SETTING}"


def _listening(ip: IPv4 | IPv6) -> IPv4 | IPv6:
    """One address for all that lead to the same listener on this host: 127.0.0.1 for the whole loopback network."""
    plain = _unwrapped(ip)
    return _THIS_HOST if plain.is_unspecified or _within(plain, _LOOPBACK) else plain


def _unwrapped(ip: IPv4 | IPv6) -> IPv4 | IPv6:
    """The IPv4 address inside an IPv4-mapped one: the system connects to it over IPv4."""
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6) else None
    return mapped if mapped is not None else ip


def _is_private(ip: IPv4 | IPv6) -> bool:
    return not ip.is_global or _within(ip, _PRIVATE_BESIDES)


def _within(ip: IPv4 | IPv6, networks: tuple[Network, ...]) -> bool:
    return any(ip in network for network in networks)
