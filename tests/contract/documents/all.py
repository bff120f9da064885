"""Every document that is made of the code, whole or in part."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.contract.documents.access import access
from tests.contract.documents.api import api
from tests.contract.documents.configuration import configuration
from tests.contract.documents.diagnoses import diagnoses
from tests.contract.documents.tables import places, renewed, tables

ROOT: Final = Path(__file__).parents[3]
DOCS: Final = ROOT / "docs"
WHOLE: Final[Mapping[Path, Callable[[], str]]] = {
    DOCS / "access.md": access,
    DOCS / "api.md": api,
    DOCS / "configuration.md": configuration,
    DOCS / "diagnoses.md": diagnoses,
}
WRITTEN: Final = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
"""Documents that people write, in which tables have places."""


def outdated() -> dict[Path, str]:
    """What each document that is not current must be. Raises LookupError for a table that has no place."""
    found = {path: make() for path, make in WHOLE.items() if not path.exists() or path.read_text() != make()}
    unplaced = set(tables())
    for path in WRITTEN:
        if path in WHOLE or not path.exists():
            continue
        before = path.read_text()
        unplaced -= set(places(before))
        if (after := renewed(before)) != before:
            found[path] = after
    if unplaced:
        raise LookupError(f"no document has a place for {', '.join(sorted(unplaced))}")
    return found
