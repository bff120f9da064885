"""The endpoints that are watched: what a source names is written here, and the timetable follows."""

# ruff: noqa: S608 - statements are put together of constants of this module alone

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.encode import as_json
from checks.model import Endpoint, Profile
from checks.text import clean
from prober.settings.model import EndpointOptions
from prober.settings.schema import MAX_ENDPOINTS
from prober.storage import audit, standing
from prober.storage.audit import Author, Via
from prober.storage.identity import endpoint_id, phase_s
from prober.storage.schedule import FIRST_WITHIN_S, first_within_s
from prober.storage.specs import endpoint_of, options_of, spec_of

_SYNC_LOCK: Final = 0x6D637001
"""Key of the advisory lock under which one process at a time writes endpoints."""
_CONFIGURATION: Final = Author(name="the configuration file", via=Via.PROBER)

FILE: Final = "file"
PEOPLE: Final = "api"
"""Who keeps endpoints: the configuration file, or people by page and API."""

_PIECE: Final = 200
"""Endpoints that one statement compares or writes: so few that neither the limit on statements nor the event loop of
whoever asks notices it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Names of the endpoints that a source added, changed and removed, each in alphabetical order."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class NotWritten(Exception):
    """An endpoint that cannot be written by people, here or as it now is. The text says why."""


class NoSuchEndpoint(NotWritten):
    """No endpoint of that name is watched."""


class NameTaken(NotWritten):
    """Another endpoint is watched under that name."""


class KeptElsewhere(NotWritten):
    """The configuration file keeps it, and is where it is changed."""


class UnknownParent(NotWritten):
    """It depends on what nobody watches."""


class Circle(NotWritten):
    """It depends on itself, by way of others."""


class Outdated(NotWritten):
    """Somebody has changed it since whoever asks has looked."""


class TooMany(NotWritten):
    """As many endpoints are watched as can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An endpoint with who keeps it."""

    endpoint: Endpoint
    options: EndpointOptions
    source: str
    edition: str
    """Another one after every change, for `If-Match`."""


async def kept(db: AsyncEngine, name: str) -> Kept:
    """The endpoint of that name. Raises NoSuchEndpoint."""
    async with db.connect() as connection:
        return await _kept(connection, name)


async def add(connection: AsyncConnection, endpoint: Endpoint, options: EndpointOptions) -> None:
    """Watch another endpoint, which people keep. Raises NameTaken or TooMany, and UnknownParent or Circle."""
    await _alone(connection)
    row = (await connection.execute(_SOURCE, {"name": endpoint.name})).first()
    if row is not None:
        who = "the configuration file keeps it" if row.source == FILE else "people keep it here"
        raise NameTaken(f"an endpoint of the name {clean(endpoint.name, 100)} is watched already: {who}")
    if (await connection.execute(_COUNT)).scalar_one() >= MAX_ENDPOINTS:
        raise TooMany(f"{MAX_ENDPOINTS} endpoints are watched, and no more can be")
    await _known(connection, endpoint.name, options.depends_on)
    await _write(connection, [_row(endpoint, options, PEOPLE)], start_over=True)


async def change(
    connection: AsyncConnection, endpoint: Endpoint, options: EndpointOptions, *, edition: str | None = None
) -> None:
    """Write an endpoint that people keep, and nothing where it is so already. With `edition`, only that one is changed.

    Raises NoSuchEndpoint, KeptElsewhere or Outdated, and UnknownParent or Circle.
    """
    await _alone(connection)
    before = await _ours(connection, endpoint.name, edition)
    await _known(connection, endpoint.name, options.depends_on)
    if (before.endpoint, before.options) == (endpoint, options):
        return
    edit = _Edit(before=before.endpoint, after=endpoint)
    await _lock(connection, [endpoint.name])
    await _forget(connection, [edit], ())
    await _write(connection, [_row(endpoint, options, PEOPLE)], start_over=edit.starts_over)


async def remove(connection: AsyncConnection, name: str, *, edition: str | None = None) -> None:
    """Watch an endpoint no more that people keep: its incident ends, and its reports stay for their time.

    Raises NoSuchEndpoint, KeptElsewhere or Outdated.
    """
    await _alone(connection)
    await _ours(connection, name, edition)
    await _lock(connection, [name])
    await _forget(connection, (), [name])


async def sync(
    db: AsyncEngine,
    endpoints: Sequence[Endpoint],
    *,
    options: Mapping[str, EndpointOptions] = MappingProxyType({}),
    source: str = FILE,
    soon_s: float = FIRST_WITHIN_S,
) -> Changes:
    """Make the stored endpoints of `source` those that are given; running it again changes nothing.

    A name is an identity: an endpoint whose configuration changed keeps its state, unless its URL changed, for then it
    is another server. One that vanished or was disabled is no longer probed and its incident ends; its reports stay. An
    endpoint that another source had named is taken over, and the audit log says so. `options` are by name. Whatever
    begins a timetable is first probed within `soon_s` seconds.
    """
    wanted = {endpoint.name: endpoint for endpoint in endpoints}
    async with db.begin() as connection:
        await _alone(connection)
        news = await _news(connection, wanted, options, source)
        added = sorted(name for name, each in news.items() if each.before is None)
        edits = [
            _Edit(before=each.before, after=wanted[name]) for name, each in news.items() if each.before is not None
        ]
        changed = sorted(each.after.name for each in edits)
        removed = sorted(await connection.scalars(_REMOVED, {"source": source, "names": list(wanted)}))
        await _lock(connection, [*added, *changed, *removed])
        await _forget(connection, edits, removed)
        fresh = {*added, *(each.after.name for each in edits if each.starts_over)}
        begin = [each.row for name, each in news.items() if name in fresh]
        await _write(connection, begin, start_over=True, at_most_s=soon_s)
        await _write(connection, [each.row for name, each in news.items() if name not in fresh], start_over=False)
        for name in sorted(name for name, each in news.items() if each.source not in (None, source)):
            detail = {"from": news[name].source, "to": source}
            await audit.note(connection, _CONFIGURATION, "endpoint.take-over", name, detail)
    return Changes(added=tuple(added), changed=tuple(changed), removed=tuple(removed))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """An endpoint that stays under its name."""

    before: Endpoint
    after: Endpoint

    @property
    def is_another_server(self) -> bool:
        return self.before.url != self.after.url

    @property
    def is_switched_off(self) -> bool:
        return self.before.enabled and not self.after.enabled

    @property
    def looks_no_more_in_full(self) -> bool:
        return self.before.full_every_s is not None and self.after.full_every_s is None

    @property
    def starts_over(self) -> bool:
        """Whether its former timetable is worth nothing."""
        paces = ("interval_s", "cold_every_s", "cool_down_s")
        is_repaced = any(getattr(self.after, each) != getattr(self.before, each) for each in paces)
        is_switched_on = self.after.enabled and not self.before.enabled
        return self.is_another_server or is_repaced or is_switched_on


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What is to be written of an endpoint, and what it is until then; None where it is not watched."""

    row: dict[str, Any]
    before: Endpoint | None
    source: str | None = None
    """Who keeps it until then."""


