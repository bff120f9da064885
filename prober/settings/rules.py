"""Rules between several values of the file. They read the raw data, so that a fault elsewhere hides none of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlsplit

from checks.spec import Era, Transport, era_of
from prober import values
from prober.secrets.references import is_reference, is_remote
from prober.settings import credentials, vouching
from prober.settings.broken import Broken, entries_of, mapping_of
from prober.settings.document import Path

DEFAULT_INTERVAL_S: Final = 60.0
DEFAULT_TIMEOUT_S: Final = 10.0
DEFAULT_COOL_DOWN_S: Final = 1800.0

_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")


def broken_rules(data: Mapping[str, Any]) -> Iterator[Broken]:
    """Every rule that the data breaks; values of a wrong type are left to the schema."""
    defaults = mapping_of(data, "defaults")
    yield from credentials.broken_rules(data)
    yield from vouching.broken_rules(data)
    yield from _labels(("defaults", "labels"), mapping_of(defaults, "labels"))
    yield from _pace(("defaults",), defaults)
    for index, endpoint in entries_of(data, "endpoints"):
        path = ("endpoints", index)
        yield from _era(path, endpoint)
        if "interval" in endpoint or "timeout" in endpoint:
            yield from _pace(path, {**defaults, **endpoint})
        yield from _patience(path, {**defaults, **endpoint})
        yield from _cooling(path, {**defaults, **endpoint})
        yield from _labels((*path, "labels"), mapping_of(endpoint, "labels"))
        yield from _json_arguments(path, endpoint)
    for key in ("endpoints", "notifiers", "maintenance"):
        yield from _twins(data, key)
    yield from _known(data)
    yield from _windows(mapping_of(data, "incidents"))
    yield from _ages(mapping_of(data, "retention"))
    yield from _database(data.get("database_url"))


def timeout_s(own: float | None, default: float | None, interval_s: float) -> float:
    """The deadline of a probe: what is given, or 10 s; never longer than the interval where it is not given."""
    given = own if own is not None else default
    return given if given is not None else min(DEFAULT_TIMEOUT_S, interval_s)


def _era(path: Path, endpoint: Mapping[str, Any]) -> Iterator[Broken]:
    era, revision, transport = (endpoint.get(key) for key in ("era", "protocol_version", "transport"))
    needed = era_of(revision) if isinstance(revision, str) else None
    if needed is not None and era in (*Era,) and era != needed:
        yield Broken(
            (*path, "protocol_version"),
            f"{revision} belongs to the {needed.value} era, but era says {era}",
            "leave out one of the two; the revision alone is enough",
        )
    if transport == Transport.SSE and Era.STATELESS in (era, needed):
        yield Broken(
            (*path, "transport"), "the sse transport exists in the handshake era only", "leave out transport or era"
        )


def _pace(path: Path, section: Mapping[str, Any]) -> Iterator[Broken]:
    try:
        interval = values.duration_s(section.get("interval") or DEFAULT_INTERVAL_S)
        timeout = values.duration_s(section.get("timeout") or 0)
    except values.Refused:
        return
    if timeout > interval:
        yield Broken(
            (*path, "timeout"),
            f"a probe may take {timeout:g} s, but the next one is due after {interval:g} s",
            "give a timeout of at most the interval",
        )


def _patience(path: Path, section: Mapping[str, Any]) -> Iterator[Broken]:
    """A wait that the probe itself gives up before it is over can never be seen."""
    try:
        interval = values.duration_s(section.get("interval") or DEFAULT_INTERVAL_S)
        given = section.get("timeout")
        timeout = timeout_s(None if given is None else values.duration_s(given), None, interval)
        waits = {key: values.duration_s(section.get(key) or 0) for key in ("client_timeout", "slow_after")}
    except values.Refused:
        return
    for key, wait in waits.items():
        if 0 < timeout <= wait:
            yield Broken(
                (*path, key),
                f"no wait of {wait:g} s is ever seen: the probe gives up after {timeout:g} s",
                f"give a timeout that is longer than {key}",
            )


def _cooling(path: Path, section: Mapping[str, Any]) -> Iterator[Broken]:
    """A pause that is no longer than usual cools nothing down, and one without end leaves nobody looking."""
    every = section.get("cold_every")
    if every in (None, "never"):
        return
    try:
        interval = values.duration_s(section.get("interval") or DEFAULT_INTERVAL_S)
        pause = values.duration_s(section.get("cool_down") or DEFAULT_COOL_DOWN_S)
        between = values.duration_s(every)
    except values.Refused:
        return
    if pause <= interval:
        yield Broken(
            (*path, "cold_every"),
            f"probes lie {interval:g} s apart already, and a pause of {pause:g} s is no longer",
            "leave out cold_every: every probe finds what is left of an instance after so long",
        )
    elif between < 2 * pause:
        yield Broken(
            (*path, "cold_every"),
            f"nobody would look for {pause:g} s of every {between:g} s",
            "give a cold_every of at least twice cool_down",
        )


def _labels(path: Path, labels: Mapping[str, Any]) -> Iterator[Broken]:
    for key in labels:
        if not _LABEL.fullmatch(key):
            yield Broken((*path, key), "is not the key of a label", "up to 63 letters, digits, dots, hyphens")


def _json_arguments(path: Path, endpoint: Mapping[str, Any]) -> Iterator[Broken]:
    for index, sentinel in entries_of(endpoint, "sentinels"):
        for key in ("arguments", "expect"):
            if _has_odd_number(sentinel.get(key)):
                yield Broken(
                    (*path, "sentinels", index, key), "holds a number that JSON cannot carry", "leave out .nan and .inf"
                )


def _has_odd_number(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_odd_number(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_odd_number(item) for item in value)
    return isinstance(value, float) and (value != value or value in (float("inf"), float("-inf")))


def _twins(data: Mapping[str, Any], key: str) -> Iterator[Broken]:
    seen: dict[str, int] = {}
    for index, entry in entries_of(data, key):
        name = _name_of(entry)
        if name is None:
            continue
        first = seen.setdefault(name, index)
        if first != index:
            at = "name" if "name" in entry else "kind"
            yield Broken((key, index, at), f"is the name of {key}[{first}] already", "give each a name of its own")


def _known(data: Mapping[str, Any]) -> Iterator[Broken]:
    """Names of other entries, which must be there, and nobody's own."""
    endpoints = {_name_of(entry) for _, entry in entries_of(data, "endpoints")}
    channels = {_name_of(entry) for _, entry in entries_of(data, "notifiers")}
    for index, entry in entries_of(data, "endpoints"):
        yield from _names(("endpoints", index, "depends_on"), entry.get("depends_on"), endpoints, _name_of(entry))
    for index, entry in entries_of(data, "maintenance"):
        yield from _names(("maintenance", index, "endpoints"), entry.get("endpoints"), endpoints)
    for index, entry in entries_of(data, "notifiers"):
        fallback = entry.get("fallback")
        yield from _names(("notifiers", index, "fallback"), [fallback] if fallback else [], channels, _name_of(entry))
    hint = "let one of them depend on nothing: they would keep each other from being told"
    yield from _circles(data, "endpoints", "depends_on", hint)
    yield from _circles(data, "notifiers", "fallback", "let one have no fallback")


