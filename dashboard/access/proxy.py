"""A reverse proxy that says who asks: believed at its own address alone, and only where the owner named both."""

import ipaddress
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.requests import Request

from checks.text import clean
from dashboard.access.environment import Groups, Network, SettingRefused, networks
from prober.clock import Clock
from prober.settings import vouching
from prober.storage import vouched
from prober.storage.people import Person, Role, Source
from prober.storage.vouched import TurnedAway

log = logging.getLogger(__name__)

PREFIX: Final = vouching.PROXY
LOGGED_EVERY_S: Final = 60.0
LONGEST_GROUPS: Final = 16_384
"""Characters of the list of groups that are looked at."""

VARIABLES: Final = frozenset(name for name in vouching.VARIABLES if name.startswith(PREFIX))
_HEADER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}")
_LONGEST_NAME: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """Which proxies are believed, what they say in which header, and what it allows."""

    trusted: tuple[Network, ...]
    user_header: str | None = None
    """None: the proxies are believed about the addresses of browsers alone."""
    groups_header: str | None = None
    groups: Groups = Groups({})  # noqa: RUF009 - frozen, as its mapping here is
    role: Role | None = None
    """For people in none of the groups. None: they may not come in."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ProxySettings | None":
        """None without any of the variables. Raises SettingRefused for those that cannot be used or lack another."""
        given = {name: text.strip() for name, text in environment.items() if name.startswith(PREFIX) and text.strip()}
        if not given:
            return None
        for name in given:
            if name not in VARIABLES:
                known = ", ".join(sorted(VARIABLES))
                raise SettingRefused(f"{clean(name, 100)} is no setting of the proxy's header; there are {known}")
        trusted = _trusted(given.get(f"{PREFIX}TRUSTED", ""))
        role, groups, groups_header = _allowed(given)
        return cls(
            trusted=trusted,
            user_header=_header(given, "USER_HEADER"),
            groups_header=groups_header,
            groups=groups,
            role=role,
        )

    def is_trusted(self, address: str) -> bool:
        """Whether a proxy of ours is at this address."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        return any((mapped or ip) in network for network in self.trusted)

    def role_of(self, groups: str | None) -> Role | None:
        """The role that the proxy's list of groups gives, or that of everybody."""
        listed = groups or ""
        separator = "|" if "|" in listed else ","
        if len(listed) > LONGEST_GROUPS:  # what is left of a name that was cut may be the name of another group
            listed = listed[:LONGEST_GROUPS].rpartition(separator)[0]
        found = self.groups.role_of({group.strip() for group in listed.split(separator)})
        return max((role for role in (found, self.role) if role), key=list(Role).index, default=None)


def _trusted(text: str) -> tuple[Network, ...]:
    trusted = networks(f"{PREFIX}TRUSTED", text)
    if not trusted:
        raise SettingRefused(
            f"{PREFIX}TRUSTED is not set: name the addresses of the proxies that may say who asks, such as 10.0.0.5; "
            "anybody else could write the same header"
        )
    if any(network.prefixlen == 0 for network in trusted):
        raise SettingRefused(f"{PREFIX}TRUSTED trusts every address there is: name those of the proxies alone")
    return trusted


def _header(given: Mapping[str, str], name: str) -> str | None:
    header = given.get(PREFIX + name)
    if header is not None and (not _HEADER.fullmatch(header) or header.lower() in vouching.TAKEN):
        raise SettingRefused(
            f"{PREFIX}{name}: {clean(header, 100)} cannot be the header, write for example Remote-User"
        )
    return header


def _allowed(given: Mapping[str, str]) -> tuple[Role | None, Groups, str | None]:
    """What a name in the header allows: the role of everybody, and of groups in their header. Raises SettingRefused
    where nothing says it."""
    role, groups, header = (given.get(PREFIX + name) for name in ("ROLE", "GROUPS", "GROUPS_HEADER"))
    if PREFIX + "USER_HEADER" not in given:
        if role or groups or header:
            raise SettingRefused(f"{PREFIX}USER_HEADER is not set: name the header in which the proxy says who asks")
        return None, Groups({}), None
    if role is not None and role not in set(Role):
        raise SettingRefused(f"{PREFIX}ROLE: {clean(role, 100)} is none of {', '.join(Role)}")
    if bool(groups) != bool(header):
        raise SettingRefused(f"{PREFIX}GROUPS and {PREFIX}GROUPS_HEADER need each other: set both or none")
    if role is None and groups is None:
        raise SettingRefused(
            f"nothing says what people may do whom the proxy names: set {PREFIX}ROLE, or {PREFIX}GROUPS with "
            f"{PREFIX}GROUPS_HEADER"
        )
    everybody = Role(role) if role else None
    return everybody, Groups.read(f"{PREFIX}GROUPS", groups or ""), _header(given, "GROUPS_HEADER")