async def _alone(connection: AsyncConnection) -> None:
    """Nobody else writes endpoints until the transaction ends."""
    await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _SYNC_LOCK})


async def _kept(connection: AsyncConnection, name: str) -> Kept:
    row = (await connection.execute(_KEPT, {"name": name})).first()
    if row is None:
        raise NoSuchEndpoint(f"no endpoint of the name {clean(name, 60)} is watched")
    return Kept(endpoint=endpoint_of(row.spec), options=options_of(row.options), source=row.source, edition=row.edition)


async def _ours(connection: AsyncConnection, name: str, edition: str | None) -> Kept:
    """The endpoint, which people keep."""
    before = await _kept(connection, name)
    if before.source == FILE:
        raise KeptElsewhere(
            f"the configuration file keeps {clean(name, 100)}: change the entry of that name under endpoints there"
        )
    if edition is not None and edition != before.edition:
        raise Outdated(f"somebody has changed {clean(name, 100)} meanwhile: look at it again")
    return before


async def _known(connection: AsyncConnection, name: str, others: Sequence[str]) -> None:
    """Whether it may depend on these: they are watched, and do not depend on it in turn."""
    rows = await connection.execute(_DEPENDENCIES)
    depends = {row.name: tuple(row.depends_on or ()) for row in rows} | {name: tuple(others)}
    for each in others:
        if each not in depends:
            raise UnknownParent(f"it depends on {clean(each, 60)}, and no endpoint of that name is watched")
    seen, waiting = set[str](), list(others)
    while waiting:
        each = waiting.pop()
        if each == name:
            raise Circle("depends_on leads in a circle: they would keep each other from being told")
        if each not in seen:
            seen.add(each)
            waiting += depends.get(each, ())


