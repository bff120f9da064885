"""The README's tables of checks, diagnoses, notifiers, limits and costs, made from ids, docstrings and figures.

`python tests/readme_tables.py --write` renews them; a contract test compares.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from checks.catalog import CHECKS, DETECTORS
from checks.costs import COSTS
from checks.model import Profile
from prober.limits import ABOUT, BOUNDS, Limits, amount
from prober.notifiers.catalog import NOTIFIERS

README = Path(__file__).parent.parent / "README.md"


def tables() -> dict[str, str]:
    """Each generated table by the name of its place in the README."""
    return {
        "checks": table(("check", "asks"), ((f"`{each.id}`", each.question) for each in CHECKS)),
        "diagnoses": table(
            ("diagnosis", "fault", "verdict"), ((f"`{each.id}`", each.fault, each.effect.value) for each in DETECTORS)
        ),
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


def renewed(text: str) -> str:
    """The README with every generated table as the code has it now. Raises KeyError for a place that is missing."""
    for name, content in tables().items():
        place = re.compile(rf"(<!-- table:{name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(text):
            raise KeyError(f"README.md has no place for the table {name!r}")
        text = place.sub(lambda match, content=content: f"{match[1]}{content}\n{match[2]}", text)
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew README.md; without it, say whether it is current")
    write = parser.parse_args().write
    before = README.read_text()
    after = renewed(before)
    if write:
        README.write_text(after)
    elif before != after:
        print("README.md: a generated table is out of date; run: python tests/readme_tables.py --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
