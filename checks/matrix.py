"""Which clients can connect to a server, as the check `eras` found out: read from its facts, fresh or stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from checks.text import clean

_LONG: Final = 300


@dataclass(frozen=True, slots=True)
class Clients:
    """One kind of clients."""

    kind: str
    connect: str
    """`yes`, `no` or `unknown`."""
    detail: str


@dataclass(frozen=True, slots=True)
class Offered:
    """One revision that was offered."""

    revision: str
    answer: str
    """`served`, `counter-offered`, `refused` or `not-observed`."""
    said: str


@dataclass(frozen=True, slots=True)
class Matrix:
    clients: tuple[Clients, ...]
    revisions: tuple[Offered, ...]
    """Oldest first."""


def matrix_of(facts: Any) -> Matrix | None:
    """The matrix in the facts of `eras`, its texts cleaned; None where there is none that can be read."""
    if not isinstance(facts, Mapping):
        return None
    rows, offers = facts.get("clients"), facts.get("revisions")
    clients = [each for each in rows if isinstance(each, Mapping)] if isinstance(rows, list | tuple) else []
    offered = offers.items() if isinstance(offers, Mapping) else ()
    if not clients:
        return None
    return Matrix(
        clients=tuple(
            Clients(_text(each, "clients"), _text(each, "connect"), _text(each, "detail")) for each in clients
        ),
        revisions=tuple(
            Offered(clean(str(revision), 40), _text(each, "answer"), _text(each, "said"))
            for revision, each in sorted(offered)
            if isinstance(each, Mapping)
        ),
    )


def _text(row: Mapping[str, Any], key: str) -> str:
    return clean(str(row.get(key, "")), _LONG)