async def _news(
    connection: AsyncConnection,
    wanted: Mapping[str, Endpoint],
    options: Mapping[str, EndpointOptions],
    source: str,
) -> dict[str, _News]:
    """Those that are stored otherwise or not at all, by name. Nobody else writes them while the advisory lock is held.

    They are compared in pieces, by the database: a large fleet must not keep this process from its probes.
    """
    news: dict[str, _News] = {}
    endpoints = list(wanted.values())
    for at in range(0, len(endpoints), _PIECE):
        rows = {each.name: _row(each, options.get(each.name), source) for each in endpoints[at : at + _PIECE]}
        for name, spec, kept_by in await connection.execute(_DIFFERING, {"rows": json.dumps(list(rows.values()))}):
            before = None if spec is None else endpoint_of(spec)
            news[name] = _News(row=rows[name], before=before, source=kept_by)
    return news


def _row(endpoint: Endpoint, options: EndpointOptions | None, source: str) -> dict[str, Any]:
    """The columns that an endpoint's configuration decides."""
    identity = endpoint_id(endpoint.name)
    return {
        "id": str(identity),
        "name": endpoint.name,
        "spec": spec_of(endpoint),
        "options": _NO_OPTIONS if options is None else as_json(options),
        "source": source,
        "enabled": endpoint.enabled,
        "interval_s": endpoint.interval_s,
        "timeout_s": endpoint.deadline_s(Profile.STANDARD),
        "full_every_s": endpoint.full_every_s,
        "full_timeout_s": endpoint.deadline_s(Profile.FULL),
        "labels": as_json(endpoint.labels),
        "phase_s": phase_s(identity, endpoint.interval_s),
    }


async def _lock(connection: AsyncConnection, names: Sequence[str]) -> None:
    """Wait for whoever claims or saves one of them, in the order in which those that save lock."""
    await connection.execute(_LOCK, {"ids": sorted(_ids(names))})


async def _forget(connection: AsyncConnection, edits: Sequence[_Edit], removed: Sequence[str]) -> None:
    """Drop what was learnt of a server that is not watched any more, and end incidents that nobody looks at now."""
    others = _ids(each.after.name for each in edits if each.is_another_server)
    switched_off = _ids(each.after.name for each in edits if each.is_switched_off)
    gone = _ids(removed)
    if ended := [*others, *switched_off, *gone]:
        await connection.execute(_END_INCIDENTS, {"ids": ended})
        await connection.execute(_FORGET_VERDICTS, {"ids": ended})
    if unwatched := [*others, *gone]:
        await connection.execute(_UNWATCH, {"ids": unwatched, "gone": gone})
        for statement in _FORGET:
            await connection.execute(statement, {"ids": unwatched})
    if shallow := _ids(each.after.name for each in edits if each.looks_no_more_in_full):
        await standing.forget(connection, shallow)  # no full probe will look for it again


async def _write(
    connection: AsyncConnection,
    rows: Sequence[Mapping[str, Any]],
    *,
    start_over: bool,
    at_most_s: float = FIRST_WITHIN_S,
) -> None:
    """Store the endpoints. `start_over` gives each a first slot: soon, at its phase, and without slots that it missed.

    A probe that runs meanwhile ends under its lease, so that there are never two of one endpoint.
    """
    times = {"long": at_most_s, "within": first_within_s(len(rows), at_most_s), "start_over": start_over}
    for at in range(0, len(rows), _PIECE):
        await connection.execute(_WRITE, {"rows": json.dumps(rows[at : at + _PIECE]), **times})


