"""Who vouches for people at the dashboard: rules between the values, and how its process is told."""

import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from prober import values
from prober.secrets.references import is_remote
from prober.settings.broken import Broken, mapping_of
from prober.settings.document import Path

OIDC: Final = "PROBER_DASHBOARD_OIDC_"
PROXY: Final = "PROBER_DASHBOARD_PROXY_"
"""How variables begin that the dashboard's process reads; what follows is a key of the section in capitals."""

OIDC_KEYS: Final = (
    "issuer", "client_id", "client_secret", "groups", "groups_claim", "name_claim", "scopes", "label", "allow_cidrs",
)  # fmt: skip
PROXY_KEYS: Final = ("trusted", "user_header", "groups_header", "groups", "role")

VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    **{f"{OIDC}{key.upper()}": ("dashboard", "oidc", key) for key in OIDC_KEYS},
    **{f"{PROXY}{key.upper()}": ("dashboard", "proxy", key) for key in PROXY_KEYS},
}

TAKEN: Final = frozenset({"authorization", "cookie", "host", "origin", "x-csrf-token", "x-forwarded-for"})
"""Headers that say something else already."""

_HTTPS: Final = "does not begin with https://, and what is sent there must not be read on the way"
_PUBLIC: Final = "give the address under which people reach the dashboard, such as https://prober.example.com"


def variables(dashboard: Mapping[str, Any]) -> dict[str, str]:
    """What a section that has been judged says, as the dashboard's process reads it."""
    return {
        variable: _spelled(section[key])
        for variable, (_, name, key) in VARIABLES.items()
        if key in (section := dashboard.get(name) or {})
    }


def _spelled(value: object) -> str:
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    return ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


def networks(value: object) -> object:
    """A list, also where a variable has written it in one line."""
    return _entries(value) if isinstance(value, str) else value


def _entries(text: str) -> list[str]:
    return [each for each in map(str.strip, text.split(",")) if each]


def groups(value: object) -> object:
    """A mapping, also where a variable has written it as `group=role, group=role` or as JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            raise values.Refused("is no JSON object", _GROUPS) from None
    found: dict[str, str] = {}
    for entry in _entries(value):
        group, equals, role = (each.strip() for each in entry.rpartition("="))
        if not equals or not group:
            raise values.Refused("names a group without a role, or a role without a group", _GROUPS)
        if found.setdefault(group, role) != role:
            raise values.Refused("gives a group two roles", "name each group once")
    return found


_GROUPS: Final = "such as oncall=operator, platform=admin"


def broken_rules(data: Mapping[str, Any]) -> Iterator[Broken]:
    """Every rule that the data breaks about a provider and a proxy."""
    dashboard = mapping_of(data, "dashboard")
    oidc, proxy = mapping_of(dashboard, "oidc"), mapping_of(dashboard, "proxy")
    if oidc:
        yield from _provider(oidc, dashboard.get("public_url"))
    if proxy:
        yield from _proxy(proxy)
    if dashboard.get("access") == "open":
        for key, vouches in (("oidc", bool(oidc)), ("proxy", bool(proxy.get("user_header")))):
            if vouches:
                message = "says who people are, and access: open asks nobody"
                yield Broken(("dashboard", key), message, "remove one of the two")


def _provider(oidc: Mapping[str, Any], public_url: object) -> Iterator[Broken]:
    path: Path = ("dashboard", "oidc")
    issuer, secret, scopes = (oidc.get(key) for key in ("issuer", "client_secret", "scopes"))
    if isinstance(issuer, str) and not _is_safe(issuer):
        yield Broken((*path, "issuer"), _HTTPS, "http is for a provider on this machine alone")
    if isinstance(issuer, str) and "?" in issuer:
        yield Broken((*path, "issuer"), "holds a query, which no issuer has", "leave out what begins with ?")
    if public_url is None:
        yield Broken(path, "needs dashboard.public_url, to which the provider sends browsers back", _PUBLIC)
    elif isinstance(public_url, str) and not _is_safe(public_url):
        yield Broken(("dashboard", "public_url"), _HTTPS, _PUBLIC)
    if isinstance(secret, str) and is_remote(secret):
        yield Broken(
            (*path, "client_secret"), "is kept by AWS, which the dashboard does not ask", "write env:NAME or file:/path"
        )
    if isinstance(scopes, str) and "openid" not in scopes.split():
        yield Broken((*path, "scopes"), "lacks openid, without which nobody is asked who they are", "add openid")
    if oidc.get("groups") in ({}, ""):
        yield Broken((*path, "groups"), "lets nobody in", f"name groups with their roles, {_GROUPS}")


def _proxy(proxy: Mapping[str, Any]) -> Iterator[Broken]:
    path: Path = ("dashboard", "proxy")
    if proxy.get("trusted") == []:
        yield Broken((*path, "trusted"), "names no proxy", "such as trusted: [10.0.0.5]")
    if _trusts_everybody(networks(proxy.get("trusted"))):
        yield Broken((*path, "trusted"), "trusts every address there is", "name those of the proxies alone")
    user, groups_header, by_group, role = (proxy.get(key) for key in ("user_header", "groups_header", "groups", "role"))
    for key, header in (("user_header", user), ("groups_header", groups_header)):
        if isinstance(header, str) and header.lower() in TAKEN:
            yield Broken((*path, key), "says something else already", "write for example Remote-User")
    if not user and (groups_header or by_group or role):
        yield Broken(path, "lacks user_header, in which the proxy says who asks", "such as user_header: Remote-User")
    if bool(by_group) != bool(groups_header):
        yield Broken(path, "has one of groups and groups_header, which need each other", "give both or none")
    elif user and not by_group and not role:
        yield Broken(
            path, "does not say what people may do whom the proxy names", "give role, or groups with groups_header"
        )


def _trusts_everybody(trusted: object) -> bool:
    for each in trusted if isinstance(trusted, list) else ():
        try:
            if ipaddress.ip_network(each).prefixlen == 0:
                return True
        except ValueError:
            continue
    return False


def _is_safe(address: str) -> bool:
    """Whether what is sent there is encrypted, or never leaves this machine."""
    try:
        parts = urlsplit(address)
        return parts.scheme.lower() == "https" or values.is_this_machine(parts.hostname or "")
    except ValueError:
        return True  # the schema says that it is no address
