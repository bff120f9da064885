"""What the page of people shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from dashboard.views.common import Moment, moment_of
from prober.secrets.passwords import SHORTEST
from prober.storage.people import Person, Role, Source

PEOPLE_HREF: Final = "/settings/people"

_VOUCHED: Final = {
    Source.PASSWORD: "a password here",
    Source.OIDC: "OpenID Connect",
    Source.PROXY: "the proxy in front",
}
ROLES: Final = (
    (Role.VIEWER.value, "looks at everything but people, tokens and the audit log"),
    (Role.OPERATOR.value, "acknowledges, snoozes, comments, mutes, asks for probes and accepts tools too"),
    (Role.ADMIN.value, "manages endpoints, people and tokens too, and reads the audit log"),
)
"""Each with what it lets somebody do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    name: str
    href: str
    """The addresses of what is done about the person begin so."""
    role: str
    by: str
    """What lets the person in."""
    seen: Moment | None
    added: Moment
    added_by: str
    disabled: Moment | None
    refused: Moment | None
    """Since when no group of the person's may come in."""
    has_password: bool
    is_self: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleView:
    people: tuple[PersonView, ...]
    roles: tuple[tuple[str, str], ...] = ROLES
    shortest: int = SHORTEST
    add: str = PEOPLE_HREF


def people_view(everybody: Sequence[Person], now: datetime, *, own: str = "") -> PeopleView:
    return PeopleView(people=tuple(_person(each, now, own) for each in everybody))


def _person(person: Person, now: datetime, own: str) -> PersonView:
    return PersonView(
        name=person.name,
        href=f"{PEOPLE_HREF}/{quote(person.name, safe='')}",
        role=person.role.value,
        by=_VOUCHED[person.source],
        seen=None if person.seen_at is None else moment_of(person.seen_at, now),
        added=moment_of(person.created_at, now),
        added_by=person.created_by,
        disabled=None if person.disabled_at is None else moment_of(person.disabled_at, now),
        refused=None if person.refused_at is None else moment_of(person.refused_at, now),
        has_password=person.source is Source.PASSWORD,
        is_self=person.name == own,
    )
