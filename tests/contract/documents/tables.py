"""Tables of checks, notifiers, limits and costs, made from ids, docstrings and figures, for places in documents."""

import re
from collections.abc import Iterable, Mapping
from functools import partial

from checks.catalog import CHECKS
from checks.costs import COSTS
from checks.model import Profile
from prober.limits import ABOUT, BOUNDS, Limits, amount
from prober.notifiers.catalog import NOTIFIERS

_PLACE = re.compile(r"(<!-- table:(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables() -> Mapping[str, str]:
    """Each generated table by the name of its place."""
    return {
        "checks": table(("check", "asks"), ((f"`{each.id}`", each.question) for each in CHECKS)),
        "costs": table(
            ("server", *(f"`{profile}`" for profile in Profile), "refused on purpose"),
            (
                (kind.value, *(str(each[profile].requests) for profile in Profile), str(each[Profile.FULL].refused))
                for kind, each in COSTS.items()
            ),
        ),
        "limits": table(("limit", "bounds", "default", "least and most", "reason in the report"), limits()),
        "notifiers": table(("kind", "sends"), ((f"`{each.kind}`", first_line(each.__doc__)) for each in NOTIFIERS)),
    }


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def limits() -> Iterable[tuple[str, ...]]:
    """A row for each limit: sizes in KiB and MiB where they are whole ones, times in seconds."""
    for name, (about, reason) in ABOUT.items():
        low, high = (amount(name, bound) for bound in BOUNDS[name])
        default = amount(name, getattr(Limits(), name))
        yield f"`{name}`", about, default, f"{low} to {high}", f"`{reason}`" if reason else ""


def first_line(docstring: str | None) -> str:
    return (docstring or "").strip().splitlines()[0]


def places(text: str) -> list[str]:
    """The names of the places that a document has."""
    return [match[2] for match in _PLACE.finditer(text)]


def renewed(text: str) -> str:
    """A document with the tables of its places as the code has them now. Raises KeyError for an unknown place."""
    return _PLACE.sub(partial(_filled, tables()), text)


def _filled(contents: Mapping[str, str], match: re.Match[str]) -> str:
    return f"{match[1]}{contents[match[2]]}\n{match[3]}"
