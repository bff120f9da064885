"""How access is spelled in the environment: networks, addresses, and groups with their roles."""

import ipaddress
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from checks.text import clean
from prober import values
from prober.storage.people import Role

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ROLES: Final = " or ".join(Role)
_EXAMPLE: Final = "oncall=operator, platform=admin"


class SettingRefused(ValueError):
    """A variable of the environment cannot be used; the message names it and says what would do."""


@dataclass(frozen=True, slots=True)
class Groups:
    """What the groups of a directory may do here. Whoever is in none of them may do nothing."""

    roles: Mapping[str, Role]

    def role_of(self, groups: Collection[str]) -> Role | None:
        """The role that allows most among those of the groups."""
        found = {self.roles[group] for group in groups if group in self.roles}
        return max(found, key=list(Role).index, default=None)

    @classmethod
    def read(cls, variable: str, text: str) -> "Groups":
        """From `group=role, group=role`, or from a JSON object for groups with a comma in their names.

        Raises SettingRefused.
        """
        pairs = _of_json(variable, text) if text.lstrip().startswith("{") else _of_list(variable, text)
        roles: dict[str, Role] = {}
        for group, role in pairs:
            if not group or role not in set(Role):
                raise SettingRefused(f"{variable}: {clean(f'{group}={role}', 100)} is no group with {_ROLES}")
            if roles.setdefault(group, Role(role)) != role:
                raise SettingRefused(f"{variable} gives the group {clean(group, 100)} two roles; name it once")
        return cls(roles)


def _of_list(variable: str, text: str) -> list[tuple[str, str]]:
    pairs = []
    for entry in filter(None, (each.strip() for each in text.split(","))):
        group, equals, role = entry.rpartition("=")
        if not equals:
            raise SettingRefused(f"{variable}: {clean(entry, 100)} names no role; write for example {_EXAMPLE}")
        pairs.append((group.strip(), role.strip()))
    return pairs


def _of_json(variable: str, text: str) -> list[tuple[str, str]]:
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise SettingRefused(f"{variable} is no JSON object: {error}") from None
    return [(str(group), str(role)) for group, role in found.items()]


def networks(variable: str, text: str) -> tuple[Network, ...]:
    """From `10.0.0.0/8, 192.168.7.4`. Raises SettingRefused."""
    found: list[Network] = []
    for entry in filter(None, (each.strip() for each in text.split(","))):
        try:
            found.append(ipaddress.ip_network(entry))
        except ValueError:
            raise SettingRefused(
                f"{variable}: {clean(entry, 100)} is no network; write for example 10.0.0.0/8 or 192.168.7.4"
            ) from None
    return tuple(found)


def web_address(variable: str, text: str) -> str:
    """An https address without credentials, query and fragment; http on this machine alone. Raises SettingRefused."""
    unreadable = SettingRefused(f"{variable} is no address: write for example https://login.example.com")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise unreadable from None
    if not host or not text.isascii() or not text.isprintable() or " " in text:
        raise unreadable
    if parts.username is not None or parts.query or parts.fragment:
        raise SettingRefused(f"{variable} must be an address without a password, a query and a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and values.is_this_machine(host)):
        raise SettingRefused(f"{variable} must begin with https://, for what is sent there must not be read on the way")
    return text