def _name_of(entry: Mapping[str, Any]) -> str | None:
    """What an endpoint or a channel is called by others; None for what can be no name."""
    name = entry.get("name") or entry.get("kind")
    return name if isinstance(name, str) else None


def _circles(data: Mapping[str, Any], key: str, field: str, hint: str) -> Iterator[Broken]:
    """Entries that lead back to where they began: each circle is told once, at its first entry."""
    after: dict[str, list[str]] = {}
    for _, entry in entries_of(data, key):
        named, name = entry.get(field), _name_of(entry)
        if name is not None:
            others = named if isinstance(named, list) else [named]
            after[name] = [each for each in others if isinstance(each, str) and each != name]
    told: set[str] = set()
    for index, entry in entries_of(data, key):
        first = _name_of(entry)
        way = () if first is None or first in told else _way_back(first, after)
        if way:
            told.update(way)
            yield Broken((key, index, field), f"leads in a circle: {' → '.join((*way, way[0]))}", hint)


def _way_back(first: str, after: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The shortest way by which an entry leads to itself; empty where none does."""
    ways: list[tuple[str, ...]] = [(first,)]
    seen = {first}
    for way in ways:
        for each in after.get(way[-1], ()):
            if each == first:
                return way
            if each not in seen:
                seen.add(each)
                ways.append((*way, each))
    return ()


def _names(path: Path, names: Any, known: set[Any], own: Any = None) -> Iterator[Broken]:
    for each in names if isinstance(names, list) else ():
        if isinstance(each, str) and (each == own or each not in known):
            fault = "is its own name" if each == own else f"names {each}, which is not in the file"
            yield Broken(path, fault, "name another entry of the file")


def _windows(incidents: Mapping[str, Any]) -> Iterator[Broken]:
    for key in ("window", "flaky"):
        window = mapping_of(incidents, key)
        bad, of = window.get("bad"), window.get("of")
        if isinstance(bad, int) and isinstance(of, int) and bad > of:
            hint = "give an of that is at least bad"
            yield Broken(("incidents", key), f"{bad} of {of} verdicts can never be bad", hint)


def _ages(retention: Mapping[str, Any]) -> Iterator[Broken]:
    """What is kept in less detail is kept at least as long: hours are made from reports, days from hours."""
    kept = {"evidence": 3, "reports": 30, "hours": 90, **retention}
    finer_first = ("evidence", "reports", "hours", "days")
    for finer, coarser in pairwise(finer_first):
        if isinstance(kept.get(finer), int) and isinstance(kept.get(coarser), int) and kept[finer] > kept[coarser]:
            yield Broken(
                ("retention", finer if finer in retention else coarser),
                f"{finer} would be kept for {kept[finer]} days, and {coarser} for {kept[coarser]} only",
                f"give {coarser} at least as many days as {finer}",
            )


def _database(value: Any) -> Iterator[Broken]:
    if not isinstance(value, str):
        return
    if is_remote(value):
        # It is needed before anything runs that could ask AWS.
        yield Broken(("database_url",), "is kept by AWS, which is not asked at the start", "write env:DATABASE_URL")
        return
    if is_reference(value):
        try:
            values.reference(value)
        except values.Refused as refused:
            yield Broken(("database_url",), refused.message, refused.hint)
        return
    try:
        parts = urlsplit(value)
        secret = parts.password is not None or "password" in parts.query.lower()
    except ValueError:
        parts, secret = urlsplit(""), False
    if parts.scheme.split("+")[0] not in ("postgresql", "postgres"):
        yield Broken(("database_url",), "is not a PostgreSQL URL", "write env:DATABASE_URL and put the URL there")
    elif secret:
        yield Broken(("database_url",), "holds a password", "write env:DATABASE_URL and put the URL there")
