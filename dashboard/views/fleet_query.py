"""Which endpoints the fleet page shows, and in which order: all of it stands in the address, so that it can be shared.

What an address says that nobody understands is left out: a page is still worth more than an error.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from checks.model import Verdict
from checks.text import clean
from dashboard.views.common import WORST_FIRST
from prober.storage.endpoints import PEOPLE
from prober.storage.queries import FleetRow

ROWS_ON_A_PAGE: Final = 100
"""So many are there at once in every browser, also on a phone; of more, pages are turned."""
_LONGEST: Final = 120
_MOST_LABELS: Final = 8
_LAST: Final = float("inf")
"""Where what nobody knows stands, whichever way the others are sorted."""

Choice = TypeVar("Choice", bound=StrEnum)


class Shown(StrEnum):
    """Which endpoints are shown."""

    ALL = "all"
    TROUBLE = "trouble"
    """Those that are down or degraded."""
    DOWN = "down"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    UP = "up"
    PAUSED = "paused"
    PEOPLE = "people"
    """Those that people keep, by page and API; the configuration file keeps the others."""


class Sort(StrEnum):
    """By what they are sorted; the worst or newest stands first."""

    VERDICT = "verdict"
    NAME = "name"
    SINCE = "since"
    UPTIME = "uptime"
    WARM = "warm"
    COLD = "cold"
    TOOLS = "tools"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetQuery:
    """What somebody wants to see of the fleet."""

    search: str = ""
    shown: Shown = Shown.ALL
    labels: tuple[tuple[str, str], ...] = ()
    """Key and value; an endpoint must bear all of them."""
    group: str = ""
    """The label by whose values the endpoints are grouped; empty: not at all."""
    sort: Sort = Sort.VERDICT
    page: int = 1

    @property
    def is_filter(self) -> bool:
        """Whether it leaves any endpoint out."""
        return bool(self.search or self.labels or self.shown is not Shown.ALL)

    def href(self, **changes: Any) -> str:
        """The address of the page with these fields changed; it begins at the first page again."""
        wanted = replace(self, **{"page": 1, **changes})
        pairs = [
            ("q", wanted.search),
            ("show", "" if wanted.shown is Shown.ALL else wanted.shown.value),
            *(("label", f"{key}={value}") for key, value in wanted.labels),
            ("group", wanted.group),
            ("sort", "" if wanted.sort is Sort.VERDICT else wanted.sort.value),
            ("page", str(wanted.page) if wanted.page > 1 else ""),
        ]
        said = urlencode([(name, value) for name, value in pairs if value])
        return f"/?{said}" if said else "/"


def query_of(pairs: Iterable[tuple[str, str]]) -> FleetQuery:
    """What the parameters of an address say, in their order."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(clean(value, _LONGEST).strip())
    single = {name: values[0] for name, values in found.items()}
    number = single.get("page", "")
    labels = [each.partition("=") for each in found.get("label", [])[:_MOST_LABELS]]
    return FleetQuery(
        search=single.get("q", ""),
        shown=_choice(Shown, single.get("show", ""), Shown.ALL),
        labels=tuple(dict.fromkeys((key, value) for key, sign, value in labels if key and sign)),
        group=single.get("group", ""),
        sort=_choice(Sort, single.get("sort", ""), Sort.VERDICT),
        page=max(int(number), 1) if number.isascii() and number.isdigit() and len(number) < 7 else 1,
    )


def chosen(rows: Sequence[FleetRow], query: FleetQuery) -> list[FleetRow]:
    """The rows that are asked for, sorted: by group first, where there are groups."""
    words = query.search.casefold().split()
    found = [row for row in rows if _is_shown(row, query.shown) and _bears(row, query.labels) and _says(row, words)]
    by = _KEYS[query.sort]
    return sorted(found, key=lambda row: (group_of(row, query.group), not row.enabled, by(row), row.name))


def group_of(row: FleetRow, key: str) -> tuple[bool, str]:
    """Whether the row has no group, and the name of the one it has: those without one stand last."""
    value = row.labels.get(key)
    return (value is None, str(value or "")) if key else (False, "")


def keys_of(labels: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """The keys of all labels, by name: what endpoints can be grouped by."""
    return tuple(sorted({str(key) for each in labels for key in each}))


def _is_shown(row: FleetRow, shown: Shown) -> bool:
    if shown is Shown.ALL:
        return True
    if shown is Shown.PEOPLE:
        return row.source == PEOPLE
    if shown is Shown.PAUSED or not row.enabled:
        return shown is Shown.PAUSED and not row.enabled
    if shown is Shown.TROUBLE:
        return row.verdict in (Verdict.DOWN, Verdict.DEGRADED)
    return row.verdict.value == shown.value


def _bears(row: FleetRow, labels: Iterable[tuple[str, str]]) -> bool:
    return all(str(row.labels.get(key)) == value for key, value in labels)


def _says(row: FleetRow, words: Sequence[str]) -> bool:
    """Whether every word stands somewhere in what the page says of the endpoint."""
    if not words:
        return True
    told = (row.name, row.cause, row.cause_summary, row.server_name, row.protocol_version, row.era)
    labels = [f"{key}={value}" for key, value in row.labels.items()]
    text = "\n".join([each for each in told if each] + labels).casefold()
    return all(word in text for word in words)


def _uptime(row: FleetRow) -> float:
    known = row.stats.uptime_24h if row.stats else None
    return _LAST if known is None else known


def _warm(row: FleetRow) -> float:
    return _longest_first(row.stats.warm_p95_ms if row.stats else None)


def _cold(row: FleetRow) -> float:
    return _longest_first(row.stats.cold_p95_ms if row.stats else None)


def _longest_first(figure: float | None) -> float:
    return _LAST if figure is None else -figure


_KEYS: Final[Mapping[Sort, Callable[[FleetRow], Any]]] = {
    Sort.VERDICT: lambda row: WORST_FIRST.index(row.verdict),
    Sort.NAME: lambda row: row.name.casefold(),
    Sort.SINCE: lambda row: -row.since.timestamp() if row.since else _LAST,
    Sort.UPTIME: _uptime,
    Sort.WARM: _warm,
    Sort.COLD: _cold,
    Sort.TOOLS: lambda row: _longest_first(row.tool_count),
}


def _choice(kind: type[Choice], value: str, otherwise: Choice) -> Choice:
    return kind(value) if value in list(kind) else otherwise
