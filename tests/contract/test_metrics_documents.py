"""What the documents say about metrics is what there is, and what the prober counts is in the catalog."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.metrics.catalog import PROBER_METRICS, Kind
from tests.contract.metrics_documents import COMMAND, FOLDER, documents

PROBER = Path(__file__).parents[2] / "prober"
WRITES = {"add": {Kind.COUNTER}, "set": {Kind.GAUGE}, "happened": {Kind.AGE}}
"""The methods of Vitals that write, and what they write."""


@pytest.mark.parametrize("name", documents())
def test_a_document_about_metrics_is_as_the_catalog_has_it(name: str) -> None:
    assert (FOLDER / name).read_text() == documents()[name], f"run: {COMMAND}"


def test_nothing_else_lies_beside_them() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(documents())


def written() -> Iterator[tuple[str, str, str]]:
    """File, method and name of every vital that is written under a fixed name."""
    for file in PROBER.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=method),
                    args=[ast.Constant(value=str(name)), *_],
                ) if owner.endswith("vitals") and method in WRITES:
                    yield str(file.relative_to(PROBER)), method, name


def test_every_vital_that_is_written_is_a_metric_of_the_catalog() -> None:
    kinds = {each.vital: each.kind for each in PROBER_METRICS}
    found = list(written())
    assert len(found) > 10
    assert [each for each in found if kinds.get(each[2]) not in WRITES[each[1]]] == []


def test_every_metric_of_the_prober_is_written_by_somebody() -> None:
    sources = "\n".join(file.read_text() for file in PROBER.rglob("*.py") if file.parent.name != "metrics")
    sources += "\n".join((PROBER / "metrics" / name).read_text() for name in ("cloudwatch.py", "publishing.py"))
    unwritten = [each.vital for each in PROBER_METRICS if f'"{each.vital}"' not in sources]
    assert [vital for vital in unwritten if not vital.startswith("spool_")] == []
