"""The README says what the code has."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_generated_tables_are_current() -> None:
    spec = importlib.util.spec_from_file_location("readme_tables", ROOT / "tests" / "readme_tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    text = (ROOT / "README.md").read_text()
    assert tables.renewed(text) == text, "run: python tests/readme_tables.py --write"