def _ids(names: Iterable[str]) -> list[UUID]:
    return [endpoint_id(name) for name in names]


_NO_OPTIONS: Final[Any] = as_json(EndpointOptions())

_LOCK: Final = text("select from endpoint where id = any(:ids) order by id for update")

_UNWATCH: Final = text(
    """
    update endpoint
    set lease_owner = null, lease_until = null, claimed_slot = null, edition = edition + 1,
        removed_at = case when id = any(:gone) then now() else removed_at end
    where id = any(:ids)
    """
)
"""After it, what a probe finds that still runs is worthless, and what waits to be saved is history alone (see
`recording`)."""

_FORGET: Final = (
    text("delete from endpoint_state where endpoint_id = any(:ids)"),
    text("delete from accepted_tools where endpoint_id = any(:ids)"),
)

_END_INCIDENTS: Final = text(
    "update incident set ended_at = now(), reconsider_at = now() where endpoint_id = any(:ids) and ended_at is null"
)
"""A person decided that nobody looks any more, the server did not recover. Whoever was told of it is told so, by
whoever attends to incidents; the verdicts that led to it are forgotten."""
_FORGET_VERDICTS: Final = text("update endpoint_state set incident = null where endpoint_id = any(:ids)")

_COLUMNS: Final[Mapping[str, str]] = {
    "id": "uuid",
    "name": "text",
    "spec": "jsonb",
    "options": "jsonb",
    "source": "text",
    "enabled": "boolean",
    "interval_s": "double precision",
    "timeout_s": "double precision",
    "full_every_s": "double precision",
    "full_timeout_s": "double precision",
    "labels": "jsonb",
    "phase_s": "double precision",
}
"""Those that `_row` gives."""

_GIVEN: Final = f"jsonb_to_recordset(cast(:rows as jsonb)) as given ({', '.join(map(' '.join, _COLUMNS.items()))})"

_DIFFERING: Final = text(
    f"""
    select given.name, endpoint.spec, endpoint.source from {_GIVEN}
    left join endpoint on endpoint.id = given.id and endpoint.removed_at is null
    where (given.spec, given.options, given.source) is distinct from (endpoint.spec, endpoint.options, endpoint.source)
    """
)

_SOURCE: Final = text("select source from endpoint where name = :name and removed_at is null")
_KEPT: Final = text(
    "select spec, options, source, md5(cast(spec as text) || cast(options as text)) as edition"
    " from endpoint where name = :name and removed_at is null"
)
_COUNT: Final = text("select count(*) from endpoint where removed_at is null")
_DEPENDENCIES: Final = text(
    "select name, array(select jsonb_array_elements_text(options -> 'depends_on')) as depends_on from endpoint"
    " where removed_at is null and jsonb_array_length(coalesce(options -> 'depends_on', '[]')) > 0"
    " union all select name, null from endpoint"
    " where removed_at is null and jsonb_array_length(coalesce(options -> 'depends_on', '[]')) = 0"
)

_REMOVED: Final = text(
    "select name from endpoint where source = :source and removed_at is null and not name = any(:names)"
)

_WRITE: Final = text(
    f"""
    insert into endpoint ({", ".join(_COLUMNS)}, next_due)
    select {", ".join(_COLUMNS)}, case
        when interval_s > :long then now() + make_interval(secs => phase_s / interval_s * :within)
        else to_timestamp(
            phase_s + ceil((extract(epoch from now())::double precision - phase_s) / interval_s) * interval_s
        ) end
    from {_GIVEN}
    on conflict (id) do update set {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name != "id")},
        updated_at = now(), removed_at = null,
        next_due = case when :start_over then excluded.next_due else endpoint.next_due end
    """
)
"""A timetable begins at the phase, or where the interval is long, at a like share of a short one."""
