"""Addresses under which tries to log in are counted."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

_NETWORK_OF_ONE: Final = 64
"""Whoever has one IPv6 address has all of its /64 (RFC 6177 section 2), and could try from a new one each time."""


def counted(address: str) -> str:
    """Under what tries from there are counted together."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((int(parsed), _NETWORK_OF_ONE), strict=False))
    return str(parsed)