def address_of(request: Request, settings: ProxySettings | None) -> str:
    """From where a browser asks: what the last of our proxies saw, for whom others only claim to have seen somebody."""
    peer = request.client.host if request.client else ""
    if settings is None or not settings.is_trusted(peer):
        return peer
    hops = [hop.strip() for line in request.headers.getlist("x-forwarded-for") for hop in line.split(",")]
    for hop in reversed(hops):
        try:
            ipaddress.ip_address(hop)
        except ValueError:
            return peer
        if not settings.is_trusted(hop):
            return hop
    return peer


class ProxyVouches:
    """Who asks by the word of a proxy. A name in the header from any other address is a forgery, and is refused."""

    def __init__(self, settings: ProxySettings, db: AsyncEngine, clock: Clock) -> None:
        self._settings = settings
        self._db = db
        self._clock = clock
        self._logged_at: float | None = None

    async def __call__(self, request: Request) -> Person | None:
        """None where the header is absent. Raises HTTPException for a forgery and for people who may not come in."""
        if self._settings.user_header is None:
            return None
        said = request.headers.getlist(self._settings.user_header)
        if not said:
            return None
        self._check_peer(request)
        name = said[0].strip()
        if len(said) > 1 or not name or len(name) > _LONGEST_NAME or clean(name) != name:
            raise HTTPException(
                HTTPStatus.BAD_REQUEST, "The proxy in front of this dashboard names nobody, or several."
            )
        role = self._role(request)
        if role is None:
            await self._turn_away(name)
            raise HTTPException(HTTPStatus.FORBIDDEN, "None of your groups may look at this dashboard.")
        return await self._met(name, role)

    def _check_peer(self, request: Request) -> None:
        """Only the address of the socket counts; a port of 0 is the mark of a server that has put another in its place
        because of a header (uvicorn with its `--proxy-headers`)."""
        peer = request.client
        if peer is not None and peer.port and self._settings.is_trusted(peer.host):
            return
        now = self._clock.monotonic()
        if self._logged_at is None or now - self._logged_at >= LOGGED_EVERY_S:
            self._logged_at = now
            where = clean(peer.host, 60) if peer is not None else "an unknown address"
            log.warning(
                "refused: %s came with the header %s and is not among %sTRUSTED",
                *(where, self._settings.user_header, PREFIX),
            )
        raise HTTPException(HTTPStatus.FORBIDDEN, "Only the proxy in front of this dashboard may say who you are.")

    def _role(self, request: Request) -> Role | None:
        header = self._settings.groups_header
        groups = ",".join(request.headers.getlist(header)) if header else None
        return self._settings.role_of(groups)

    async def _turn_away(self, name: str) -> None:
        """Written down once: a browser that is refused may come again and again."""
        person = await vouched.known(self._db, Source.PROXY, _subject(name))
        if person is not None and person.refused_at is None:
            async with self._db.begin() as connection:
                await vouched.turn_away(connection, Source.PROXY, _subject(name))

    async def _met(self, name: str, role: Role) -> Person:
        subject = _subject(name)
        person = await vouched.known(self._db, Source.PROXY, subject)
        if person is None or person.role is not role or person.disabled_at or person.refused_at:
            try:
                async with self._db.begin() as connection:
                    person = await vouched.welcome(connection, Source.PROXY, subject, name=name, role=role)
            except TurnedAway as refused:
                raise HTTPException(HTTPStatus.FORBIDDEN, str(refused)) from None
        await vouched.seen(self._db, person, self._clock.now())
        return person


def _subject(name: str) -> str:
    return f"proxy {name.lower()}"
